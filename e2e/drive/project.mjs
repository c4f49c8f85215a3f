/** Projects that have the package installed as it is published. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { atExit, killGroup } from './processes.mjs';
import { startServe } from './server.mjs';

/** @import { AddressInfo } from 'node:net' */
/** @import { HttpServer } from 'vite' */
/** @import { Page } from './engine.mjs' */

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where the projects of a test file are; it goes when the process does. */
export const scratch = mkdtempSync(join(tmpdir(), 'connectsocket-projects-'));
atExit(() => rmSync(scratch, { recursive: true, force: true }));

/** Finds the tools of tools/, which are older or newer than those that this repository is built with. */
export const tools = createRequire(join(root, 'e2e/tools/package.json'));

/**
 * Runs a program in scratch, or elsewhere, and returns what it writes.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').ExecFileOptions} [options]
 * @throws {Error} with all that it wrote, when it fails.
 */
export async function run(program, args, options) {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: scratch, ...options });
    return `${stdout}${stderr}`;
  } catch (error) {
    const { message, stdout } = /** @type {any} */ (error); // the message ends with stderr
    throw new Error(`${message}\n${stdout}`);
  }
}

/** @type {Promise<string> | undefined} */
let packed;

/** Packs the package, once. @returns {Promise<string>} its tarball */
export function pack() {
  packed ??= promisify(execFile)('npm', [
    'pack',
    join(root, 'web'),
    '--json',
    '--pack-destination',
    scratch,
  ]).then(({ stdout }) => join(scratch, JSON.parse(stdout)[0].filename));
  return packed;
}

/**
 * Puts the package into a directory's node_modules, as npm would.
 *
 * @param {string} directory
 */
export async function install(directory) {
  const target = join(directory, 'node_modules/connectsocket');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  await run('tar', ['-xzf', await pack(), '-C', target, '--strip-components=1']);
}

/**
 * Makes a project of fixtures/ with the package installed.
 *
 * @param {string} fixture
 * @param {string} [name] of its directory in scratch
 * @returns {Promise<string>} the directory
 */
export async function makeProject(fixture, name = fixture) {
  const directory = join(scratch, name);
  cpSync(join(root, 'e2e/fixtures', fixture), directory, { recursive: true });
  await install(directory);
  return directory;
}

/**
 * Builds a project by Vite and serves what that writes.
 *
 * @param {typeof import('vite')} vite
 * @param {string} directory
 */
export async function viteBuild(vite, directory) {
  await vite.build({ root: directory, logLevel: 'error' });
  return startServe({ dir: join(directory, 'dist') });
}

/**
 * Serves a project by Vite's development server.
 *
 * @param {typeof import('vite')} vite
 * @param {string} directory
 */
export async function viteDevelopment(vite, directory) {
  const echo = await startServe();
  const server = await vite.createServer({
    root: directory,
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, proxy: { '/echo': { target: echo.url, ws: true } } },
  });
  await server.listen();
  const { port } = /** @type {AddressInfo} */ (/** @type {HttpServer} */ (server.httpServer).address());
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      await server.close();
      await echo.close();
    },
  };
}

/**
 * Starts a server by a script of Node, and waits until it answers.
 *
 * @param {string[]} args
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} env
 * @param {string} url of the server
 */
export async function startProgram(args, cwd, env, url) {
  const child = spawn(process.execPath, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const exited = once(child, 'exit');
  const end = atExit(() => killGroup(child.pid));
  while (!(await fetch(url).catch(() => {}))) {
    if (child.exitCode !== null) throw new Error(`${args.join(' ')} ended:\n${output}`);
    await sleep(100);
  }
  return {
    async close() {
      end();
      await exited;
    },
  };
}

/**
 * Waits for what a page shows.
 *
 * @param {Page} page
 * @throws {Error} for what nothing caught there.
 */
export async function shown(page) {
  for (;;) {
    const complaints = (await page.console()).filter(
      ({ type, text }) => type === 'exception' || (type === 'error' && !/Failed to load resource/.test(text)),
    );
    if (complaints.length > 0) throw new Error(complaints.map(({ text }) => text).join('\n'));
    try {
      const text = await page.evaluate(() => document.querySelector('output')?.textContent);
      if (text) return text;
    } catch (error) {
      // Vite in development reloads a page when it has met new dependencies.
      if (!/navigat|Execution context/.test(String(error))) throw error;
    }
    await sleep(50);
  }
}
