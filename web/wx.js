import { connectSocket, connectTask, install as installFamily } from './connectsocket.mjs';

/**
 * @typedef {import('./connectsocket.js').ConnectOption} ConnectOption
 */

/**
 * Puts connectSocket as WeChat has it, which returns the task itself, and its family on an object.
 * @template {object} T
 * @param {T} target
 */
export function install(target) {
  return Object.assign(installFamily(target), { connectSocket: connectTask });
}

/**
 * Puts connectSocket as uni-app has it, which returns the task itself where the option has a callback and a promise
 * where it has none, and its family on an object.
 * @template {object} T
 * @param {T} target
 */
export function installUni(target) {
  return Object.assign(installFamily(target), {
    /** @param {ConnectOption} option */
    connectSocket: (option) => (hasCallback(option) ? connectTask(option) : connectSocket(option)),
  });
}

/** @param {ConnectOption} option */
function hasCallback(option) {
  try {
    return [option.success, option.fail, option.complete].some((f) => typeof f === 'function');
  } catch {
    return false; // no object, or one that throws: the call tells it
  }
}
