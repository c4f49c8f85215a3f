import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSlots } from './wire.js';

test('a slot is the index of a payload until it is taken', () => {
  const slots = createSlots();
  const numbers = ['a', 'b', 'c'].map(slots.put);
  assert.deepEqual(numbers, [0, 1, 2]);
  assert.equal(slots.take(1), 'b');
  assert.deepEqual(slots.stats(), { slots: 3, slotsInUse: 2 });
  assert.equal(slots.put('d'), 1);
  assert.equal(slots.put(undefined), 3);
  assert.deepEqual([3, 1, 0, 2].map(slots.take), [undefined, 'd', 'a', 'c']);
  assert.deepEqual(slots.stats(), { slots: 4, slotsInUse: 0 });
});

test('a full table is used again, and not grown', () => {
  const slots = createSlots();
  for (let round = 0; round < 100; round++) {
    const numbers = Array.from({ length: 10 }, (_, i) => slots.put(i));
    assert.deepEqual(numbers.map(slots.take), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
  assert.deepEqual(slots.stats(), { slots: 10, slotsInUse: 0 });
});

test('a table that was cleared is as a new one', () => {
  const slots = createSlots();
  slots.put('a');
  slots.put('b');
  slots.take(0);
  slots.clear();
  assert.deepEqual(slots.stats(), { slots: 0, slotsInUse: 0 });
  assert.equal(slots.put('c'), 0);
});

test('a payload that was taken is no longer held', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const slots = createSlots();
  const held = new WeakRef({});
  slots.put(held.deref());
  const payload = new WeakRef(slots.take(slots.put({})));
  await new Promise((resolve) => setImmediate(resolve)); // until then a WeakRef holds what it was made with
  collect();
  assert.equal(payload.deref(), undefined);
  assert.notEqual(held.deref(), undefined);
});
