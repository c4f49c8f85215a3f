import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { atExit, requireExecutable } from './processes.mjs';
import { freePort } from './server.mjs';

/**
 * Starts Debian's MQTT broker, open to anyone on this machine, on free ports.
 *
 * @returns {Promise<{ mqtt: number, websockets: number, close: () => Promise<void> }>} the ports of MQTT over TCP and
 *   over WebSockets; close resolves when the process has ended
 */
export async function startMosquitto() {
  const program = requireExecutable('/usr/sbin/mosquitto', 'mosquitto');
  const [mqtt, websockets] = [await freePort(), await freePort()];
  const directory = mkdtempSync(join(tmpdir(), 'connectsocket-mosquitto-'));
  const remove = atExit(() => rmSync(directory, { recursive: true, force: true }));
  const config = join(directory, 'mosquitto.conf');
  writeFileSync(
    config,
    `user root
allow_anonymous true
log_dest stderr
listener ${mqtt} 127.0.0.1
listener ${websockets} 127.0.0.1
protocol websockets
`,
  );
  const child = spawn(program, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const forget = atExit(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const close = async () => {
    child.kill('SIGTERM');
    await exited;
    forget();
    remove();
  };
  const lines = createInterface(child.stderr);
  let log = '';
  const running = new Promise((resolve) => {
    lines.on('line', (line) => {
      log += `${line}\n`;
      if (/ running$/.test(line)) resolve(true);
    });
  });
  if (!(await Promise.race([running, exited.then(() => false)]))) {
    await close();
    throw new Error(`mosquitto did not start:\n${log}`);
  }
  return { mqtt, websockets, close };
}
