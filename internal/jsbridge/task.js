/**
 * What a caller holds: tasks, promises of tasks, and the functions of the family.
 *
 * @typedef {import('./connection.js').Connection} Connection
 * @typedef {import('./outcome.js').Callback} Callback
 * @typedef {import('./handlers.js').EventName} EventName
 *
 * @typedef {object} Calls
 * @property {(option: unknown) => Promise<any>} connectSocket
 * @property {(option?: any) => Promise<{ errMsg: string }>} sendSocketMessage
 * @property {(option?: any) => Promise<{ errMsg: string }>} closeSocket
 *
 * @typedef {Calls & Record<`onSocket${EventName}`, (handler: Callback) => void>} Family
 */
import { EVENTS } from './handlers.js';
import { noCallbacks, readCall, readCallbacks } from './option.js';
import { bare, later, noop, outcome } from './outcome.js';
import { TEXT_NOT_CONNECTED } from './wire.js';

/** Behind it a task has a function that calls another with its connection: it works through any Proxy of the task. */
const WITH = Symbol('connectsocket');

/** @type {Record<string, (c: Connection, argument: any) => unknown>} */
const methods = {
  send: (c, option) => c.send(option, 'SocketTask.send'),
  close: (c, option) => c.close(option),
};
for (const [kind, name] of EVENTS.entries()) {
  methods[`on${name}`] = (c, handler) => c.on(kind, handler);
  methods[`off${name}`] = (c, handler) => c.off(kind, handler);
}

/** @type {Record<string, (c: Connection) => unknown>} */
const properties = {
  readyState: (c) => c.readyState,
  socketTaskId: (c) => c.id,
  errMsg: (c) => c.errMsg,
  protocol: (c) => (c.relayed ? c.protocol : (c.ws?.protocol ?? '')),
  bufferedAmount: (c) => c.ws?.bufferedAmount ?? 0,
  ws: (c) => c.ws,
};

const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

/** @type {PropertyDescriptorMap & ThisType<any>} */
const members = {
  // Vue, and what is built on its reactivity, leaves an object alone that has this.
  __v_skip: bare({ value: true }),
};
for (const [name, f] of Object.entries(methods)) {
  /** @this {any} @param {unknown} argument */
  const value = function (argument) {
    return this[WITH](f, argument);
  };
  members[name] = bare({ value, writable: true, configurable: true, enumerable: true });
}
for (const [name, f] of Object.entries(properties)) {
  /** @this {any} */
  const get = function () {
    return this[WITH](f);
  };
  members[name] = bare({ get, configurable: true, enumerable: true });
}
for (const [name, value] of Object.entries(constants)) members[name] = bare({ value, enumerable: true });

const taskPrototype = Object.create(Object.prototype, members);
// As it is now: another library may replace it later.
const NativePromise = Promise;
const promisePrototype = Object.create(NativePromise.prototype, members);

/**
 * @param {import('./module.js').Module} module
 * @param {import('./connection.js').Connections} connections
 */
export function createTasks(module, connections) {
  /** @param {unknown} option */
  function connect(option) {
    const call = readCall(option);
    /** @type {(task: object) => void} */
    let resolve = noop;
    /** @type {(res: object) => void} */
    let reject = noop;
    const promise = new NativePromise((...functions) => {
      [resolve, reject] = functions;
    });
    if (call.callbacks.fail || call.callbacks.complete) promise.catch(noop); // the callback has it
    const connection = connections.connect(call, () => resolve(task), reject);
    /** @param {(c: Connection, argument: unknown) => unknown} f @param {unknown} argument */
    const value = (f, argument) => f(connection, argument);
    const owned = bare({ value, writable: true, configurable: true });
    // On a prototype of the task's own: the task may be frozen, and still be wrapped in a Proxy.
    const task = Object.create(Object.create(taskPrototype, { [WITH]: owned }));
    Object.defineProperty(promise, WITH, owned);
    Object.setPrototypeOf(promise, promisePrototype);
    return { promise, task };
  }

  /** @param {unknown} option */
  const connectSocket = (option) => connect(option).promise;

  /** @param {unknown} option */
  function connectTask(option) {
    const { promise, task } = connect(option);
    promise.catch(noop); // no caller has it; onError is called
    return task;
  }

  /**
   * Makes a call of the newest task, when the module runs or has failed.
   * @param {any} option
   * @param {string} api
   * @param {(c: Connection) => Promise<{ errMsg: string }>} call
   * @returns {Promise<{ errMsg: string }>}
   */
  function withNewest(option, api, call) {
    if (!module.failure()) module.wake();
    return later(module.whenSettled, () => {
      const c = connections.newest();
      if (c) return call(c);
      const callbacks = noCallbacks();
      try {
        readCallbacks(option ?? bare(), callbacks);
      } catch {} // why it fails is known
      return outcome(callbacks, false, `${api}:fail ${module.failure() || TEXT_NOT_CONNECTED}`);
    });
  }

  const family = /** @type {Family} */ ({
    connectSocket,
    sendSocketMessage: (option) =>
      withNewest(option, 'sendSocketMessage', (c) => c.send(option, 'sendSocketMessage')),
    closeSocket: (option) => withNewest(option, 'closeSocket', (c) => c.close(option)),
  });
  /**
   * Not for an object of another platform's API: clients take them there as a sign of that platform.
   */
  const off = /** @type {Record<`offSocket${EventName}`, (handler?: Callback) => void>} */ ({});
  for (const [kind, name] of EVENTS.entries()) {
    family[`onSocket${name}`] = (handler) => connections.onGlobal(kind, handler);
    off[`offSocket${name}`] = (handler) => connections.offGlobal(kind, handler);
  }

  return { family, connectTask, off };
}
