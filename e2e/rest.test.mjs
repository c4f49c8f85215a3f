/**
 * The module arrives in two parts: what a page sees when the second comes late, not at all, or is another file.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { harness } from './contract.cases.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, dist, startServe, startSite } from './drive/server.mjs';

/** @import { Engine } from './drive/engine.mjs' */

const read = (/** @type {string} */ file) => readFileSync(join(dist, file));
const REST = 'connectsocket.rest.wasm';

/**
 * What runs before the script of the package: it withholds what is fetched in the background, as long as the page wants,
 * counts, and keeps the imports of the module.
 */
const hook = `{
  globalThis.requests = [];
  globalThis.withheld = true;
  const { fetch } = globalThis;
  globalThis.fetch = async (url, ...more) => {
    if (String(url).includes('.rest.')) {
      requests.push('background');
      while (withheld) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return fetch(url, ...more);
  };
  const { open } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method, url, ...more) {
    requests.push('at once');
    return open.call(this, method, url, ...more);
  };
  for (const name of ['instantiate', 'instantiateStreaming']) {
    const original = WebAssembly[name];
    WebAssembly[name] = (source, imports) => {
      globalThis.imports = imports;
      return original.call(WebAssembly, source, imports);
    };
  }
}`;

const page = `<!doctype html><script>${hook}</script><script src="connectsocket.js"></script>`;

const stale = read('connectsocket.js')
  .toString()
  .replaceAll(
    Buffer.from(JSON.parse(read('provenance.json').toString()).sha256[REST], 'hex').toString('base64'),
    'x'.repeat(43),
  );

const tampered = Buffer.from(read(REST));
tampered[tampered.length - 1] ^= 1;

const files = {
  '/index.html': page,
  '/none/index.html': page,
  '/none/connectsocket.js': { body: read('connectsocket.js'), type: 'text/javascript' },
  '/none/connectsocket.wasm': { body: read('connectsocket.wasm') },
  '/none/connectsocket.full.wasm': { body: read('connectsocket.full.wasm') },
  [`/none/${REST}`]: { status: 404, body: '' },
  '/tampered/index.html': page,
  '/tampered/connectsocket.js': { body: read('connectsocket.js'), type: 'text/javascript' },
  '/tampered/connectsocket.wasm': { body: read('connectsocket.wasm') },
  '/tampered/connectsocket.full.wasm': { body: read('connectsocket.full.wasm') },
  [`/tampered/${REST}`]: { body: tampered },
  '/stale/index.html': page,
  '/stale/connectsocket.js': { body: stale, type: 'text/javascript' },
  '/stale/connectsocket.wasm': { body: read('connectsocket.wasm') },
};

/** What pages do every day. */
const ordinary = `
  const { origin } = new URL(echo);
  await connectSocket.load({ relay: origin + '/relay', domains: [origin] });
  const one = connectSocket({ url: echo });
  const events = watch(one);
  await events.open;
  let left = 1000;
  const all = new Promise((resolve) => one.onMessage(() => --left === 0 && resolve()));
  for (let i = 0; i < 1000; i++) one.send({ data: i % 2 ? 'text' : new Uint8Array(8) });
  await all;
  const tasks = await Promise.all([1, 2, 3, 4].map(() => connectSocket({ url: echo })));
  const refused = await failure(connectSocket({ url: echo }));
  await Promise.all(tasks.map((task) => watch(task).open));
  tasks.forEach((task, i) => task.close({ code: 3000 + i, reason: 'bye' }));
  await Promise.all(tasks.map((task) => watch(task).close));
  for (const option of [undefined, {}, { url: 1 }, { url: 'ftp://a' }, { url: echo, protocols: ['a', 'a'] }, { url: 'wss://other.example' }])
    await failure(connectSocket(option));
  await failure(one.close({ code: 999 }));
  await failure(one.send({ data: 1 }));
  const again = connectSocket({ url: echo + '?code=1012', reconnect: { retries: 2, minDelay: 10 } });
  const back = watch(again);
  await back.open;
  again.close();
  await back.close;
  const relayed = connectSocket({ url: echo, header: { 'X-Any': 'a' }, heartbeat: { interval: 50, message: 'ping' } });
  const through = watch(relayed);
  await through.open;
  await relayed.send({ data: 'text' });
  await new Promise((resolve) => setTimeout(resolve, 200));
  relayed.close();
  await through.close;
  one.close();
  await events.close;
  const { restForced, restJoined } = connectSocket.stats();
  return [restForced, restJoined, requests.includes('at once')];
`;

