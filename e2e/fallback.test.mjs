/**
 * Calls that the page's fallback serves, in every engine: why it is asked, what is carried over to it, and what it is not
 * asked for.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { Engine } from './drive/engine.mjs' */

/** A connectSocket as frameworks have it, in a file for the sake of pages with a policy. */
const other = `
  globalThis.asked = [];
  globalThis.made = 0;
  globalThis.WebSocket = class extends WebSocket {
    constructor(...given) { super(...given); made++; }
  };
  function other(option) {
    asked.push(option);
    if (option.url.includes('refused')) return Promise.reject({ errMsg: 'connectSocket:fail not here' });
    const ws = new WebSocket(option.url, option.protocols);
    ws.binaryType = 'arraybuffer';
    return Promise.resolve({
      get readyState() { return ws.readyState; },
      send({ data, success, fail }) {
        try { ws.send(data); success(); } catch (error) { fail({ errMsg: 'sendSocketMessage:fail ' + error.name }); }
      },
      close({ code = 1000, reason, success }) { ws.close(code, reason); success(); },
      onOpen(f) { ws.addEventListener('open', () => f({})); },
      onMessage(f) { ws.addEventListener('message', ({ data }) => f({ data })); },
      onError(f) { ws.addEventListener('error', () => f({ errMsg: 'lost' })); },
      onClose(f) { ws.addEventListener('close', ({ code, reason }) => f({ code, reason })); },
    });
  }
`;

const page = (/** @type {string} */ head) =>
  `<!doctype html><link rel="icon" href="data:,"><script src="other.js"></script>${head}`;
const script = '<script src="page.js"></script><script src="connectsocket.js"></script>';

/** @type {Record<string, import('./drive/server.mjs').Answer>} */
const paths = {
  '/other.js': { body: other },
  '/page.js': {
    body: 'globalThis.connectsocketOptions = { fallback: other, ...globalThis.more };',
  },
  '/without.html': page(`<script src="without.js"></script>${script}`),
  '/without.js': { body: 'delete globalThis.WebAssembly;' },
  '/forbidden.html': {
    body: page(script),
    header: { 'Content-Security-Policy': "script-src 'self'; connect-src *" },
  },
  '/missing.html': page(`<script src="missing.js"></script>${script}`),
  '/missing.js': { body: `globalThis.more = { wasm: 'missing.wasm' };` },
  '/mistaken.html': page(`<script src="mistaken.js"></script>${script}`),
  '/mistaken.js': { body: `globalThis.more = { wasm: 'other.js' };` },
  '/domains.html': page(`<script src="without.js"></script><script src="domains.js"></script>${script}`),
  '/domains.js': { body: `globalThis.more = { domains: ['ws://a.example'] };` },
  '/working.html': page(`<script src="instances.js"></script>${script}`),
  '/instances.js': {
    body: `
      globalThis.modules = [];
      const { instantiate, instantiateStreaming } = WebAssembly;
      const noted = async (promise, imports) => {
        const result = await promise;
        const { exports } = result.instance ?? result;
        if (exports.event) modules.push({ exports, imports });
        return result;
      };
      WebAssembly.instantiate = (from, imports) => noted(instantiate(from, imports), imports);
      WebAssembly.instantiateStreaming = (from, imports) => noted(instantiateStreaming(from, imports), imports);`,
  },
  '/wrong.html': page(`<script src="wrong.js"></script>${script}`),
  '/wrong.js': { body: `globalThis.more = { fallback: 'other' };` },
};

