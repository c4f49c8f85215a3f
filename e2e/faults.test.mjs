/**
 * The fault matrix: what a page sees of each way in which a connection can fail, in every engine, direct and through the
 * relay. For each of them the call ends once, onClose is called once and last, and onError at most once before it, its
 * slot comes back, and the next socket works.
 *
 * The short form is of ws: and leaves out what takes seconds. FAULTS=full is all of it, and writes faults/results.md.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startSite } from './drive/server.mjs';
import { cells, harness } from './faults/cells.mjs';
import { startFaults, Victim } from './faults/server.mjs';
import { Table } from './faults/table.mjs';

/** @import { Engine } from './drive/engine.mjs' */
/** @import { Lab, Way } from './faults/cells.mjs' */
/** @import { Faults } from './faults/server.mjs' */

const full = process.env.FAULTS === 'full';
const table = new Table();

for (const name of engineNames) {
  for (const scheme of full ? ['ws', 'wss'] : ['ws']) {
    describe(`${name}, ${scheme}`, () => {
      const tls = scheme === 'wss';
      const victim = new Victim(tls);
      const use = closeAfterTests();
      after(() => victim.kill());
      /** @type {Faults} */
      let faults;
      /** @type {Engine} */
      let engine;
      /** @type {Lab['page']} */
      let page;

      before(async () => {
        await victim.start();
        faults = await use(startFaults, { tls, allow: victim.address });
        const relay = `${scheme}://${faults.at.relay}/relay`;
        const site = await use(
          startSite,
          {
            '/': `<!doctype html><link rel="icon" href="data:,"><script src="connectsocket.js" data-relay="${relay}"></script><script src="harness.js"></script>`,
            '/harness.js': `(${harness})();`,
          },
          { tls },
        );
        engine = await use(openEngine, name);
        page = await engine.newPage(site.url);
        await page.evaluate(() => connectSocket.ready);
        table.engine(name, engine.version);
      });

      /**
       * What a socket of the same kind sees once the fault is gone.
       *
       * @param {string} url
       * @param {object} option
       */
      const later = (url, option) =>
        page.evaluate(
          async (url, option) => {
            const { meet } = /** @type {any} */ (globalThis);
            const { seen, closed } = meet(url, option, 5, true);
            await closed;
            return seen.join(', ');
          },
          url,
          option,
        );

      for (const cell of cells) {
        if ((cell.slow && !full) || (cell.tls && !tls)) continue;
        for (const [way, anyWant] of Object.entries(cell.want)) {
          test(`${cell.fault}, ${way}`, { timeout: 180_000 }, async () => {
            const { toxics, path = '/echo', size = 5, closes = false } = cell;
            const proxy = way === 'before the relay' ? 'relay' : 'server';
            const poison = (/** @type {object} */ toxic) => faults.poison(proxy, toxic);
            const lab = { page, poison, heal: faults.heal, victim };
            await cell.before?.(lab);
            for (const toxic of toxics ?? []) await poison(toxic);
            const at = cell.at ?? (toxics && proxy === 'server' ? 'toxic' : 'server');
            const host = at === 'victim' ? victim.address : faults.at[at];
            const relay = way === 'direct' ? {} : { relay: 'always' };

            const began = Date.now();
            await page.evaluate(
              async (...args) => {
                const { meet } = /** @type {any} */ (globalThis);
                await meet(...args).answered;
              },
              `${scheme}://${host}${path}`,
              { ...cell.option, ...relay },
              size,
              closes,
            );
            await cell.opened?.(lab);
            await page.evaluate(async () => {
              const page = /** @type {any} */ (globalThis);
              page.tried = page.met;
              await page.tried.closed;
            });
            const took = Date.now() - began;
            await faults.heal();
            const next = await later(`${scheme}://${faults.at.server}/echo`, relay);
            const { seen, told, stats } = await page.evaluate(() => {
              const { seen, told } = /** @type {any} */ (globalThis).tried;
              return { seen: seen.join(', '), told, stats: connectSocket.stats() };
            });
            table.add(cell, /** @type {Way} */ (way), `${name} ${scheme}`, seen, took);

            assert.deepEqual(told, ['success', 'complete', 'resolved']);
            assert.equal(next, 'open, text 5, close 3000 clean');
            assert.deepEqual([stats.tasks, stats.slotsInUse], [0, 0]);
            const want = typeof anyWant === 'string' || Array.isArray(anyWant) ? anyWant : anyWant[name];
            if (Array.isArray(want)) assert.ok(want.includes(seen), `saw ${seen}`);
            else assert.equal(seen, want);
          });
        }
      }

      test('nothing has gone unhandled', async () => {
        assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).unhandled), []);
      });
    });
  }
}

after(() => {
  if (full) writeFileSync(new URL('faults/results.md', import.meta.url), table.markdown());
});