for (const name of engineNames) {
  describe(name, () => {
    const use = closeAfterTests();
    /** @type {Engine} */
    let engine;
    let site = '';
    let echo = '';

    before(async () => {
      ({ echo } = await use(startServe));
      ({ url: site } = await use(startSite, files));
      engine = await use(openEngine, name);
    });

    /** @param {string} path @param {string} body */
    async function run(path, body) {
      const page = await engine.newPage(`${site}/${path}`);
      try {
        return await page.evaluate(
          `(async () => { const echo = ${JSON.stringify(echo)}; ${harness} ${body} })()`,
        );
      } finally {
        await page.close();
      }
    }

    test('ordinary use never waits for the rest', { timeout: 60_000 }, async () => {
      assert.deepEqual(await run('index.html', ordinary), [0, false, false]);
    });

    test('the rest is fetched after the first connection', { timeout: 60_000 }, async () => {
      const joined = `
        withheld = false;
        const events = watch(connectSocket({ url: echo }));
        await events.open;
        while (!connectSocket.stats().restJoined) await new Promise((resolve) => setTimeout(resolve, 20));
        return [connectSocket.stats().restForced, new Set(requests).size];`;
      assert.deepEqual(await run('index.html', joined), [0, 1]);
    });

    test('what is wanted before it is there is fetched at once, and no event comes meanwhile', {
      timeout: 60_000,
    }, async () => {
      const forced = `
        const task = connectSocket({ url: echo });
        const events = watch(task);
        await events.open;
        let got = 0;
        let during = 0;
        let waiting = false;
        task.onMessage(() => { got++; if (waiting) during++; });
        for (let i = 0; i < 500; i++) task.send({ data: 'text' });
        await new Promise((resolve) => setTimeout(resolve, 5));
        waiting = true;
        imports.gojs.load(0);
        waiting = false;
        while (got < 500) await new Promise((resolve) => setTimeout(resolve, 20));
        const { restForced, restJoined } = connectSocket.stats();
        return [during, restForced, restJoined, requests.filter((how) => how === 'at once').length];`;
      assert.deepEqual(await run('index.html', forced), [0, 1, true, 1]);
    });

    for (const [path, why] of [
      ['none/index.html', /rest of the module could not be had: .*answered 404$/],
      ['tampered/index.html', /rest of the module could not be had: .*its SHA-256 is another$/],
    ]) {
      test(`the module dies, and the next one is the plain module: ${path}`, {
        timeout: 60_000,
      }, async () => {
        const lost = `
          const task = connectSocket({ url: echo });
          const events = watch(task);
          await events.open;
          let thrown = '';
          try { imports.gojs.load(0); } catch (error) { thrown = error.message; }
          await events.close;
          const next = watch(connectSocket({ url: echo }));
          await next.open;
          return [thrown, events.seen.at(-1), connectSocket.stats().restJoined];`;
        const [thrown, last] = /** @type {[string, string]} */ (await run(String(path), lost));
        assert.match(thrown, /** @type {RegExp} */ (why));
        assert.match(last, /^close 1006/);
      });
    }

    test('a first part of another build is refused, in words', { timeout: 60_000 }, async () => {
      const refused = await run('stale/index.html', 'return failure(connectSocket({ url: echo }));');
      assert.match(String(refused), /is of another build than this script: serve the files of one build/);
    });
  });
}
