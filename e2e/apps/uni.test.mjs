/**
 * The uni-app app of examples/uni, built with and without the plugin, and served by uni's development server. A page of
 * it tries what the API documents; here is what it sees of uni's own connectSocket, and of ours.
 */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, startServe } from '../drive/server.mjs';
import { patience, useApp } from './app.mjs';

/** @import { Column, Table } from './app.mjs' */

const { directory, start, run, visit, visitWithout, compare } = useApp('uni', ['.vite']);

/** @type {Table} */
const table = {
  'close({code, reason}) reaches the server': { stock: '4001 enough', ours: '4001 enough' },
  'onClose gets the real {code, reason}': { stock: '4002 over {}', ours: '4002 over {"wasClean":true}' },
  'binary arrives as ArrayBuffer': { stock: 'ArrayBuffer', ours: 'ArrayBuffer' },
  'onOpen gets {header}': { stock: '{}', ours: '{header,profile}' },
  'onError gets {errMsg}': { stock: '{}', ours: '{errMsg}' },
  'a refused constructor calls fail and complete': {
    stock: 'fail true, complete',
    ours: 'fail true, complete',
  },
  'header and perMessageDeflate: false reach the server': {
    stock: /^not sent, extensions: permessage-deflate/,
    ours: 'the page, extensions: none',
  },
  timeout: { stock: 'ignored', ours: 'connectSocket:fail timeout' },
  'the promise is of the task': { stock: 'no: {errMsg}', ours: 'yes' },
  'the promise is usable at once': { stock: 'no', ours: 'yes' },
  'nothing lost before a handler is registered': { stock: '0 of 3', ours: '3 of 3' },
  'connections at once, where the plugin is given maxSockets: 6': {
    stock: 'no limit',
    ours: '6, then connectSocket:fail exceed max concurrent count 6',
  },
  'calls from node_modules, uni.connectSocket': { stock: '4003 goodbye', ours: '4003 goodbye' },
  'calls from node_modules, wx.connectSocket': { stock: '4003 goodbye', ours: '4003 goodbye' },
  'the global functions are for': { stock: 'the oldest task', ours: 'the newest task' },
  interceptors: { stock: 'success, 4006, option kept', ours: 'success, 4006, option kept' },
  'a handler that throws harms no other': { stock: 'complete, open', ours: 'reported, complete, open' },
  'slots always come back': { stock: '10 of 10 accepted', ours: '10 of 10 accepted' },
  'the global functions': {
    stock: 'open, message first, close, 4004',
    ours: 'open, message first, close, 4004',
  },
};

/** The app's configuration as an ES module, and the plugins the other way round. */
const moduleConfig = `
import uni from '@dcloudio/vite-plugin-uni';
import connectsocket from 'connectsocket/uni';

export default { plugins: [uni.default(), connectsocket({ maxSockets: 6, relay: '/relay' })] };
`;

/** The page that tries everything. */
const contract = (/** @type {string} */ query) => `/?${query}#/pages/contract/index`;

test('the plugin loads by import and by require, and says so where it does not know uni-app', async () => {
  const { default: plugin } = await import('connectsocket/uni');
  assert.equal(createRequire(import.meta.url)('connectsocket/uni'), plugin);
  assert.throws(() => plugin().transform('export {};', '/app/@dcloudio/uni-h5/dist/uni-h5.es.js'), {
    message: /^connectsocket\/uni does not work with this version of @dcloudio\/uni-h5: no hasCallback,/,
  });
});

test('the types', patience, async () => {
  await run('tsc', []);
});