/** Uses one task in all ways, from the line after the call on. */
const use = `
  const before = made;
  const seen = [];
  const note = (what) => (res) => seen.push(what + ' ' + res.errMsg);
  connectSocket.install(globalThis.family = {});
  family.onSocketOpen(() => seen.push('global open'));
  const task = connectSocket({ url: echo, protocols: ['chat'], success: note('success'), complete: note('complete') });
  task.onOpen(() => seen.push('open ' + task.readyState));
  const early = task.send({ data: 'early' }).catch(({ errMsg }) => seen.push('early ' + errMsg));
  const awaited = await task;
  await early;
  while (task.readyState === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await family.sendSocketMessage({ data: 'one', success: note('sent') });
  await awaited.send({ data: new Uint8Array([2]) });
  await awaited.send({ data: 5 }).catch(({ errMsg }) => seen.push(errMsg));
  await new Promise((resolve) => setTimeout(resolve, 200)); // both have come back, and are held
  const messages = [];
  const both = new Promise((resolve) => awaited.onMessage(({ data }) => {
    messages.push(typeof data === 'string' ? data : data.byteLength);
    if (messages.length === 2) resolve();
  }));
  await both;
  const closed = new Promise((resolve) => task.onClose(({ code, reason }) => resolve(code + ' ' + reason)));
  await awaited.close({ code: 4001, reason: 'enough' });
  seen.push(await closed, task.readyState, task.socketTaskId > 0, connectSocket.stats().tasks);
  const late = await task.send({ data: 'late' }).catch(({ errMsg }) => errMsg);
  return { seen, messages, late, made: made - before, asked: asked.map(({ url, protocols }) => [url === echo, protocols]) };
`;

