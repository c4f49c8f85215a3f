import { connectSocket, connectTask, install as installFamily } from './connectsocket.mjs';

/**
 * @typedef {import('./connectsocket.js').ConnectOption} ConnectOption
 */

const callbacks = 'success|fail|complete';

/** What canIUse knows: names of the family and of the task, down to their parameters and results. */
const usable = new RegExp(
  `^(${[
    `connectSocket(\\.object\\.(url|header|protocols|timeout|tcpNoDelay|perMessageDeflate|forceCellularNetwork|${callbacks}))?`,
    'connectSocket\\.success\\.(errMsg|socketTaskId)',
    `(sendSocketMessage|SocketTask\\.send)(\\.object\\.(data|${callbacks}))?`,
    `(closeSocket|SocketTask\\.close)(\\.object\\.(code|reason|${callbacks}))?`,
    '(onSocket|SocketTask\\.on)Open(\\.callback\\.(header|profile))?',
    '(onSocket|SocketTask\\.on)Message(\\.callback\\.data)?',
    '(onSocket|SocketTask\\.on)Error(\\.callback\\.errMsg)?',
    '(onSocket|SocketTask\\.on)Close(\\.callback\\.(code|reason))?',
    'SocketTask',
  ].join('|')})$`,
);

/**
 * Puts the family on an object, and canIUse for its names where the object has none of its own.
 * @template {object} T
 * @param {T} target
 */
function installNamed(target) {
  const named = /** @type {T & import('./connectsocket.js').Family & { canIUse?: unknown }} */ (
    installFamily(target)
  );
  if (typeof named.canIUse !== 'function')
    named.canIUse = (/** @type {string} */ schema) => usable.test(schema);
  return named;
}

/**
 * Puts connectSocket as WeChat has it, which returns the task itself, and its family on an object.
 * @template {object} T
 * @param {T} target
 */
export function install(target) {
  return Object.assign(installNamed(target), { connectSocket: connectTask });
}

/**
 * Puts connectSocket as uni-app has it, which returns the task itself where the option has a callback and a promise
 * where it has none, and its family on an object.
 * @template {object} T
 * @param {T} target
 */
export function installUni(target) {
  return Object.assign(installNamed(target), {
    /** @param {ConnectOption} option */
    connectSocket: (option) => (hasCallback(option) ? connectTask(option) : connectSocket(option)),
  });
}

/** @param {ConnectOption} option */
function hasCallback(option) {
  try {
    return [option.success, option.fail, option.complete].some((f) => typeof f === 'function');
  } catch {
    return false; // no object, or one that throws: the call reports it
  }
}