for (const column of /** @type {Column[]} */ (['stock', 'ours'])) {
  for (const treeShaking of [true, false]) {
    const build = `${column}, tree shaking ${treeShaking ? 'on' : 'off'}`;
    test(`uni build, ${build}`, patience, async () => {
      const copy = join(directory, 'dist', build);
      rmSync(copy, { recursive: true, force: true });
      for (const part of ['package.json', 'tsconfig.json', 'vite.config.js', 'index.html', 'src'])
        cpSync(join(directory, part), join(copy, part), { recursive: true });
      const file = join(copy, 'src/manifest.json');
      const manifest = JSON.parse(readFileSync(file, 'utf8'));
      manifest.h5.optimization.treeShaking.enable = treeShaking;
      writeFileSync(file, JSON.stringify(manifest));
      if (column === 'ours' && !treeShaking) {
        rmSync(join(copy, 'vite.config.js'));
        writeFileSync(join(copy, 'vite.config.mjs'), moduleConfig);
      }
      await run('uni', ['build'], { STOCK: column === 'stock' ? '1' : '' }, copy);
      const built = join(copy, 'dist/build/h5');
      const server = await startServe({ dir: built });
      const said = ['message: hello', 'close: 4000 done'];
      try {
        await compare(table, column, server.url + contract(''), build);
        assert.deepEqual(await visit(server.url, talk), said);
        if (column === 'ours') assert.deepEqual(await visitWithout(built, server.url, talk), said);
        // The whole of uni is global where nothing is shaken off.
        if (!treeShaking) assert.deepEqual(await visit(server.url, intercept), intercepted);
      } finally {
        await server.close();
      }
    });
  }
}

test('uni', patience, async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await startServe();
  const development = start('uni', ['--host', '127.0.0.1', '--port', String(port)], {
    RELAY: `${server.url}/relay`,
  });
  try {
    await development.serves(url);
    await compare(table, 'ours', url + contract(`server=${server.echo}`), 'ours, development');
    const { headers } = await fetch(`${url}/node_modules/connectsocket/dist/connectsocket.wasm`);
    assert.equal(headers.get('content-type'), 'application/wasm');
  } finally {
    await development.stop();
    await server.close();
  }
});

const intercepted = ['invoke', 'success', 'open', '?mine&once', 'pending'];

/** Calls through interceptors for every function and for one, and returns what they have seen. */
async function intercept() {
  const { uni } = /** @type {any} */ (globalThis);
  while (!document.querySelector('.log')?.textContent?.includes('open')) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // the app's own connection
  }
  /** @type {string[]} */
  const seen = [];
  /** @type {string[]} */
  const opened = [];
  globalThis.WebSocket = class extends WebSocket {
    /** @param {string | URL} url @param {string | string[]} [protocols] */
    constructor(url, protocols) {
      super(url, protocols);
      opened.push(new URL(url).search);
    }
  };
  const interceptor = {
    invoke(/** @type {{ url: string }} */ option) {
      seen.push('invoke');
      option.url += '&once';
    },
    success: () => seen.push('success'),
  };
  uni.addInterceptor(interceptor);
  const task = uni.connectSocket({ url: `ws://${location.host}/echo?mine`, complete() {} });
  await new Promise((resolve) => task.onOpen(resolve));
  uni.removeInterceptor(interceptor);
  seen.push('open', ...opened);
  task.close({});
  uni.addInterceptor('sendSocketMessage', { invoke: () => false });
  const stopped = uni.sendSocketMessage({ data: 'never sent' });
  uni.removeInterceptor('sendSocketMessage');
  const pause = new Promise((resolve) => setTimeout(resolve, 50, 'pending'));
  seen.push(await Promise.race([stopped, pause]));
  return seen;
}

/** Uses the first page of the app: says hello, closes, and returns the lines that it shows then. */
async function talk() {
  /** @param {string} start of a line */
  const line = async (start) => {
    for (;;) {
      const lines = /** @type {HTMLElement | null} */ (document.querySelector('.log'))?.innerText.split('\n');
      const found = lines?.find((each) => each.startsWith(start));
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await line('open');
  const input = /** @type {HTMLInputElement} */ (document.querySelector('input'));
  input.value = 'hello';
  input.dispatchEvent(new Event('input', { bubbles: true }));
  await new Promise((resolve) => setTimeout(resolve)); // Vue renders
  const [send, close] = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('uni-button'));
  send.click();
  const message = await line('message');
  close.click();
  return [message, await line('close')];
}
