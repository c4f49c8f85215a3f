import { constants as access, accessSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

/** @type {Set<() => void>} */
const pending = new Set();

process.on('exit', () => {
  for (const end of pending) end();
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}

/**
 * Keeps end to be called when this process exits first: by an exception, by process.exit, or by SIGINT, SIGTERM,
 * SIGHUP or SIGQUIT, which importing this file turns into an exit with 128 plus the signal's number. Only SIGKILL
 * leaves things behind.
 *
 * @param {() => void} end works synchronously and does not throw.
 * @returns {() => void} calls end now and forgets it; does nothing when called again.
 */
export function atExit(end) {
  pending.add(end);
  return () => {
    if (pending.delete(end)) end();
  };
}

/**
 * Kills a process group at once. One that is gone already is no error.
 *
 * @param {number | undefined} leader process id of a child that was spawned with detached: true; undefined, as of a
 *   child that did not start, does nothing.
 */
export function killGroup(leader) {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (err) {
    if (/** @type {NodeJS.ErrnoException} */ (err).code !== 'ESRCH') throw err;
  }
}

/**
 * Makes the directory in which one engine keeps its profile, caches and temporary files.
 *
 * @param {string} engine its name, which becomes part of the directory's.
 * @returns {{path: string, env: NodeJS.ProcessEnv, remove: () => void}} env is this process's environment with HOME and
 *   TMPDIR there, and English as the language; remove waits, for at most a second, for files that dying processes still write.
 */
export function makeHome(engine) {
  const path = mkdtempSync(join(tmpdir(), `connectsocket-${engine}-`));
  return {
    path,
    // The pages under test speak the browser's language, which WebKit takes from here.
    env: { ...process.env, HOME: path, TMPDIR: path, LC_ALL: 'C', LANGUAGE: 'en' },
    remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 }),
  };
}

/**
 * Looks for an executable.
 *
 * @param {string} path
 * @param {string} debianPackage that installs it.
 * @returns {string} path
 * @throws {Error} naming the package, when path is not there or is not executable.
 */
export function requireExecutable(path, debianPackage) {
  try {
    accessSync(path, access.X_OK);
  } catch (cause) {
    throw new Error(`${path} is missing: apt-get install ${debianPackage}`, { cause });
  }
  return path;
}
