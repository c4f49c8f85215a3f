import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { bare, outcome, run, sendOutcome, settle } from './outcome.js';

/** @type {any} */
const page = globalThis;
/** @type {string[]} */
let log;
beforeEach(() => {
  log = [];
  page.reportError = (/** @type {Error} */ error) => log.push(`reported ${error.message}`);
});
afterEach(() => {
  Reflect.deleteProperty(page, 'reportError');
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const note = (/** @type {string} */ name) => (/** @type {any} */ res) => {
  log.push(`${name} ${res.errMsg}`);
};
const thrower = (/** @type {string} */ text) => () => {
  throw new Error(text);
};

test('a call ends with one of two callbacks, then complete, in a microtask', async () => {
  const callbacks = { success: note('success'), fail: note('fail'), complete: note('complete') };
  settle(callbacks, true, { errMsg: 'a' }, () => log.push('then'));
  settle(callbacks, false, { errMsg: 'b' });
  log.push('returned');
  await turn();
  assert.deepEqual(log, ['returned', 'success a', 'complete a', 'then', 'fail b', 'complete b']);
});

test('what a callback throws is reported, and stops nothing', async () => {
  settle({ success: thrower('one'), complete: thrower('two') }, true, {}, () => log.push('then'));
  await turn();
  assert.deepEqual(log, ['reported one', 'reported two', 'then']);
});

test('without reportError it is thrown in a task of its own', async () => {
  Reflect.deleteProperty(page, 'reportError');
  const { setTimeout } = globalThis;
  /** @type {any[]} */
  const timers = [];
  page.setTimeout = (/** @type {() => void} */ f) => timers.push(f);
  run(thrower('late'), undefined);
  page.setTimeout = setTimeout;
  assert.equal(timers.length, 1);
  assert.throws(timers[0], { message: 'late' });
});

test('a rejection that nobody looks at is not reported', async () => {
  const unhandled = () => log.push('unhandled');
  process.on('unhandledRejection', unhandled);
  const rejected = outcome({}, false, 'x:fail');
  await turn();
  await turn();
  process.off('unhandledRejection', unhandled);
  assert.deepEqual(log, []);
  await assert.rejects(rejected, { errMsg: 'x:fail' });
});

test('callbacks and the promise have the same result', async () => {
  /** @type {unknown[]} */
  const results = [];
  const promise = outcome({ complete: (res) => results.push(res) }, true, 'x:ok');
  assert.equal(await promise, results[0]);
  assert.deepEqual(results, [{ errMsg: 'x:ok' }]);
});

test('sends without callbacks share a promise, and a result that nobody can change', async () => {
  const promise = sendOutcome({ fail: note('fail') });
  assert.equal(promise, sendOutcome({}));
  assert.ok(Object.isFrozen(await promise)); // in a test, where Node tracks promises
  assert.deepEqual(await promise, { errMsg: 'sendSocketMessage:ok' });
  assert.notEqual(sendOutcome({ success: note('success') }), promise);
  assert.notEqual(sendOutcome({ complete: note('complete') }), promise);
  await turn();
  assert.deepEqual(log, ['success sendSocketMessage:ok', 'complete sendSocketMessage:ok']);
});

test('a bare object inherits nothing', () => {
  assert.equal(Object.getPrototypeOf(bare()), null);
  assert.deepEqual(Object.entries(bare({ a: 1 })), [['a', 1]]);
});
