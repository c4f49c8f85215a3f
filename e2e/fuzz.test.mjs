/**
 * The fuzzer's short form, in every engine: programs that have failed once, then random ones, the same in each run.
 * FUZZ_SEED makes others; `make fuzz` is the long form.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests } from './drive/server.mjs';
import { check, keep, openFuzz, readRegressions, replay, report, startFuzz } from './fuzz/fuzz.mjs';

/** @import { Page } from './drive/engine.mjs' */

const seed = Number(process.env.FUZZ_SEED ?? 1);
// With the poisoned module it ends before Go sweeps its heap for the first time, after about 900: that needs the rest.
const programs = process.env.CONNECTSOCKET_DIST ? 500 : 2000;

for (const name of engineNames) {
  describe(name, () => {
    const use = closeAfterTests();
    /** @type {Page} */
    let page;

    before(async () => {
      const site = await use(startFuzz);
      const engine = await use(openEngine, name);
      page = await openFuzz(engine, site.url);
    });

    for (const regression of readRegressions()) {
      test(regression.name, { timeout: 30_000 }, async () => {
        assert.deepEqual(await replay(page, regression.program), []);
      });
    }

    test(`random programs of seed ${seed}`, { timeout: 180_000 }, async (t) => {
      const failure = await check(page, { seed, programs, seconds: 30 });
      t.diagnostic(`${await page.evaluate('fuzz.progress.done')} programs`);
      if (failure) assert.fail(`${report(failure)}\nkept as ${keep(failure)}`);
    });
  });
}
