/**
 * The examples of the documentation are files of examples/ (docs.test.mjs compares them). Here each runs in every engine as it is,
 * except for the hosts, which lead to the development server, and the hashes, which are those of the built files.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, integrity, startServe, startSite } from './drive/server.mjs';

/** @import { Engine } from './drive/engine.mjs' */
/** @import { Answer } from './drive/server.mjs' */

const directory = new URL('../examples/', import.meta.url);
const files = readdirSync(directory, { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ name }) => ({ name, text: readFileSync(new URL(name, directory), 'utf8') }));

/** What each page logs. */
const logs = {
  'plain.html': ['hello', 'closed 3000 done'],
  'module.html': ['3', 'closed 1000'],
  'worker.html': ['from a worker'],
  'wx.html': ['as in WeChat', 'closed 1000'],
  'reconnect.html': ['subscribe, 0 times again', 'closed 1000'],
  'heartbeat.html': ['ping', 'closed 1000'],
  'websocket.html': ['as a WebSocket', 'closed 1000 true'],
  'early.html': ['closed 1000'],
  'header.html': ['websocket true', 'closed 1000'],
  'integrity.html': ['closed 1000'],
};

test('each page is run', () => {
  const pages = files.map(({ name }) => name).filter((name) => name.endsWith('.html'));
  assert.deepEqual(pages.sort(), Object.keys(logs).sort());
});

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Engine} */
    let engine;
    let site = '';
    const use = closeAfterTests();

    before(async () => {
      const serve = await use(startServe);
      /** @type {Record<string, Answer>} */
      const paths = {
        '/log.js': {
          body: 'globalThis.logged = []; const { log } = console; console.log = (...args) => { logged.push(args.join(" ")); log(...args); };',
        },
      };
      for (const { name, text } of files) {
        const body = text
          .replaceAll('wss://echo.example/', serve.echo)
          .replaceAll('wss://relay.example/relay', `${serve.url}/relay`)
          .replaceAll(/sha384-(connectsocket\.\w+)/g, (_, file) => integrity(file))
          .replace(
            '<!doctype html>',
            '<!doctype html><link rel="icon" href="data:,"><script src="log.js"></script>',
          );
        paths[`/${name}`] = { body };
      }
      ({ url: site } = await use(startSite, paths));
      engine = await use(openEngine, name);
    });

    for (const [file, lines] of Object.entries(logs)) {
      test(file, { timeout: 30_000 }, async () => {
        const page = await engine.newPage(`${site}/${file}`);
        /** @type {string[]} */
        let logged = [];
        while (logged.length < lines.length) {
          await sleep(20);
          logged = await page.evaluate('logged');
        }
        assert.deepEqual(logged, lines);
        await page.close();
      });
    }
  });
}
