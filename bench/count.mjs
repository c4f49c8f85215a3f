/**
 * Counts the instructions that V8 runs for one message received, also by a task with a heartbeat, one sent and one
 * look at readyState: the cost of the hot path without the clock, the same from run to run to a percent or so, whatever
 * else the machine does. Valgrind counts; the difference between a long and a short run leaves start, compilation and
 * warming up out.
 *
 * Usage: node bench/count.mjs [--wasm FILE] prints one line an operation in the format of Go's benchmarks, for
 * benchstat; FILE is another module than that of web/dist.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { requireExecutable } from '../e2e/drive/processes.mjs';

const dist = fileURLToPath(new URL('../web/dist/', import.meta.url));
const { values, positionals } = parseArgs({
  options: { wasm: { type: 'string', default: `${dist}connectsocket.wasm` } },
  allowPositionals: true,
});

/** What stands in for the browser's WebSocket: listeners are called as they are. */
class Socket {
  /** @type {Record<string, (event: object) => void>} */
  listeners = {};
  readyState = 1;
  protocol = '';

  /** @param {string} kind @param {(event: object) => void} listener */
  addEventListener(kind, listener) {
    this.listeners[kind] = listener;
  }
  removeEventListener() {}
  send() {}
  close() {}
}

/**
 * @param {string} operation
 * @param {number} count
 */
async function run(operation, count) {
  /** @type {any} */
  let socket;
  Object.assign(globalThis, {
    location: { href: 'http://localhost/' },
    WebSocket: class extends Socket {
      constructor() {
        super();
        socket = this;
      }
    },
  });
  const { load, connectSocket } = await import(`${dist}connectsocket.mjs`);
  await load({
    wasm: new Response(readFileSync(values.wasm), { headers: { 'Content-Type': 'application/wasm' } }),
  });
  const heartbeat = operation === 'ReceiveWithHeartbeat' ? { message: 'ping' } : undefined;
  const task = await connectSocket({ url: 'ws://localhost/', heartbeat });
  let received = 0;
  task.onMessage(() => received++);
  socket.listeners.open.call(socket, {});
  await new Promise((resolve) => setTimeout(resolve));
  const event = { data: 'x'.repeat(64) };
  const receive = () => socket.listeners.message.call(socket, event);
  /** @type {Record<string, () => void>} */
  const operations = {
    Receive: receive,
    ReceiveWithHeartbeat: receive,
    Send: () => task.send(event),
    ReadyState: () => task.readyState,
  };
  const f = operations[operation];
  for (let i = 0; i < count; i += 1000) {
    for (let j = 0; j < 1000; j++) f();
    await undefined;
  }
  if (f === receive && received !== count) throw new Error(`${received} of ${count} received`);
}

/**
 * @param {string} operation
 * @param {number} count
 */
function instructions(operation, count) {
  const script = fileURLToPath(import.meta.url);
  const told = execFileSync(
    requireExecutable('/usr/bin/valgrind', 'valgrind'),
    [
      '--tool=cachegrind',
      '--cache-sim=no',
      '--cachegrind-out-file=/dev/null',
      '--log-fd=1',
      process.execPath,
      // Compiled once, by the optimizing compiler, when first called: the count does not depend on tiers.
      '--single-threaded',
      '--no-liftoff',
      '--wasm-lazy-compilation',
      script,
      operation,
      String(count),
      '--wasm',
      values.wasm,
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const refs = /I\s+refs:\s+([\d,]+)/.exec(told);
  if (!refs) throw new Error(`no count in: ${told}`);
  return Number(refs[1].replaceAll(',', ''));
}

const [operation, count] = positionals;
if (operation) {
  await run(operation, Number(count));
  process.exit();
}
const base = 100_000;
const more = 200_000;
for (const name of ['Receive', 'ReceiveWithHeartbeat', 'Send', 'ReadyState']) {
  const each = (instructions(name, base + more) - instructions(name, base)) / more;
  console.log(`BenchmarkHotPath/${name} ${more} ${each.toFixed(0)} instructions/op`);
}
