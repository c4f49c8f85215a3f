/**
 * `make bench`: measures connectSocket and its peers beside the bare WebSocket, all in one run, and writes
 * bench/results. A whole run in Chromium also writes the tables of README.md and docs/speed.md. Options: --short for
 * fewer rounds and measures, --rounds N, --only REGEXP for some rows, --parts LIST of messages, start and memory,
 * --engine NAME for the short form in another engine (no memory).
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openEngine } from '../e2e/drive/engine.mjs';
import { buildAll, output } from './build.mjs';
import { Chromium } from './chromium.mjs';
import { measureMemory } from './memory.mjs';
import { report, showPages } from './report.mjs';
import { start, startRelay } from './server.mjs';
import { measureStart } from './start.mjs';
import { shuffled } from './statistics.mjs';
import { contestants, steps } from './steps.mjs';

const { values: args } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
    parts: { type: 'string', default: 'messages,start,memory' },
    engine: { type: 'string', default: 'chromium' },
  },
});
const short = args.short || args.engine !== 'chromium';
const rounds = Number(args.rounds ?? (args.short ? 3 : 9));
const parts = args.parts.split(',');

/** @param {string} text */
const progress = (text) => process.stderr.write(`${text}\n`);

progress('build');
const bytes = await buildAll();
const server = await start(join(output, 'server'), ['-dir', output]);
const origins = JSON.parse(server.line);
const relay = await startRelay(join(output, 'relay'), origins.loopback);
const ceiling = JSON.parse(execFileSync(join(output, 'ceiling'), [origins.loopback], { encoding: 'utf8' }));

/** @type {import('./report.mjs').Results} */
const results = { when: new Date().toISOString(), engine: '', rounds, bytes, ceiling, rows: {} };

/**
 * Notes what was measured.
 *
 * @param {string} contestant
 * @param {Record<string, number>} values
 */
function note(contestant, values) {
  for (const [row, value] of Object.entries(values)) {
    results.rows[row] ??= {};
    results.rows[row][contestant] ??= [];
    results.rows[row][contestant].push(value);
  }
}

/** Runs every step in every round, the contestants in turn. */
async function measureMessages(
  /** @type {{ evaluate(expression: string): Promise<any>, metrics?(): Promise<Record<string, number>> }[]} */ pages,
) {
  const chosen = steps
    .filter(({ name, option }) => RegExp(args.only).test(`${name} ${JSON.stringify(option)}`))
    .filter((step) => !short || step.short)
    .flatMap((step) => Array(step.turns ?? 1).fill(step));
  for (let round = 0; round < rounds; round++) {
    for (const { name, option, values } of chosen) {
      let line = '';
      for (const [i, contestant] of shuffled([...contestants.entries()])) {
        if (name === 'fake' && contestant === 'relayed') continue; // that is a socket without a relay
        const page = pages[i];
        const before = await page.metrics?.();
        const result = await page.evaluate(`measure(${JSON.stringify(name)}, ${JSON.stringify(option)})`);
        const after = await page.metrics?.();
        const cpu = before && after ? after.TaskDuration - before.TaskDuration : 0;
        const noted = values(result, cpu);
        note(contestant, noted);
        line += `  ${contestant} ${Object.values(noted)[0].toPrecision(4)}`;
      }
      progress(`round ${round + 1}/${rounds}  ${name} ${JSON.stringify(option)}${line}`);
    }
  }
}

/** @param {string} name */
const pageURL = (name) => {
  const query = new URLSearchParams({ contestant: name, relay: relay.url });
  // A site is a process. The relay's resolver may not know the hosts below localhost.
  const host = name === 'relayed' ? origins.loopback : `${name}.${origins.loopback}`;
  return `http://${host}/index.html?${query}`;
};

/**
 * An engine: open gives the page of a contestant, ready to measure; begin a page that begins to load.
 *
 * @typedef {object} Browser
 * @property {string} engine and its version
 * @property {(name: string) => Promise<any>} open
 * @property {(url: string) => Promise<import('./start.mjs').StartPage>} begin
 * @property {() => Promise<void>} close
 */

/** @returns {Promise<Browser>} */
async function openChromium() {
  const browser = new Chromium();
  const { product, jsVersion } = await browser.send('Browser.getVersion');
  return {
    engine: `${product}, V8 ${jsVersion}`,
    async open(name) {
      const page = await browser.open(pageURL(name));
      await page.until('globalThis.ready');
      return page;
    },
    begin: (url) => browser.open(url),
    close: browser.close,
  };
}

/** @param {string} engineName @returns {Promise<Browser>} */
async function openOther(engineName) {
  const engine = await openEngine(engineName);
  return {
    engine: engine.version,
    async open(name) {
      const page = await engine.newPage(pageURL(name).replace(`${name}.localhost`, 'localhost'));
      await page.evaluate('globalThis.ready');
      return page;
    },
    async begin(url) {
      const page = await engine.newPage(url);
      return {
        evaluate: (expression) => page.evaluate(expression),
        until: (expression) =>
          page.evaluate(`new Promise((resolve) => {
            const look = () => (${expression} ? resolve(${expression}) : setTimeout(look, 20));
            look();
          })`),
        close: () => page.close(),
      };
    },
    close: engine.close,
  };
}

const browser = args.engine === 'chromium' ? await openChromium() : await openOther(args.engine);
results.engine = browser.engine;
if (parts.includes('messages')) {
  const pages = [];
  for (const name of contestants) pages.push(await browser.open(name));
  await measureMessages(pages);
  for (const page of pages) await page.close();
}
if (parts.includes('start')) {
  await measureStart({ open: browser.begin, origins, rounds, short, note, progress });
}
if (parts.includes('memory') && args.engine === 'chromium') {
  results.memory = await measureMemory({
    open: browser.open,
    names: contestants,
    messages: short ? 100_000 : 1_000_000,
    progress,
  });
}
await browser.close();
server.stop();
relay.stop();
report(results);
if (!short && !args.only && parts.includes('messages') && parts.includes('start')) showPages(results);
process.exit();
