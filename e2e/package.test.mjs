/**
 * The package as it is published: what is in the tarball; and the projects of fixtures/ with it installed, bundled
 * without configuration, in every engine.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import * as vite from 'vite';
import webpack from 'webpack';
import { engineNames, openEngine } from './engine.mjs';
import { atExit } from './processes.mjs';
import { closeAfterTests, startServe } from './server.mjs';

/** @import { AddressInfo } from 'node:net' */
/** @import { Engine, Page } from './engine.mjs' */

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const scratch = mkdtempSync(join(tmpdir(), 'connectsocket-package-'));
const clean = atExit(() => rmSync(scratch, { recursive: true, force: true }));
after(clean);

const patience = { timeout: 120_000 }; // what has not come by then never will

/**
 * Runs a program and returns what it writes; what it writes when it fails is the error's message.
 * @param {string} program
 * @param {string[]} args
 */
async function run(program, ...args) {
  try {
    return (await promisify(execFile)(program, args, { cwd: scratch })).stdout;
  } catch (error) {
    const { message, stdout, stderr } = /** @type {any} */ (error);
    throw new Error(`${message}\n${stdout}${stderr}`);
  }
}

let tarball = '';
before(async () => {
  const [{ filename }] = JSON.parse(
    await run('npm', 'pack', join(root, 'web'), '--json', '--pack-destination', scratch),
  );
  tarball = join(scratch, filename);
}, patience);

/**
 * Makes a project of fixtures/ with the package installed.
 * @param {string} fixture
 * @param {string} [name]
 * @returns {Promise<string>} its directory
 */
async function install(fixture, name = fixture) {
  const directory = join(scratch, name);
  cpSync(join(root, 'e2e/fixtures', fixture), directory, { recursive: true });
  await run(
    'npm',
    'install',
    tarball,
    '--prefix',
    directory,
    '--offline',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
  );
  return directory;
}

describe('the tarball', () => {
  let directory = '';
  before(async () => {
    directory = join(await install('plain', 'tarball'), 'node_modules/connectsocket');
  }, patience);

  const read = (/** @type {string} */ file) => readFileSync(join(directory, file));
  const json = (/** @type {string} */ file) => JSON.parse(read(file).toString());

  test('holds what it should and nothing else', () => {
    const files = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ path, name }) => join(path, name).slice(directory.length + 1));
    assert.deepEqual(files.sort(), [
      'LICENSE',
      'README.md',
      'dist/LICENSE.golang',
      'dist/classic.d.ts',
      'dist/connectsocket.bridge.js',
      'dist/connectsocket.bridge.js.map',
      'dist/connectsocket.d.ts',
      'dist/connectsocket.js',
      'dist/connectsocket.js.map',
      'dist/connectsocket.mjs',
      'dist/connectsocket.mjs.map',
      'dist/connectsocket.wasm',
      'dist/connectsocket.wasm.br',
      'dist/connectsocket.wasm.gz',
      'dist/provenance.json',
      'dist/wx.d.ts',
      'dist/wx.mjs',
      'dist/wx.mjs.map',
      'package.json',
      'taro/api.mjs',
      'taro/index.d.ts',
      'taro/index.js',
      'taro/package.json',
      'uni/api.mjs',
      'uni/index.d.ts',
      'uni/index.js',
      'uni/package.json',
    ]);
    assert.deepEqual(read('LICENSE'), readFileSync(join(root, 'LICENSE')));
  });

  test('has source maps with their sources', () => {
    for (const script of ['connectsocket.js', 'connectsocket.mjs', 'wx.mjs']) {
      const map = /\/\/# sourceMappingURL=(.+)\n$/.exec(read(`dist/${script}`).toString())?.[1];
      const { sources, sourcesContent } = json(`dist/${map}`);
      assert.ok(sources.length > 0, script);
      assert.equal(sourcesContent.filter(Boolean).length, sources.length, script);
    }
  });

  test('tells the provenance of the module', () => {
    const { version, go, flags, sha256 } = json('dist/provenance.json');
    assert.equal(version, json('package.json').version);
    assert.match(go, /^go version go1\./);
    assert.ok(flags.includes('-trimpath'));
    assert.equal(sha256, createHash('sha256').update(read('dist/connectsocket.wasm')).digest('hex'));
  });

  test('publint', patience, async () => {
    const { buffer } = Uint8Array.from(readFileSync(tarball));
    const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg)),
      [],
    );
  });

  test('arethetypeswrong', patience, async () => {
    // The module is no import, but a file that has a name.
    await run(
      join(bin, 'attw'),
      tarball,
      '--profile=esm-only',
      '--exclude-entrypoints=wasm',
      '--no-definitely-typed',
    );
  });
});

