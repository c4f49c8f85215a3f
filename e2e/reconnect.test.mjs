/**
 * The option reconnect against a server that is killed and started again, direct and through the relay, and against one that
 * wants a fresh ticket for each connection, in every engine.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';
import { startFaults, Victim } from './faults/server.mjs';

/** @import { Engine, Page } from './drive/engine.mjs' */

for (const name of engineNames) {
  describe(name, () => {
    const victim = new Victim(false);
    /** @type {Page} */
    let page;
    let serve = '';
    const use = closeAfterTests();
    after(() => victim.kill());

    before(async () => {
      await victim.start();
      const faults = await use(startFaults, { allow: victim.address });
      const site = await use(startSite, {
        '/': `<!doctype html><link rel="icon" href="data:,"><script src="connectsocket.js" data-relay="ws://${faults.at.relay}/relay"></script>`,
      });
      serve = (await use(startServe)).url;
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

    for (const fresh of [true, false]) {
      test(fresh ? 'a ticket for each of a hundred reconnects' : 'a used ticket admits nobody', {
        timeout: 60_000,
      }, async () => {
        const seen = await page.evaluate(
          (serve, fresh) =>
            new Promise((resolve) => {
              const seen = { tickets: 0, opens: 0, losses: 0, failures: 0 };
              const option = async () => {
                seen.tickets++;
                const ticket = await (await fetch(`${serve}/ticket`)).text();
                // Such a server closes each connection after its first answer.
                return { url: `${serve}/ticket/echo?code=1001&after=1&ticket=${ticket}` };
              };
              option().then((first) => {
                const reconnect = {
                  ...{ minDelay: 1, maxDelay: 5, retries: fresh ? 200 : 3 },
                  ...(fresh ? { option } : {}),
                };
                const task = connectSocket({ ...first, reconnect });
                task.onOpen(({ reconnected = 0 }) => {
                  if (reconnected !== seen.opens++) throw new Error(`open as number ${reconnected}`);
                  if (reconnected < 100) task.send({ data: 'x' });
                  else task.close();
                });
                task.onError(({ errMsg }) => {
                  if (/ failed$/.test(errMsg)) seen.failures++;
                  else seen.losses++;
                });
                task.onClose(({ code }) => {
                  const { tasks, slotsInUse } = connectSocket.stats();
                  resolve({ ...seen, code, tasks, slotsInUse });
                });
              });
            }),
          serve,
          fresh,
        );
        const rest = { tasks: 0, slotsInUse: 0 };
        assert.deepEqual(
          seen,
          fresh
            ? { tickets: 101, opens: 101, losses: 100, failures: 0, code: 1000, ...rest }
            : { tickets: 1, opens: 1, losses: 1, failures: 3, code: 1006, ...rest },
        );
      });
    }
  });
}
