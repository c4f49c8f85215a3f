/**
 * The Taro app of examples/taro in builds of both of Taro's runners, with and without the plugin. A page of it tries
 * what the API documents; here is what it sees of Taro's own connectSocket, and of ours.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openEngine } from './engine.mjs';
import { atExit, killGroup } from './processes.mjs';
import { freePort, startServe } from './server.mjs';

/** @import { Engine, Page } from './engine.mjs' */
/** @typedef {'stock' | 'ours'} Column */

const root = fileURLToPath(new URL('..', import.meta.url));
const app = join(root, 'examples/taro');
const modules = join(app, 'node_modules');

/** @type {Record<string, Record<Column, string | RegExp>>} */
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

/** What was seen, by build. @type {Record<string, Record<string, string>>} */
const seen = {};

/** @type {Engine} */
let chromium;

before(async () => {
  assert.ok(
    existsSync(join(modules, '@tarojs/cli')),
    'examples/taro is not installed: npm ci --ignore-scripts --prefix examples/taro',
  );
  // As installing has put it there; but npm leaves a copy alone when only its content has changed.
  const copy = join(modules, 'connectsocket');
  const { files } = JSON.parse(readFileSync(join(root, 'web/package.json'), 'utf8'));
  rmSync(copy, { recursive: true, force: true });
  for (const file of [
    'package.json',
    ...files.filter((/** @type {string} */ name) => !name.startsWith('!')),
  ]) {
    cpSync(join(root, 'web', file), join(copy, file), { recursive: true });
  }
  for (const cache of ['.vite', '.taro']) rmSync(join(modules, cache), { recursive: true, force: true });

  chromium = await openEngine('chromium');
});

after(async () => {
  await chromium?.close();
  for (const feature of Object.keys(table)) {
    console.log(feature);
    for (const build of Object.keys(seen)) console.log(`  ${build.padEnd(18)} ${seen[build][feature]}`);
  }
});

/**
 * Starts a program.
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env] on top of this process's
 */
function start(program, args, env) {
  const child = spawn(program, args, {
    cwd: app,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  const end = atExit(() => killGroup(child.pid));
  const exited = once(child, 'close').then(([code]) => code);
  return {
    exited,
    output: () => output,
    async stop() {
      end();
      await exited;
    },
  };
}

/**
 * Starts Taro's compiler.
 * @param {string} compiler
 * @param {Column} column
 * @param {string} output where it writes to
 * @param {string[]} [args]
 * @param {NodeJS.ProcessEnv} [env]
 */
const taro = (compiler, column, output, args = [], env = {}) =>
  start(join(modules, '.bin/taro'), ['build', '--type', 'h5', ...args], {
    COMPILER: compiler,
    OUTPUT: output,
    STOCK: column === 'stock' ? '1' : '',
    ...env,
  });

/**
 * Opens a page of the app and waits for what read returns.
 * @template R
 * @param {string} url
 * @param {() => Promise<R>} read runs in the page
 * @returns {Promise<R>}
 */
async function visit(url, read) {
  const page = await chromium.newPage(url);
  try {
    for (;;) {
      try {
        const result = await page.evaluate(read);
        const exceptions = (await page.console()).filter(({ type }) => type === 'exception');
        assert.deepEqual(exceptions, []);
        return result;
      } catch (error) {
        // Vite in watch mode reloads a page when it has met new dependencies.
        if (!/navigat/.test(String(error))) throw error;
      }
    }
  } finally {
    await page.close();
  }
}

/**
 * Visits the page that tries everything, and compares.
 * @param {string} url of the app
 * @param {string} query
 * @param {Column} column
 * @param {string} build its name in what is printed
 */
async function compare(url, query, column, build) {
  const results = await visit(`${url}/?${query}#/pages/contract/index`, async () => {
    while (!document.querySelector('.done')) await new Promise((resolve) => setTimeout(resolve, 50));
    return [...document.querySelectorAll('.probe')].map(({ children: [name, words] }) => [
      String(name.textContent),
      String(words.textContent),
    ]);
  });
  seen[build] = Object.fromEntries(results);
  const expected = Object.entries(table).map(([feature, { [column]: want }]) => {
    const saw = seen[build][feature];
    return [feature, want instanceof RegExp && want.test(saw) ? saw : want];
  });
  assert.deepEqual(results, expected);
}

const patience = { timeout: 300_000 }; // what has not come by then never will

test('the types', patience, async () => {
  const tsc = start(join(modules, '.bin/tsc'), []);
  assert.equal(await tsc.exited, 0, tsc.output());
});

for (const compiler of ['webpack5', 'vite']) {
  for (const column of /** @type {Column[]} */ (['stock', 'ours'])) {
    test(`${compiler}, ${column}`, patience, async () => {
      const output = `dist/${compiler}-${column}`;
      const build = taro(compiler, column, output);
      assert.equal(await build.exited, 0, build.output());
      const server = await startServe({ dir: join(app, output) });
      try {
        await compare(server.url, '', column, `${compiler}, ${column}`);
        if (column === 'ours')
          assert.deepEqual(await visit(server.url, talk), ['message: hello', 'close: 4000 done']);
      } finally {
        await server.close();
      }
    });
  }

  test(`${compiler}, watch mode`, patience, async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const server = await startServe();
    const watch = taro(compiler, 'ours', `dist/${compiler}-watch`, ['--watch', '--port', String(port)], {
      RELAY: `${server.url}/relay`,
    });
    let gone = false;
    watch.exited.then(() => (gone = true));
    try {
      while (!(await fetch(url).catch(() => {}))?.ok) {
        assert.ok(!gone, watch.output());
        await sleep(100);
      }
      await compare(url, `server=${server.echo}`, 'ours', `${compiler}, watch`);
      // Taro says so, and goes on, where it cannot bundle packages beforehand.
      assert.doesNotMatch(watch.output(), /预编译失败/);
    } finally {
      await watch.stop();
      await server.close();
    }
  });
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