/**
 * A project, and how it comes to be served.
 *
 * @typedef {object} Project
 * @property {string} fixture
 * @property {(directory: string) => Promise<{ url: string, close: () => Promise<void> }>} serve builds and serves it
 * @property {Record<string, string>} pages what each shows
 */

/** @param {string} directory */
async function viteBuild(directory) {
  await vite.build({ root: directory, logLevel: 'error' });
  return startServe({ dir: join(directory, 'dist') });
}

/** @param {string} directory */
async function viteDevelopment(directory) {
  const echo = await startServe();
  const server = await vite.createServer({
    root: directory,
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, proxy: { '/echo': { target: echo.url, ws: true } } },
  });
  await server.listen();
  const { port } = /** @type {AddressInfo} */ (/** @type {vite.HttpServer} */ (server.httpServer).address());
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      await server.close();
      await echo.close();
    },
  };
}

/**
 * @param {string} directory
 * @param {string} entry
 */
async function webpackBuild(directory, entry) {
  const path = join(directory, 'dist');
  const compiler = webpack({
    mode: 'production',
    context: directory,
    entry,
    output: { path },
    performance: false, // no warning of the module's size
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  assert.ok(stats && !stats.hasErrors() && !stats.hasWarnings(), stats?.toString());
  cpSync(join(directory, 'index.html'), join(path, 'index.html'));
  return startServe({ dir: path });
}

/**
 * Waits for what a page shows.
 * @param {Page} page
 */
async function shown(page) {
  for (;;) {
    const complaints = (await page.console()).filter(({ type }) => type === 'exception' || type === 'error');
    assert.deepEqual(complaints, []);
    try {
      const text = await page.evaluate(() => document.querySelector('output')?.textContent);
      if (text) return text;
    } catch (error) {
      // Vite in development reloads a page when it has met new dependencies.
      if (!/navigat/.test(String(error))) throw error;
    }
    await sleep(50);
  }
}

/** @type {Record<string, Project>} */
const projects = {
  'a plain page': {
    fixture: 'plain',
    serve: (directory) => startServe({ dir: directory }),
    pages: { 'index.html': 'from a script', 'module.html': 'from a module' },
  },
  Vite: { fixture: 'vite', serve: viteBuild, pages: { '': 'from Vite' } },
  'Vite in development': {
    fixture: 'vite',
    serve: viteDevelopment,
    pages: { '': 'from Vite', 'url.html': 'by its URL' },
  },
  webpack: {
    fixture: 'webpack',
    serve: (directory) => webpackBuild(directory, './main.js'),
    pages: { '': 'from webpack' },
  },
  'a worker with Vite': { fixture: 'worker', serve: viteBuild, pages: { '': 'from a worker' } },
  'a worker with Vite in development': {
    fixture: 'worker',
    serve: viteDevelopment,
    pages: { '': 'from a worker' },
  },
  'a worker with webpack': {
    fixture: 'worker',
    serve: (directory) => webpackBuild(directory, './main.js'),
    pages: { '': 'from a worker' },
  },
};

describe('installed in', () => {
  /** @type {Record<string, string>} */
  const urls = {};
  const use = closeAfterTests();

  for (const [name, { fixture, serve }] of Object.entries(projects)) {
    test(name, patience, async () => {
      urls[name] = (await use(serve, await install(fixture, name))).url;
    });
  }

  test('Vite: types', patience, async () => {
    const options =
      '--ignoreConfig --noEmit --strict --target esnext --module esnext --moduleResolution bundler';
    await run(join(bin, 'tsc'), ...options.split(' '), join(scratch, 'Vite/main.ts'));
  });

  for (const engineName of engineNames) {
    describe(engineName, () => {
      const use = closeAfterTests();
      /** @type {Engine} */
      let engine;
      before(async () => {
        engine = await use(openEngine, engineName);
      }, patience);

      for (const [name, { pages }] of Object.entries(projects)) {
        for (const [path, text] of Object.entries(pages)) {
          test(`${name} ${path}`.trim(), patience, async () => {
            const page = await engine.newPage(`${urls[name]}/${path}`);
            try {
              assert.equal(await shown(page), text);
            } finally {
              await page.close();
            }
          });
        }
      }
    });
  }
});
