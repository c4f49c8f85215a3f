/**
 * The option reconnect against a server that is killed and started again, direct and through the relay, in every engine.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startSite } from './drive/server.mjs';
import { startFaults, Victim } from './faults/server.mjs';

/** @import { Engine, Page } from './drive/engine.mjs' */

for (const name of engineNames) {
  describe(name, () => {
    const victim = new Victim(false);
    /** @type {Page} */
    let page;
    const use = closeAfterTests();
    after(() => victim.kill());

    before(async () => {
      await victim.start();
      const faults = await use(startFaults, { allow: victim.address });
      const site = await use(startSite, {
        '/': `<!doctype html><link rel="icon" href="data:,"><script src="connectsocket.js" data-relay="ws://${faults.at.relay}/relay"></script>`,
      });
      const engine = await use(openEngine, name);
      page = await engine.newPage(site.url);
    });

    for (const relay of /** @type {const} */ ([undefined, 'always'])) {
      test(`${relay ? 'relayed' : 'direct'}: a server that dies twice is found again by the same task`, {
        timeout: 60_000,
      }, async () => {
        /** @param {string} state */
        const until = (state) =>
          page.evaluate(
            `(async () => { while (!(${state})) await new Promise((resolve) => setTimeout(resolve, 10)); })()`,
          );
        await page.evaluate(
          (option) => {
            const seen = /** @type {string[]} */ ([]);
            const task = connectSocket({ ...option, reconnect: { minDelay: 20, maxDelay: 100 } });
            Object.assign(globalThis, { seen, task });
            task.onOpen(({ reconnected = 0 }) => {
              seen.push(`open ${reconnected}`);
              task.send({ data: `message ${reconnected}` });
            });
            task.onMessage(({ data }) => seen.push(String(data)));
            task.onError(() => seen.push(`error ${task.readyState}`));
            task.onClose(({ code }) => seen.push(`close ${code}`));
          },
          { url: `ws://${victim.address}/echo`, relay },
        );
        for (let deaths = 0; deaths < 2; deaths++) {
          await until(`seen.includes('message ${deaths}')`);
          await victim.kill();
          // Those attempts fail that are made meanwhile.
          await until(`seen.slice(seen.indexOf('message ${deaths}')).length > 3`);
          await victim.start();
        }
        await until(`seen.includes('message 2')`);
        await page.evaluate('task.close()');
        await until(`task.readyState === 3`);
        /** @type {string[]} */
        const seen = await page.evaluate('seen');
        const [errors, rest] = [
          seen.filter((line) => line.startsWith('error')),
          seen.filter((line) => !line.startsWith('error')),
        ];
        assert.deepEqual(rest, [
          ...['open 0', 'message 0', 'open 1', 'message 1', 'open 2', 'message 2', 'close 1000'],
        ]);
        assert.deepEqual([...new Set(errors)], ['error 0']);
        assert.ok(errors.length >= 6, `${errors.length} errors`);
        assert.equal(await page.evaluate('connectSocket.stats().tasks'), 0);
      });
    }
  });
}
