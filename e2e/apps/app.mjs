/** The apps of examples/ in their own tools, with the package as it is built here, and pages of theirs in Chromium. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openEngine } from '../drive/engine.mjs';
import { atExit, killGroup } from '../drive/processes.mjs';

/** @import { Engine } from '../drive/engine.mjs' */

/** Whose connectSocket a build has: the framework's own, or ours. @typedef {'stock' | 'ours'} Column */

/** What a page sees of each feature, by whose it is. @typedef {Record<string, Record<Column, string | RegExp>>} Table */

const root = fileURLToPath(new URL('../..', import.meta.url));

/** For a test of an app, in which its tools compile: what has not come by then never will. */
export const patience = { timeout: 600_000 };

/**
 * Gives the tests of a file an app of examples/, and Chromium.
 *
 * @param {string} name its directory there
 * @param {string[]} caches in its node_modules, of what its tools have bundled: they do not see that the package changed
 */
export function useApp(name, caches = []) {
  const directory = join(root, 'examples', name);
  const modules = join(directory, 'node_modules');
  /** @type {Engine} */
  let chromium;
  /** What was seen, by build. @type {Record<string, Record<string, string>>} */
  const seen = {};

  before(async () => {
    const copy = join(modules, 'connectsocket');
    assert.ok(existsSync(copy), `examples/${name} is not installed: make examples/${name}/node_modules`);
    // As installing has put it there; but npm leaves a copy alone when only its content has changed.
    const { files } = JSON.parse(readFileSync(join(root, 'web/package.json'), 'utf8'));
    rmSync(copy, { recursive: true, force: true });
    for (const file of [
      'package.json',
      ...files.filter((/** @type {string} */ file) => !file.startsWith('!')),
    ]) {
      cpSync(join(root, 'web', file), join(copy, file), { recursive: true });
    }
    for (const cache of caches) rmSync(join(modules, cache), { recursive: true, force: true });

    chromium = await openEngine('chromium');
  });

  after(async () => {
    await chromium?.close();
    for (const feature of new Set(Object.values(seen).flatMap(Object.keys))) {
      console.log(feature);
      for (const [build, { [feature]: words }] of Object.entries(seen)) {
        console.log(`  ${build.padEnd(26)} ${words}`);
      }
    }
  });

  /**
   * Starts a program of the app's node_modules.
   *
   * @param {string} program
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} [env] on top of this process's
   * @param {string} [cwd] the app's directory by default
   */
  function start(program, args, env, cwd = directory) {
    const child = spawn(join(modules, '.bin', program), args, {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    const end = atExit(() => killGroup(child.pid));
    const exited = once(child, 'close').then(([code]) => code);
    let gone = false;
    exited.then(() => (gone = true));
    return {
      exited,
      output: () => output,
      /**
       * Waits until the program serves a URL.
       * @param {string} url
       */
      async serves(url) {
        while (!(await fetch(url).catch(() => {}))?.ok) {
          assert.ok(!gone, output);
          await sleep(100);
        }
      },
      async stop() {
        end();
        await exited;
      },
    };
  }

  /**
   * Runs a program of the app's node_modules to its end, which must be a good one.
   *
   * @param {Parameters<typeof start>} args
   * @returns {Promise<string>} what it has written
   */
  async function run(...args) {
    const program = start(...args);
    assert.equal(await program.exited, 0, program.output());
    return program.output();
  }

  /**
   * Opens a page of the app and waits for what read returns. No exception may have been thrown by then.
   *
   * @template R
   * @param {string} url
   * @param {() => Promise<R>} read runs in the page
   */
  async function look(url, read) {
    const page = await chromium.newPage(url);
    try {
      for (;;) {
        try {
          const result = await page.evaluate(read);
          const messages = await page.console();
          assert.deepEqual(
            messages.filter(({ type }) => type === 'exception'),
            [],
          );
          return { result, messages };
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
   * Opens a page of the app and returns what read returns.
   *
   * @template R
   * @param {string} url
   * @param {() => Promise<R>} read runs in the page
   * @returns {Promise<R>}
   */
  const visit = async (url, read) => (await look(url, read)).result;

  /**
   * Visits the page that tries everything, and compares.
   *
   * @param {Table} table
   * @param {Column} column
   * @param {string} url of the page
   * @param {string} build its name in what is printed
   */
  async function compare(table, column, url, build) {
    const results = await visit(url, async () => {
      for (let n = 0; n < 1200 && !document.querySelector('.done'); n++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
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

  /**
   * Visits the app without its module: the framework's own connectSocket serves the calls, and the console says so.
   *
   * @template R
   * @param {string} built the folder that is served
   * @param {string} url
   * @param {() => Promise<R>} read runs in the page
   */
  async function visitWithout(built, url, read) {
    const modules = readdirSync(built, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.wasm'),
    );
    assert.equal(modules.length, 3, modules.join());
    for (const file of modules) rmSync(join(built, file));
    const { result, messages } = await look(url, read);
    const warnings = messages.filter(({ text }) => text.endsWith('the fallback serves the calls'));
    assert.equal(warnings.length, 1, JSON.stringify(messages));
    return result;
  }

  return { directory, start, run, visit, visitWithout, compare };
}
