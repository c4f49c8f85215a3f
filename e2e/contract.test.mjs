/**
 * The contract of connectSocket and its task, in every engine, over ws and wss: each case runs in a page that has
 * loaded the built package, against the real echo server, and returns what it saw.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { cases, harness } from './contract.cases.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { Page } from './drive/engine.mjs' */

for (const name of engineNames) {
  for (const tls of [false, true]) {
    describe(`${name}, ${tls ? 'wss' : 'ws'}`, () => {
      const use = closeAfterTests();
      /** @type {Page} */
      let page;
      let echo = '';

      before(async () => {
        ({ echo } = await use(startServe, { tls }));
        const site = await use(
          startSite,
          {
            '/': '<!doctype html><link rel="icon" href="data:,"><script src="connectsocket.js"></script><script src="harness.js"></script>',
            '/harness.js': { body: harness },
          },
          { tls },
        );
        const engine = await use(openEngine, name);
        page = await engine.newPage(site.url);
        await page.evaluate(() => connectSocket.ready);
      });

      for (const [title, run, want] of cases) {
        test(title, { timeout: 60_000 }, async () => {
          const got = await page.evaluate(run, echo);
          // JSON makes null of undefined.
          assert.deepEqual(got, JSON.parse(JSON.stringify(want)));
        });
      }

      test('leaves nothing behind', async () => {
        const { tasks, slotsInUse } = await page.evaluate(() => connectSocket.stats());
        assert.deepEqual({ tasks, slotsInUse }, { tasks: 0, slotsInUse: 0 });
      });
    });
  }
}
