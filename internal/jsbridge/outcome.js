/**
 * How a call ends: success or fail, then complete, then its promise.
 *
 * @typedef {(res: any) => void} Callback
 * @typedef {{ success?: Callback, fail?: Callback, complete?: Callback }} Callbacks
 */

export const noop = () => {};

/**
 * Returns a copy of an object without a prototype: what a page, or a library in it, puts on Object.prototype is not in the copy.
 * @template {object} T
 * @param {T} [object]
 * @returns {T}
 */
export const bare = (object) => Object.assign(Object.create(null), object);

/**
 * What is told of a thrown value, without the name of its class.
 * @param {any} error
 * @returns {string}
 */
export const messageOf = (error) => String(error?.message ?? error);

/**
 * Calls f with res. What f throws reaches `window.onerror` and nobody else.
 * @param {Callback} f
 * @param {unknown} res
 */
export function run(f, res) {
  try {
    f(res);
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else
      setTimeout(() => {
        throw error;
      });
  }
}

/**
 * Calls the callbacks of a call that has ended, then calls `then`: in a microtask, so that the caller has the returned
 * value by then.
 * @param {Callbacks} callbacks
 * @param {boolean} ok
 * @param {unknown} res
 * @param {() => void} [then]
 */
export function settle({ success, fail, complete }, ok, res, then = noop) {
  queueMicrotask(() => {
    const first = ok ? success : fail;
    if (first) run(first, res);
    if (complete) run(complete, res);
    then();
  });
}

/**
 * Ends a send or a close.
 * @param {Callbacks} callbacks
 * @param {boolean} ok
 * @param {string} errMsg
 * @returns {Promise<{ errMsg: string }>} A rejection is marked as handled: callers that use callbacks ignore the promise.
 */
export function outcome(callbacks, ok, errMsg) {
  const res = { errMsg };
  if (callbacks.success || callbacks.fail || callbacks.complete) settle(callbacks, ok, res);
  if (ok) return Promise.resolve(res);
  const rejected = Promise.reject(res);
  rejected.catch(noop);
  return rejected;
}

/**
 * Makes a call later.
 * @param {(f: () => void) => void} when calls f at its time
 * @param {() => Promise<{ errMsg: string }>} call
 * @returns {Promise<{ errMsg: string }>} A rejection is marked as handled.
 */
export function later(when, call) {
  const promise = new Promise((resolve) => when(() => resolve(call())));
  promise.catch(noop);
  return promise;
}

const sent = Object.freeze({ errMsg: 'sendSocketMessage:ok' });
/**
 * Shared by all sends without callbacks: a message costs no promise of its own. It is not frozen, since Node's async_hooks put
 * a property on a promise.
 */
const sentPromise = Promise.resolve(sent);

/**
 * Ends a send that succeeded.
 * @param {Callbacks} callbacks
 * @returns {Promise<{ errMsg: string }>}
 */
export function sendOutcome(callbacks) {
  return callbacks.success || callbacks.complete ? outcome(callbacks, true, sent.errMsg) : sentPromise;
}
