/**
 * The contract of connectSocket and its task, in every engine, over ws and wss: each case runs in a page that has
 * loaded the built package, against the real echo server, and returns what it saw.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cases, harness } from './contract.cases.mjs';
import { engineNames, openEngine } from './engine.mjs';
import { startServe, startSite } from './server.mjs';

/** @import { Page } from './engine.mjs' */

for (const name of engineNames) {
  for (const tls of [false, true]) {
    describe(`${name}, ${tls ? 'wss' : 'ws'}`, () => {
      /** @type {Array<() => Promise<void>>} */
      const closers = [];
      /** @type {Page} */
      let page;
      let echo = '';

      before(async () => {
        const serve = await startServe({ tls });
        closers.push(serve.close);
        echo = serve.echo;
        const site = await startSite(
          {
            '/': '<!doctype html><link rel="icon" href="data:,"><script src="connectsocket.js"></script><script src="harness.js"></script>',
            '/harness.js': { body: harness },
          },
          { tls },
        );
        closers.push(site.close);
        const engine = await openEngine(name);
        closers.push(engine.close);
        page = await engine.newPage(site.url);
        await page.evaluate(() => connectSocket.ready);
      });

      after(async () => {
        for (const close of closers.reverse()) await close();
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
