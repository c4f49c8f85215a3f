/** The package in bundles and development servers of the tools that people have, in Chromium. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';
import webpack from 'webpack';
import { openEngine } from './drive/engine.mjs';
import { makeProject, shown, tools, viteBuild, viteDevelopment } from './drive/project.mjs';
import { closeAfterTests, startServe } from './drive/server.mjs';

/** @import { Engine } from './drive/engine.mjs' */

const patience = { timeout: 120_000 }; // what has not come by then never will

const use = closeAfterTests();
/** @type {Engine} */
let chromium;
before(async () => {
  chromium = await use(openEngine, 'chromium');
}, patience);

/**
 * Opens a page and returns what it shows.
 * @param {{ url: string }} server
 * @param {string} [path]
 */
async function visit({ url }, path = '') {
  const page = await chromium.newPage(`${url}/${path}`);
  try {
    return await shown(page);
  } finally {
    await page.close();
  }
}

/** Copies the module's files from a project to where pages can fetch them. @param {string} project @param {string} to */
function copyModule(project, to) {
  const from = join(project, 'node_modules/connectsocket/dist');
  for (const file of readdirSync(from)) if (file.endsWith('.wasm')) cpSync(join(from, file), join(to, file));
}

for (const name of ['vite5', 'vite6', 'vite7']) {
  describe(name, () => {
    /** @type {any} */
    let vite;
    before(async () => {
      const { exports } = JSON.parse(readFileSync(tools.resolve(`${name}/package.json`), 'utf8'));
      const file = exports['.'].import?.default ?? exports['.'].import ?? exports['.'];
      vite = await import(pathToFileURL(join(tools.resolve(`${name}/package.json`), '..', file)).href);
    });

    test('build', patience, async () => {
      const server = await use(viteBuild, vite, await makeProject('vite', `${name}-build`));
      assert.equal(await visit(server), 'from Vite');
    });

    test('development', patience, async () => {
      const server = await use(viteDevelopment, vite, await makeProject('vite', `${name}-development`));
      assert.equal(await visit(server), 'from Vite');
    });

    test('development, where the package is not in the node_modules of the app', patience, async () => {
      const workspace = await makeProject('vite', `${name}-workspace`);
      const app = join(workspace, 'app');
      mkdirSync(app);
      for (const file of ['index.html', 'main.ts', 'package.json'])
        renameSync(join(workspace, file), join(app, file));
      writeFileSync(join(workspace, 'package.json'), '{ "private": true, "workspaces": ["app"] }');
      const server = await use(viteDevelopment, vite, app);
      const words = await visit(server);
      const line = /add to the app: (.+)$/.exec(words)?.[1];
      assert.equal(
        line,
        "import { load } from 'connectsocket'; import wasm from 'connectsocket/wasm?url'; load({ wasm });",
        words,
      );
      writeFileSync(join(app, 'line.js'), line);
      const page = readFileSync(join(app, 'index.html'), 'utf8');
      const [script] = /<script.*/.exec(page) ?? assert.fail(page);
      writeFileSync(
        join(app, 'line.html'),
        page.replace(script, script.replace('main.ts', 'line.js') + script),
      );
      assert.equal(await visit(server, 'line.html'), 'from Vite');
    });
  });
}

/**
 * Builds fixtures/bundler by webpack or Rspack.
 * @param {string} name of the tool
 * @param {string} entry
 * @param {string} directory
 * @returns {Promise<string>} the directory of what it has built
 */
async function bundle(name, entry, directory) {
  const tool = name === 'webpack' ? webpack : tools(name);
  const path = join(directory, 'dist');
  const compiler = (tool.rspack ?? tool)({
    mode: 'production',
    context: directory,
    entry: `./${entry}`,
    output: { path, filename: 'main.js', publicPath: '/' },
    performance: false, // no warning of the module's size
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  if (compiler.close) await promisify(compiler.close.bind(compiler))();
  assert.ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString());
  cpSync(join(directory, 'index.html'), join(path, 'index.html'));
  return path;
}

for (const [name, entry] of [
  ['webpack', 'require.js'],
  ['rspack1', 'main.js'],
  ['rspack1', 'require.js'],
  ['rspack2', 'main.js'],
  ['rspack2', 'require.js'],
]) {
  test(`${name}, ${entry}`, patience, async () => {
    const dir = await bundle(name, entry, await makeProject('bundler', `${name}-${entry}`));
    assert.equal(await visit(await use(startServe, { dir })), 'echoed');
  });
}

/** What an error says where the tool has not put out the module. */
const COPY =
  /connectsocket\.wasm answered 404.*; copy the \.wasm files from node_modules\/connectsocket\/dist to where pages can fetch them, and add to the app: import \{ load \} from 'connectsocket'; load\(\{ wasm: '\/connectsocket\.wasm' \}\);$/;

test('webpack4', patience, async () => {
  const project = await makeProject('bundler', 'webpack4');
  const dir = await bundle('webpack4', 'main.js', project);
  const server = await use(startServe, { dir });
  assert.match(await visit(server), COPY);
  copyModule(project, dir);
  assert.equal(await visit(server), 'echoed');
});

test('webpack4 with the line that the error names', patience, async () => {
  const project = await makeProject('bundler', 'webpack4-url');
  const dir = await bundle('webpack4', 'url.js', project);
  copyModule(project, dir);
  assert.equal(await visit(await use(startServe, { dir })), 'echoed');
});

describe('esbuild', () => {
  /**
   * @param {string} name
   * @param {string} entry
   * @param {esbuild.BuildOptions} options
   */
  async function build(name, entry, options) {
    const project = await makeProject('bundler', name);
    const dir = join(project, 'dist');
    await esbuild.build({
      absWorkingDir: project,
      entryPoints: { main: `./${entry}` },
      bundle: true,
      outdir: dir,
      logLevel: 'error',
      ...options,
    });
    const html = readFileSync(join(project, 'index.html'), 'utf8');
    writeFileSync(join(dir, 'index.html'), html.replace('<script', '<script type="module"'));
    return { project, dir, server: await use(startServe, { dir }) };
  }

  test('a module', patience, async () => {
    const { project, dir, server } = await build('esbuild', 'main.js', { format: 'esm' });
    assert.match(await visit(server), COPY);
    copyModule(project, dir);
    assert.equal(await visit(server), 'echoed');
  });

  test('a script, which does not know its URL', patience, async () => {
    const { server } = await build('esbuild-iife', 'main.js', { format: 'iife' });
    assert.match(
      await visit(server),
      /this script does not know its own URL; copy the \.wasm files from .* add to the app: .*load\(\{ wasm: '\/connectsocket\.wasm' \}\);$/,
    );
  });

  test('a script with the line that the error names', patience, async () => {
    const { project, dir, server } = await build('esbuild-url', 'url.js', { format: 'iife' });
    copyModule(project, dir);
    assert.equal(await visit(server), 'echoed');
  });

  test('with its loader of files', patience, async () => {
    const { server } = await build('esbuild-file', 'file.js', {
      format: 'esm',
      loader: { '.wasm': 'file' },
      publicPath: '/',
    });
    assert.equal(await visit(server), 'echoed');
  });
});
