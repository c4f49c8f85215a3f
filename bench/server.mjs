import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit, killGroup } from '../e2e/drive/processes.mjs';
import { freePort } from '../e2e/drive/server.mjs';

/**
 * Starts a program, to be ended with this one or by stop.
 *
 * @param {string} file
 * @param {string[]} args
 */
function launch(file, args) {
  const child = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = atExit(() => killGroup(child.pid));
  const exit = once(child, 'exit').then(([code]) => {
    throw new Error(`${file} ended with ${code}`);
  });
  exit.catch(() => {}); // raced
  return { child, stop, exit };
}

/**
 * Starts a program and waits for its first line.
 *
 * @param {string} file
 * @param {string[]} args
 * @returns {Promise<{ line: string, stop: () => void }>}
 */
export async function start(file, args) {
  const { child, stop, exit } = launch(file, args);
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), exit]);
  return { line, stop };
}

/**
 * Starts a relay and waits until it is ready.
 *
 * @param {string} file
 * @param {string} upstream host:port that it leads to
 * @returns {Promise<{ url: string, stop: () => void }>}
 */
export async function startRelay(file, upstream) {
  const address = `127.0.0.1:${await freePort()}`;
  const args = ['-listen', address, '-metrics', '', '-allow', upstream, '-origin', '*', '-log-level', 'warn'];
  const { stop, exit } = launch(file, args);
  const isReady = () => fetch(`http://${address}/readyz`).catch(() => undefined);
  while (!(await Promise.race([isReady(), exit]))?.ok) await sleep(20);
  return { url: `ws://${address}/relay`, stop };
}
