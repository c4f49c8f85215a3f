/**
 * The soak: a great many connections open and close; then five tasks exchange numbered and checked messages with a
 * server, two of them through the relay and all with a heartbeat, while the network between fails at random and the page reconnects,
 * each time with another ticket. Nothing may be lost, doubled, reordered or changed while a connection lives, and nothing may grow.
 *
 *   node e2e/faults/soak.mjs [--messages N] [--cycles N] [--engine NAME] [--seed N] [--tls]
 *
 * It writes its samples to e2e/artifacts/soak.json, and exits with 1 if anything was wrong.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { census } from '../census.mjs';
import { openEngine } from '../drive/engine.mjs';
import { startSite } from '../drive/server.mjs';
import { startFaults } from './server.mjs';
import { soakPage } from './soak.page.mjs';

const { values: flags } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' }, // of each task
    cycles: { type: 'string', default: '1000' },
    engine: { type: 'string', default: 'chromium' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
    tls: { type: 'boolean', default: false },
  },
});
const messages = Number(flags.messages);
const cycles = Number(flags.cycles);

/**
 * A sample of what may not grow.
 *
 * @typedef {object} Sample
 * @property {number} seconds since the begin
 * @property {number} answered messages, of all tasks
 * @property {number} cycles
 * @property {number} slots of the table, free or not
 * @property {number} values which Go refers to
 * @property {number} timers of the package that wait
 * @property {number} listeners of the package, without those of WebSockets
 * @property {number} memory of the module, in bytes
 * @property {number} heap of the page's JavaScript, in bytes; 0 where the engine does not tell
 * @property {number} goroutines of the server and the relay
 * @property {number} serverHeap in bytes
 */

let state = Number(flags.seed);
/** Pseudo-random numbers from 0 to 1: a linear congruential generator (Numerical Recipes, 2nd ed., section 7.1). */
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
/**
 * @template T
 * @param {T[]} list
 */
const pick = (list) => list[Math.floor(random() * list.length)];

const scheme = flags.tls ? 'wss' : 'ws';
const faults = await startFaults({ tls: flags.tls });
const site = await startSite(
  {
    '/': `<!doctype html><link rel="icon" href="data:,"><script>(${census})();</script><script src="connectsocket.js" data-relay="${scheme}://${faults.at.relay}/relay"></script><script src="soak.js"></script>`,
    '/soak.js': `(${soakPage})();`,
  },
  { tls: flags.tls },
);
const engine = await openEngine(flags.engine);
const page = await engine.newPage(site.url);
await page.evaluate(() => connectSocket.ready);
const idle = (await faults.stats()).goroutines;
const began = Date.now();
/** @type {Sample[]} */
const samples = [];
let disturbed = 0;
/** @type {any} */
let progress;

/** Takes a sample and shows how far it is. */
async function sample() {
  progress = await page.evaluate(() => /** @type {any} */ (globalThis).progress());
  const server = await faults.stats();
  progress.wrong.push(...server.wrong);
  const { slots, values, timers, listeners, memory, heap, lanes = [], cycles: cycled = 0 } = progress;
  const seconds = Math.round((Date.now() - began) / 100) / 10;
  const sum = (/** @type {string} */ name) =>
    lanes.reduce((/** @type {number} */ n, /** @type {any} */ lane) => n + lane[name], 0);
  const answered = sum('answered');
  samples.push({
    ...{ seconds, answered, cycles: cycled, slots, values, timers, listeners, memory, heap },
    ...{ goroutines: server.goroutines, serverHeap: server.heap },
  });
  console.log(
    `${seconds.toFixed(0).padStart(5)} s  ${answered} of ${5 * messages} messages, ${sum('connections')} connections, ` +
      `${sum('tickets')} tickets, ${sum('beats')} heartbeats, ${disturbed} faults, ${sum('lost')} on the way when lost; ${cycled} of ${cycles} cycles; ` +
      `${slots} slots, ${values} values, ${timers} timers, ${listeners} listeners, ${memory / 2 ** 20} MiB, ${server.goroutines} goroutines; ${progress.wrong.length} wrong`,
  );
}

/**
 * Samples until a promise is fulfilled.
 *
 * @param {Promise<unknown>} promise
 */
async function watch(promise) {
  let over = false;
  const end = promise.finally(() => {
    over = true;
  });
  while (!over) {
    await sample();
    await Promise.race([end, sleep(Math.min(5000, 500 + samples.length * 50))]);
  }
  await end;
  await sample();
}

