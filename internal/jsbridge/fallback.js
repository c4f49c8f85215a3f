/**
 * Tasks of the page's fallback, a connectSocket of somebody else, which serves calls when the module cannot be had.
 */
import { EVENTS } from './handlers.js';
import { describe } from './option.js';

/** A task as the frameworks have them. @typedef {Record<string, any>} OtherTask */

const methods = ['send', 'close', ...EVENTS.map((name) => `on${name}`)];

/**
 * Makes a call of the fallback.
 * @param {(option: any) => unknown} fallback It returns a task, or a promise of one; or it throws, rejects or calls `fail`.
 * @param {import('./option.js').Call} call
 * @returns {Promise<OtherTask>}
 */
export const callFallback = (fallback, { target, protocols, timeout, unsendable }) =>
  new Promise((resolve, reject) => {
    // Where there is a callback uni-app returns a task, else a promise of none.
    const given = fallback({ url: target, protocols, timeout, ...unsendable, success() {}, fail: reject });
    Promise.resolve(given)
      .then((/** @type {any} */ task) => {
        if (!methods.every((name) => typeof task?.[name] === 'function')) throw new Error('it gives no task');
        resolve(task);
      }, reject)
      .catch(reject);
  });

/**
 * Calls a method of the fallback's task.
 * @param {OtherTask} task
 * @param {'send' | 'close'} method
 * @param {object} option
 * @returns {Promise<unknown>} It settles as the first does: a callback, or the promise that the method returns.
 */
export const callTask = (task, method, option) =>
  new Promise((resolve, reject) => {
    const promise = task[method]({ ...option, success: resolve, fail: reject });
    if (promise) Promise.resolve(promise).then(resolve, reject);
  });

/**
 * What a call of the fallback has failed with, as an errMsg.
 * @param {any} error
 * @param {string} api
 * @returns {string}
 */
export const whyFailed = (error, api) =>
  typeof error?.errMsg === 'string' ? error.errMsg : `${api}:fail ${describe(error)}`;
