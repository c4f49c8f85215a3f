import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHandlers } from './handlers.js';
import { CLOSE, ERROR, MESSAGE, OPEN } from './wire.js';

/** Handlers, and functions that log. */
function create() {
  /** @type {string[]} */
  const log = [];
  const handlers = createHandlers();
  const note =
    (/** @type {string} */ name, f = () => {}) =>
    (/** @type {unknown} */ payload) => {
      log.push(`${name} ${payload}`);
      f();
    };
  return { log, handlers, note };
}

test('the first and the last of a kind are told', () => {
  const { handlers, note } = create();
  const [a, b] = [note('a'), note('b')];
  assert.deepEqual(
    [a, a, b].map((f) => handlers.add(MESSAGE, f)),
    [true, false, false],
  );
  assert.deepEqual(handlers.kinds(), [MESSAGE]);
  assert.deepEqual(
    [note('c'), a, a, b, b].map((f) => handlers.remove(MESSAGE, f)),
    [false, false, false, true, false],
  );
  handlers.add(OPEN, a);
  handlers.add(OPEN, b);
  handlers.add(CLOSE, a);
  assert.deepEqual(handlers.kinds(), [OPEN, CLOSE]);
  assert.deepEqual([handlers.remove(OPEN), handlers.remove(OPEN)], [true, false]);
  assert.deepEqual(handlers.kinds(), [CLOSE]);
});

test('the same function twice is called once', () => {
  const { log, handlers, note } = create();
  const a = note('a');
  handlers.add(MESSAGE, a);
  handlers.add(MESSAGE, a);
  handlers.deliver(MESSAGE, 1);
  handlers.deliver(OPEN, 2);
  assert.deepEqual(log, ['a 1']);
});

test('a delivery goes to those that were there, and have not been removed', () => {
  const { log, handlers, note } = create();
  const c = note('c');
  const again = note('again');
  handlers.add(MESSAGE, again);
  handlers.add(
    MESSAGE,
    note('a', () => {
      handlers.remove(MESSAGE, c);
      handlers.add(MESSAGE, note('added'));
    }),
  );
  handlers.add(MESSAGE, c);
  handlers.add(MESSAGE, note('d'));
  handlers.deliver(MESSAGE, 1);
  assert.deepEqual(log.splice(0), ['again 1', 'a 1', 'd 1']);
  handlers.remove(MESSAGE);
  handlers.deliver(MESSAGE, 2);
  assert.deepEqual(log, []);
});

test('a handler that is removed and added again within a delivery is called once', () => {
  const { log, handlers, note } = create();
  const b = note('b');
  handlers.add(
    MESSAGE,
    note('a', () => {
      handlers.remove(MESSAGE, b);
      handlers.add(MESSAGE, b);
    }),
  );
  handlers.add(MESSAGE, b);
  handlers.deliver(MESSAGE, 1);
  assert.deepEqual(log, ['a 1', 'b 1']);
});

test('what is kept waits for a handler, and is delivered once, in the order in which it came', () => {
  const { log, handlers, note } = create();
  handlers.keep(MESSAGE, 1);
  handlers.keep(ERROR, 'why');
  handlers.keep(OPEN, 'again');
  handlers.keep(MESSAGE, 2);
  handlers.keep(CLOSE, 'bye');
  handlers.replay();
  assert.deepEqual(log, []);
  handlers.add(CLOSE, note('close'));
  handlers.add(MESSAGE, note('message'));
  handlers.add(OPEN, note('open'));
  handlers.replay();
  handlers.replay();
  assert.deepEqual(log.splice(0), ['message 1', 'open again', 'message 2', 'close bye']);
  handlers.add(ERROR, note('error'));
  handlers.replay();
  assert.deepEqual(log, ['error why']);
});

test('a handler that takes itself off leaves the rest for the next one', () => {
  const { log, handlers, note } = create();
  for (const n of [1, 2, 3]) handlers.keep(MESSAGE, n);
  const once = note('once', () => handlers.remove(MESSAGE, once));
  handlers.add(MESSAGE, once);
  handlers.replay();
  handlers.add(MESSAGE, note('next'));
  handlers.replay();
  assert.deepEqual(log, ['once 1', 'next 2', 'next 3']);
});