const toxics = [
  { type: 'reset_peer', attributes: { timeout: 0 } },
  { type: 'timeout', attributes: { timeout: 0 } }, // silence; its end closes
  { type: 'timeout', attributes: { timeout: 100 } },
  { type: 'limit_data', attributes: { bytes: 50_000 } },
  { type: 'slicer', attributes: { average_size: 20, size_variation: 10, delay: 10 } },
  { type: 'latency', attributes: { latency: 30, jitter: 30 } },
  { type: 'bandwidth', attributes: { rate: 200 } },
];

/**
 * Disturbs the network now and then, until it is stopped.
 *
 * @param {AbortSignal} signal
 */
async function disturb(signal) {
  while (!signal.aborted) {
    await sleep(500 + random() * 3000);
    if (signal.aborted) break;
    const proxy = pick(['server', 'relay']);
    disturbed++;
    if (random() < 0.15) await faults.enable(proxy, false);
    else await faults.poison(proxy, { ...pick(toxics), stream: pick(['upstream', 'downstream']) });
    await sleep(100 + random() * 700);
    await faults.heal();
  }
}

console.log(`seed ${flags.seed}, ${engine.version}, ${scheme}`);
await watch(
  page.evaluate(
    (...args) => /** @type {any} */ (globalThis).runCycles(...args),
    `${scheme}://${faults.at.server}`,
    cycles,
  ),
);
const stop = new AbortController();
const disturbing = disturb(stop.signal);
const option = { url: `${scheme}://${faults.at.toxic}/checked` };
const options = Array.from({ length: 5 }, (_, i) => (i < 3 ? option : { ...option, relay: 'always' }));
await watch(page.evaluate((...args) => /** @type {any} */ (globalThis).runLanes(...args), options, messages));
stop.abort();
await disturbing;
// The relay and the proxies end their connections in their own time: one that has fallen silent is pinged after a minute, and
// given up after another.
for (let tries = 0; samples[samples.length - 1].goroutines > idle + 4 && tries < 30; tries++) {
  await sleep(5000);
  await sample();
}

// Whose goroutines they are.
const goroutines = await (await fetch(`${faults.at.control}/goroutines`)).text();
const last = samples[samples.length - 1];
/** @type {string[]} */
const failures = [...new Set(/** @type {string[]} */ (progress.wrong))];
if (progress.tasks + progress.slotsInUse > 0)
  failures.push(`${progress.tasks} tasks and ${progress.slotsInUse} slots remain`);
// One for the page's coming online and one for its being seen, once some task reconnects.
if (last.timers > 0 || last.listeners > 2)
  failures.push(`${last.timers} timers and ${last.listeners} listeners remain`);
if (progress.mostTimers < 5) failures.push('the timers of the package are not counted');
for (const { connections, tickets } of progress.lanes)
  if (tickets < connections - 1) failures.push(`${tickets} tickets for ${connections} connections`);
// Go's first collection comes with some 2,500 calls: what the page's values and the module's memory rise to until then
// is where they stay.
const warm = samples.findIndex(({ cycles }) => cycles >= 10_000);
if (warm < 0) console.log('too few cycles to tell what grows: 10000 are enough');
for (const name of warm < 0 ? [] : /** @type {const} */ (['slots', 'values', 'memory'])) {
  const peak = (/** @type {Sample[]} */ of) => Math.max(...of.map((sample) => sample[name]));
  const [before, then] = [peak(samples.slice(0, warm + 1)), peak(samples.slice(warm))];
  if (then > before * 1.1 + 8) failures.push(`${name} grew from ${before} to ${then}`);
}
if (last.goroutines > idle + 4) failures.push(`goroutines grew from ${idle} to ${last.goroutines}`);

const out = fileURLToPath(new URL('../artifacts/soak.json', import.meta.url));
mkdirSync(dirname(out), { recursive: true });
const result = {
  ...{ engine: engine.version, scheme, seed: Number(flags.seed), messages, cycles, faults: disturbed },
  ...{ lanes: progress.lanes, idle, failures, samples },
};
writeFileSync(out.replace('soak.json', 'goroutines.txt'), goroutines);
writeFileSync(out, `${JSON.stringify(result, null, 1)}\n`);
await engine.close();
await site.close();
await faults.close();
console.log(failures.length > 0 ? failures.slice(0, 20).join('\n') : `nothing was wrong; ${out}`);
process.exitCode = failures.length > 0 ? 1 : 0;
