/**
 * The programs of e2e/fuzz in Node: those that have failed once, then random ones, the same in each run. FUZZ_SEED makes
 * others.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRegressions } from '../../e2e/fuzz/fuzz.mjs';
import { programs, replay } from '../../e2e/fuzz/node.mjs';

const seed = Number(process.env.FUZZ_SEED ?? 1);

for (const { name, program } of readRegressions()) {
  test(name, async () => {
    assert.deepEqual(await replay(program), []);
  });
}

test(`random programs of seed ${seed}`, async () => {
  const property = fc.asyncProperty(programs, async (program) => {
    assert.deepEqual(await replay(program), []);
  });
  await fc.assert(property, { seed, numRuns: 500, endOnFailure: true });
});
