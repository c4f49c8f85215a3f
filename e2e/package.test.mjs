/**
 * The package as it is published: what is in the tarball; and the projects of fixtures/ with it installed, bundled
 * without configuration, in every engine.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import * as vite from 'vite';
import webpack from 'webpack';
import { engineNames, openEngine } from './drive/engine.mjs';
import {
  makeProject,
  pack,
  root,
  run,
  scratch,
  shown,
  viteBuild,
  viteDevelopment,
} from './drive/project.mjs';
import { closeAfterTests, startServe } from './drive/server.mjs';

/** @import { Engine } from './drive/engine.mjs' */

const bin = join(root, 'node_modules/.bin');

const patience = { timeout: 120_000 }; // what has not come by then never will

let tarball = '';
before(async () => {
  tarball = await pack();
}, patience);

describe('the tarball', () => {
  let directory = '';
  before(async () => {
    directory = join(scratch, 'npm/node_modules/connectsocket');
    const options = ['--offline', '--no-audit', '--no-fund', '--ignore-scripts'];
    await run('npm', ['install', tarball, '--prefix', join(scratch, 'npm'), ...options]);
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
      'classic/package.json',
      'dist/LICENSE.golang',
      'dist/cjs/classic.d.ts',
      'dist/cjs/classic.js',
      'dist/cjs/classic.js.map',
      'dist/cjs/connectsocket.d.ts',
      'dist/cjs/connectsocket.js',
      'dist/cjs/connectsocket.js.map',
      'dist/cjs/package.json',
      'dist/cjs/websocket.d.ts',
      'dist/cjs/websocket.js',
      'dist/cjs/websocket.js.map',
      'dist/cjs/wx.d.ts',
      'dist/cjs/wx.js',
      'dist/cjs/wx.js.map',
      'dist/classic.d.ts',
      'dist/connectsocket.bridge.js',
      'dist/connectsocket.bridge.js.map',
      'dist/connectsocket.d.ts',
      'dist/connectsocket.full.wasm',
      'dist/connectsocket.full.wasm.br',
      'dist/connectsocket.full.wasm.gz',
      'dist/connectsocket.js',
      'dist/connectsocket.js.map',
      'dist/connectsocket.mjs',
      'dist/connectsocket.mjs.map',
      'dist/connectsocket.rest.wasm',
      'dist/connectsocket.rest.wasm.br',
      'dist/connectsocket.rest.wasm.gz',
      'dist/connectsocket.wasm',
      'dist/connectsocket.wasm.br',
      'dist/connectsocket.wasm.gz',
      'dist/provenance.json',
      'dist/websocket.d.ts',
      'dist/websocket.mjs',
      'dist/websocket.mjs.map',
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
      'websocket/package.json',
      'wx/package.json',
    ]);
    assert.deepEqual(read('LICENSE'), readFileSync(join(root, 'LICENSE')));
  });

  test('has source maps with their sources', () => {
    for (const script of ['connectsocket.js', 'connectsocket.mjs', 'websocket.mjs', 'wx.mjs']) {
      const map = /\/\/# sourceMappingURL=(.+)\n$/.exec(read(`dist/${script}`).toString())?.[1];
      const { sources, sourcesContent } = json(`dist/${map}`);
      assert.ok(sources.length > 0, script);
      assert.equal(sourcesContent.filter(Boolean).length, sources.length, script);
    }
  });

  test('has scripts of 12 KB at most, compressed: a page waits for them', () => {
    for (const script of ['connectsocket.js', 'connectsocket.mjs']) {
      const { length } = brotliCompressSync(read(`dist/${script}`));
      assert.ok(length <= 12 * 1024, `${script} has ${length} bytes`);
    }
  });

  test('tells the provenance of the module', () => {
    const { version, go, flags, sha256 } = json('dist/provenance.json');
    assert.equal(version, json('package.json').version);
    assert.match(go, /^go version go1\./);
    assert.ok(flags.includes('-trimpath'));
    const names = Object.keys(sha256);
    assert.deepEqual(names, ['connectsocket.wasm', 'connectsocket.rest.wasm', 'connectsocket.full.wasm']);
    for (const name of names) {
      const hash = createHash('sha256').update(read(`dist/${name}`));
      assert.equal(sha256[name], hash.digest('hex'), name);
    }
  });

  test('has the module in two parts: the build had no doubt', () => {
    assert.equal(json('dist/provenance.json').refused, undefined);
  });

  test('publint', patience, async () => {
    const { buffer } = Uint8Array.from(readFileSync(tarball));
    const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
    // "browser" is for webpack 4, which cannot read the suggested condition in "exports".
    const unexpected = messages.filter(({ code }) => code !== 'USE_EXPORTS_BROWSER');
    assert.deepEqual(
      unexpected.map((message) => formatMessage(message, pkg)),
      [],
    );
  });

  test('arethetypeswrong', patience, async () => {
    // The module is no import, but a file that has a name.
    await run(join(bin, 'attw'), [
      tarball,
      '--exclude-entrypoints=wasm',
      '--exclude-entrypoints=rest',
      '--exclude-entrypoints=full',
      '--no-definitely-typed',
    ]);
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

/** @type {Record<string, Project>} */
const projects = {
  'a plain page': {
    fixture: 'plain',
    serve: (directory) => startServe({ dir: directory }),
    pages: { 'index.html': 'from a script', 'module.html': 'from a module' },
  },
  Vite: { fixture: 'vite', serve: (directory) => viteBuild(vite, directory), pages: { '': 'from Vite' } },
  'Vite in development': {
    fixture: 'vite',
    serve: (directory) => viteDevelopment(vite, directory),
    pages: { '': 'from Vite', 'url.html': 'by its URL' },
  },
  webpack: {
    fixture: 'webpack',
    serve: (directory) => webpackBuild(directory, './main.js'),
    pages: { '': 'from webpack' },
  },
  'a worker with Vite': {
    fixture: 'worker',
    serve: (directory) => viteBuild(vite, directory),
    pages: { '': 'from a worker' },
  },
  'a worker with Vite in development': {
    fixture: 'worker',
    serve: (directory) => viteDevelopment(vite, directory),
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
      urls[name] = (await use(serve, await makeProject(fixture, name))).url;
    });
  }

  test('Vite: types', patience, async () => {
    const options =
      '--ignoreConfig --noEmit --strict --target esnext --module esnext --moduleResolution bundler';
    await run(join(bin, 'tsc'), [...options.split(' '), join(scratch, 'Vite/main.ts')]);
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