const used = {
  seen: [
    'success connectSocket:ok',
    'complete connectSocket:ok',
    'early sendSocketMessage:fail InvalidStateError',
    'open 1',
    'global open',
    'sent sendSocketMessage:ok',
    'SocketTask.send:fail parameter error: parameter.data should be String or ArrayBuffer instead of Number',
    '4001 enough',
    3,
    true,
    0,
  ],
  messages: ['one', 1],
  late: 'SocketTask.send:fail SocketTask.readyState is not OPEN',
  made: 1,
  asked: [[true, ['chat']]],
};

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Engine} */
    let engine;
    const where = { site: '', echo: '' };
    const open = closeAfterTests();

    before(async () => {
      ({ echo: where.echo } = await open(startServe));
      ({ url: where.site } = await open(startSite, paths));
      engine = await open(openEngine, name);
    });

    /**
     * @param {string} path
     * @param {string} body of an async function of echo
     * @returns {Promise<{ got: any, warnings: string[] }>}
     */
    async function inPage(path, body) {
      const page = await engine.newPage(`${where.site}/${path}`);
      try {
        const got = await page.evaluate(`(async (echo) => { ${body} })(${JSON.stringify(where.echo)})`);
        const warnings = (await page.console())
          .map(({ text }) => text)
          .filter((text) => text.includes('fallback'));
        return { got, warnings };
      } finally {
        await page.close();
      }
    }

    for (const [title, path, why] of /** @type {const} */ ([
      ['no WebAssembly', 'without.html', /this page has no WebAssembly/],
      ['a policy that forbids it', 'forbidden.html', /Content-Security-Policy forbids WebAssembly/],
      ['a module that is not there', 'missing.html', /missing\.wasm answered 404/],
      ['another file in its place', 'mistaken.html', /other\.js is not WebAssembly/],
    ])) {
      test(`${title}: the fallback serves the call, and keeps what it was given`, {
        timeout: 60_000,
      }, async () => {
        const { got, warnings } = await inPage(path, use);
        assert.deepEqual(got, used);
        assert.equal(warnings.length, 1, warnings.join('\n'));
        assert.match(warnings[0], why);
      });
    }

    test('a module that has died three times', { timeout: 60_000 }, async () => {
      const { got, warnings } = await inPage(
        'working.html',
        `for (let i = 0; i < 4; i++) {
          const task = await connectSocket({ url: echo });
          await new Promise((resolve) => task.onOpen(resolve));
          const { exports, imports } = modules[i];
          new DataView(exports.mem.buffer).setInt32(8, 1, true);
          imports.gojs['runtime.wasmExit'](0);
          await new Promise((resolve) => task.onClose(resolve));
        }
        if (asked.length > 0) throw new Error('it was asked while a module could start');
        ${use}`,
      );
      assert.deepEqual(got, used);
      assert.equal(warnings.length, 1, warnings.join('\n'));
      assert.match(warnings[0], /the module has died/);
    });

    test('what the fallback refuses is reported', { timeout: 60_000 }, async () => {
      const { got } = await inPage(
        'without.html',
        `const seen = [];
         const task = connectSocket({ url: 'ws://refused.example/', fail: ({ errMsg }) => seen.push(errMsg) });
         task.onError(({ errMsg }) => seen.push('error ' + errMsg));
         const code = await new Promise((resolve) => task.onClose(({ code }) => resolve(code)));
         return [...seen, code, await task.then(() => 'accepted', ({ errMsg }) => errMsg)];`,
      );
      const told = 'connectSocket:fail not here';
      assert.deepEqual(got, [told, `error ${told}`, 1006, told]);
    });

    test('it is not asked for a call that is wrong, and gets the URL that goes out', {
      timeout: 60_000,
    }, async () => {
      const { got } = await inPage(
        'without.html',
        `const told = [];
         for (const option of [undefined, {}, { url: 1 }, { url: 'ftp://x' }, { url: echo, protocols: 1 }])
           told.push(await connectSocket(option).then(() => 'accepted', ({ errMsg }) => errMsg));
         await connectSocket({ url: ' ' + echo.replace('ws:', 'HTTP:') });
         return [told, asked.map(({ url }) => url === echo)];`,
      );
      assert.deepEqual(got, [
        [
          'connectSocket:fail parameter error: parameter should be Object instead of Undefined',
          'connectSocket:fail parameter error: parameter.url should be String instead of Undefined',
          'connectSocket:fail parameter error: parameter.url should be String instead of Number',
          'connectSocket:fail this page has no WebAssembly',
          'connectSocket:fail parameter error: parameter.protocols should be Array instead of Number',
        ],
        [true],
      ]);
    });

    test('the global functions are for the newest of its tasks that is not closed', {
      timeout: 60_000,
    }, async () => {
      const { got } = await inPage(
        'without.html',
        `const { sendSocketMessage, closeSocket, onSocketClose } = connectSocket;
         const seen = [];
         onSocketClose(({ code }) => seen.push('global ' + code));
         const tasks = [];
         for (const name of ['a', 'b']) {
           const task = await connectSocket({ url: echo });
           await new Promise((resolve) => task.onOpen(resolve));
           task.onMessage(({ data }) => seen.push(name + ' ' + data));
           tasks.push(task);
         }
         await tasks[1].close({ code: 'x' }).catch(({ errMsg }) => seen.push(errMsg, tasks[1].readyState));
         await tasks[1].close({ code: 1001 }).catch(({ errMsg }) => seen.push(errMsg.split(' ')[0])); // the other refuses
         const closed = new Promise((resolve) => tasks[1].onClose(resolve));
         closeSocket({ code: 4001 });
         await sendSocketMessage({ data: 'hello' });
         await closed;
         while (!seen.includes('a hello')) await new Promise((resolve) => setTimeout(resolve, 10));
         return seen.sort();`,
      );
      assert.deepEqual(got, [
        1,
        'a hello',
        'closeSocket:fail',
        'closeSocket:fail parameter error: parameter.code should be Number instead of String',
        'global 4001',
      ]);
    });

    test('it is not asked for what the page does not allow, nor where a setting is wrong', {
      timeout: 60_000,
    }, async () => {
      const attempt = `return [asked.length, await connectSocket({ url: echo }).then(() => 'accepted', ({ errMsg }) => errMsg), asked.length];`;
      const none = 'this page has no WebAssembly';
      assert.deepEqual((await inPage('domains.html', attempt)).got, [0, `connectSocket:fail ${none}`, 0]);
      const wrong = 'fallback should be a function instead of other';
      assert.deepEqual((await inPage('wrong.html', attempt)).got, [0, `connectSocket:fail ${wrong}`, 0]);
    });

    test('a page whose module works does not ask it', { timeout: 60_000 }, async () => {
      const { got, warnings } = await inPage(
        'working.html',
        `const task = await connectSocket({ url: echo });
         await new Promise((resolve) => task.onOpen(resolve));
         await task.close();
         return asked.length;`,
      );
      assert.equal(got, 0);
      assert.deepEqual(warnings, []);
    });
  });
}
