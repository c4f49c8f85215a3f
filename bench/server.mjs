import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { atExit, killGroup } from '../e2e/processes.mjs';

/**
 * Starts a program and waits for its first line.
 *
 * @param {string} file
 * @param {string[]} args
 * @returns {Promise<{ line: string, stop: () => void }>}
 */
export async function start(file, args) {
  const child = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = atExit(() => killGroup(child.pid));
  const exit = once(child, 'exit').then(([code]) => {
    throw new Error(`${file} ended with ${code}`);
  });
  exit.catch(() => {}); // raced
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), exit]);
  return { line, stop };
}
