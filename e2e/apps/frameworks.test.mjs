/** Apps of Next and Nuxt with the package: built, started, rendered on the server, called there, and in Chromium. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { openEngine } from '../drive/engine.mjs';
import { install, root, run, shown, startProgram } from '../drive/project.mjs';
import { closeAfterTests, freePort, startServe } from '../drive/server.mjs';

/** @import { Engine } from '../drive/engine.mjs' */

const patience = { timeout: 600_000 }; // what has not come by then never will

const next = ['node_modules/next/dist/bin/next'];
const nuxt = ['node_modules/nuxt/bin/nuxt.mjs'];
// Next gives its server a WebSocket where Node has none.
const inNode =
  'WebSocket' in globalThis ? /^from the server$/ : /^connectSocket:fail there is no WebSocket here/;
const frameworks = {
  next15: { build: [...next, 'build'], start: [...next, 'start'], called: /^from the server$/ },
  next16: { build: [...next, 'build'], start: [...next, 'start'], called: /^from the server$/ },
  nuxt: { build: [...nuxt, 'build'], start: ['.output/server/index.mjs'], called: inNode },
};

const use = closeAfterTests();
/** @type {Engine} */
let chromium;
let echo = '';
before(async () => {
  chromium = await use(openEngine, 'chromium');
  ({ echo } = await use(startServe));
}, patience);

for (const [name, { build, start, called }] of Object.entries(frameworks)) {
  describe(name, () => {
    const cwd = join(root, 'e2e/apps', name);
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NUXT_TELEMETRY_DISABLED: '1' };
    let url = '';

    test('build and start', patience, async () => {
      await install(cwd);
      for (const output of ['.next', '.nuxt', '.output'])
        rmSync(join(cwd, output), { recursive: true, force: true });
      await run(process.execPath, build, { cwd, env });
      const port = String(await freePort());
      url = `http://127.0.0.1:${port}`;
      await use(startProgram, start, cwd, { ...env, HOST: '127.0.0.1', PORT: port }, url);
    });

    test('rendered on the server', patience, async () => {
      const html = await (await fetch(`${url}/?server=${echo}`)).text();
      assert.match(html, /<output data-kind="function"><\/output>/);
    });

    test('called on the server', patience, async () => {
      assert.match(await (await fetch(`${url}/call?server=${echo}`)).text(), called);
    });

    test('in a page', patience, async () => {
      const page = await chromium.newPage(`${url}/?server=${echo}`);
      assert.equal(await shown(page), 'from the page');
      await page.close();
    });
  });
}
