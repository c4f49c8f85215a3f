/**
 * A Taro app of examples/ in builds of its runners, and in watch mode, with and without the plugin. A page of it tries
 * what the API documents; here is what it sees of Taro's own connectSocket, and of ours.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, startServe } from '../drive/server.mjs';
import { patience, useApp } from './app.mjs';

/** @import { Column, Table } from './app.mjs' */

/** @type {Table} */
const table = {
  'close({code, reason}) reaches the server': { stock: '1005', ours: '4001 enough' },
  'onClose gets the real {code, reason}': {
    stock: '1006 abnormal closure {}',
    ours: '4002 over {"wasClean":true}',
  },
  'binary arrives as ArrayBuffer': { stock: 'Blob', ours: 'ArrayBuffer' },
  'onOpen gets {header}': { stock: 'an Event', ours: '{header,profile}' },
  'onError gets {errMsg}': { stock: 'an Event', ours: '{errMsg}' },
  'a refused constructor calls fail and complete': {
    stock: 'SyntaxError',
    ours: 'fail, complete, {errMsg}',
  },
  'header and perMessageDeflate: false reach the server': {
    stock: /^not sent, extensions: permessage-deflate/,
    ours: 'the page, extensions: none',
  },
  timeout: { stock: 'ignored', ours: 'connectSocket:fail timeout' },
  'returned value usable at once': { stock: 'no', ours: 'yes' },
  'nothing lost before a handler is registered': { stock: '0 of 3', ours: '3 of 3' },
  'connections at once, where the plugin is given maxSockets: 6': {
    stock: /^5, then /,
    ours: '6, then connectSocket:fail exceed max concurrent count 6',
  },
  'calls from node_modules, named import': { stock: '1005', ours: '4003 goodbye' },
  'calls from node_modules, Taro.connectSocket': { stock: /is not a function$/, ours: '4003 goodbye' },
  'the global functions': { stock: '1005', ours: 'open, message first, close, 4004' },
  'a handler that throws harms no other': { stock: 'rejected', ours: 'reported, complete, resolved' },
  'slots always come back': { stock: /^no more after a few: /, ours: '10 of 10 accepted' },
};

/** The page that tries everything. */
const contract = (/** @type {string} */ query) => `/?${query}#/pages/contract/index`;

/**
 * Registers the tests of an app.
 *
 * @param {string} name its directory
 * @param {Record<string, NodeJS.ProcessEnv[]>} compilers with the environments in which each is to watch
 */
export function testTaro(name, compilers) {
  const { directory, start, run, visit, visitWithout, compare } = useApp(name, ['.vite', '.taro']);

  /**
   * Arguments and environment of Taro's compiler.
   * @param {string} compiler
   * @param {Column} column
   * @param {string} output where it writes to
   * @param {string[]} [args]
   * @param {NodeJS.ProcessEnv} [env]
   * @returns {Parameters<typeof start>}
   */
  const taro = (compiler, column, output, args = [], env = {}) => [
    'taro',
    ['build', '--type', 'h5', ...args],
    { COMPILER: compiler, OUTPUT: output, STOCK: column === 'stock' ? '1' : '', ...env },
  ];

  test('the types', patience, async () => {
    await run('tsc', []);
  });

  for (const compiler of Object.keys(compilers)) {
    for (const column of /** @type {Column[]} */ (['stock', 'ours'])) {
      test(`${compiler}, ${column}`, patience, async () => {
        const output = `dist/${compiler}-${column}`;
        await run(...taro(compiler, column, output));
        const server = await startServe({ dir: join(directory, output) });
        try {
          await compare(table, column, server.url + contract(''), `${compiler}, ${column}`);
          if (column === 'stock') return;
          const said = ['message: hello', 'close: 4000 done'];
          assert.deepEqual(await visit(server.url, talk), said);
          // Taro's own invents what onClose gets: it is what close was given.
          assert.deepEqual(await visitWithout(join(directory, output), server.url, talk), said);
        } finally {
          await server.close();
        }
      });
    }

    for (const env of compilers[compiler]) {
      const build = ['watch', compiler, ...Object.keys(env)].join(', ');
      test(build, patience, async () => {
        const port = await freePort();
        const url = `http://127.0.0.1:${port}`;
        const server = await startServe();
        const watch = start(
          ...taro(compiler, 'ours', `dist/${build}`, ['--watch', '--port', String(port)], {
            RELAY: `${server.url}/relay`,
            ...env,
          }),
        );
        try {
          await watch.serves(url);
          await compare(table, 'ours', url + contract(`server=${server.echo}`), build);
          // Taro says so, and goes on, where it cannot bundle packages beforehand.
          assert.doesNotMatch(watch.output(), /预编译失败/);
        } finally {
          await watch.stop();
          await server.close();
        }
      });
    }
  }
}

/** Uses the first page of the app: says hello, closes, and returns the lines that it shows then. */
async function talk() {
  /** @param {string} start of a line */
  const line = async (start) => {
    for (;;) {
      const lines = document.querySelector('.log')?.textContent?.split('\n') ?? [];
      const found = lines.find((each) => each.startsWith(start));
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await line('open');
  const input = /** @type {HTMLInputElement} */ (document.querySelector('input'));
  input.value = 'hello';
  input.dispatchEvent(new Event('input', { bubbles: true }));
  await new Promise((resolve) => setTimeout(resolve)); // React renders
  const [send, close] = /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll('taro-button-core')
  );
  send.click();
  const message = await line('message');
  close.click();
  return [message, await line('close')];
}
