/**
 * The examples of the documented API, word for word, in pages where Taro is what `install` makes of an object.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

// What is between these lines is the document's.
const example1 = `
Taro.connectSocket({
  url: 'wss://example.qq.com',
  header:{
    'content-type': 'application/json'
  },
  protocols: ['protocol1']
})
`;
const example2 = `
Taro.connectSocket({
  url: 'ws://echo.websocket.org/echo',
  success: function () {
    console.log('connect success')
  }
}).then(task => {
  task.onOpen(function () {
    console.log('onOpen')
    task.send({ data: 'xxx' })
  })
  task.onMessage(function (msg) {
    console.log('onMessage: ', msg)
    task.close()
  })
  task.onError(function () {
    console.log('onError')
  })
  task.onClose(function (e) {
    console.log('onClose: ', e)
  })
})
`;

// The hosts of the examples are elsewhere: the page's WebSocket leads them to the echo server. All else is real.
const redirect = (/** @type {string} */ echo) => `
  const Native = WebSocket;
  globalThis.urls = [];
  globalThis.WebSocket = class extends Native {
    constructor(url, protocols) {
      urls.push([url, protocols]);
      super(${JSON.stringify(echo)}, protocols);
    }
  };
  globalThis.lines = [];
  const log = console.log;
  console.log = (...args) => { lines.push(args); log(...args); };
`;

for (const name of engineNames) {
  describe(name, () => {
    const use = closeAfterTests();
    /** @type {import('./drive/engine.mjs').Engine} */
    let engine;
    let site = '';

    before(async () => {
      const serve = await use(startServe);
      /** @param {string} example */
      const page = (example) =>
        `<!doctype html><link rel="icon" href="data:,"><script>${redirect(serve.echo)}</script><script src="connectsocket.js"></script>
         <script>const Taro = connectSocket.install({});</script><script>${example}</script>`;
      ({ url: site } = await use(startSite, { '/1.html': page(example1), '/2.html': page(example2) }));
      engine = await use(openEngine, name);
    });

    test('example 1 connects with its subprotocol', { timeout: 30_000 }, async () => {
      const page = await engine.newPage(`${site}/1.html`);
      const got = await page.evaluate(`(async () => {
        while (connectSocket.stats().tasks === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        const opened = await new Promise((resolve) => connectSocket.install({}).onSocketOpen(resolve));
        return [urls, opened.header];
      })()`);
      assert.deepEqual(got, [
        [['wss://example.qq.com/', ['protocol1']]],
        { 'Sec-WebSocket-Protocol': 'protocol1' },
      ]);
      await page.close();
    });

    test('example 2 logs what the document says', { timeout: 30_000 }, async () => {
      const page = await engine.newPage(`${site}/2.html`);
      const lines = await page.evaluate(`(async () => {
        while (lines.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
        return lines;
      })()`);
      assert.deepEqual(lines, [
        ['connect success'],
        ['onOpen'],
        ['onMessage: ', { data: 'xxx' }],
        ['onClose: ', { code: 1000, reason: '', wasClean: true }],
      ]);
      await page.close();
    });
  });
}
