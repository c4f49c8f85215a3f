/** The guard of the poisoned module works: where a datum is cold that hot functions need, no call succeeds. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { harness } from '../contract.cases.mjs';
import { engineNames, openEngine } from '../drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from '../drive/server.mjs';

for (const name of engineNames) {
  describe(name, () => {
    const use = closeAfterTests();
    let site = '';
    let echo = '';
    /** @type {import('../drive/engine.mjs').Engine} */
    let engine;

    before(async () => {
      ({ echo } = await use(startServe));
      ({ url: site } = await use(startSite, {
        '/': `<!doctype html><script>${harness}</script><script src="connectsocket.js"></script>`,
      }));
      engine = await use(openEngine, name);
    });

    test('the module dies at once', { timeout: 60_000 }, async () => {
      const page = await engine.newPage(site);
      const refused = await page.evaluate(`failure(connectSocket({ url: ${JSON.stringify(echo)} }))`);
      assert.match(String(refused), /^connectSocket:fail the module has died: .*unreachable/i);
      await page.close();
    });
  });
}
