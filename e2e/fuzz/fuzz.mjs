/**
 * The long form of the fuzzer, and what it shares with the short one.
 *
 *   node e2e/fuzz/fuzz.mjs [--programs N] [--engine NAME] [--seed N] [--path PATH]
 *
 * It exits with 1 if a program failed, which is then among the regressions, shrunk. --seed with --path runs that
 * program again.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { openEngine } from '../drive/engine.mjs';
import { startSite } from '../drive/server.mjs';

/** @import { Page } from '../drive/engine.mjs' */
/** @import { Program } from './program.mjs' */

/**
 * A program that failed.
 *
 * @typedef {object} Failure
 * @property {number} seed
 * @property {string} path of fast-check
 * @property {string[]} problems
 * @property {Program} program
 */

const regressions = new URL('regressions/', import.meta.url);

/**
 * Reads the programs that have failed once: with the product, or with one that was broken on purpose, to keep what finds
 * that soon.
 *
 * @returns {Array<{ name: string, problems: string[], program: Program }>}
 */
export function readRegressions() {
  const names = readdirSync(regressions).filter((name) => name.endsWith('.json'));
  return names
    .sort()
    .map((name) => ({ name, ...JSON.parse(readFileSync(new URL(name, regressions), 'utf8')) }));
}

/**
 * Keeps a program that has failed.
 *
 * @param {Failure} failure
 * @returns {string} the file's path
 */
export function keep(failure) {
  mkdirSync(regressions, { recursive: true });
  const file = new URL(`seed-${failure.seed}-${failure.path.split(':')[0]}.json`, regressions);
  writeFileSync(file, `${JSON.stringify(failure, null, 2)}\n`);
  return fileURLToPath(file);
}

/**
 * Serves the page of the fuzzer, bundled, and the built package.
 *
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function startFuzz() {
  /** @param {string} name */
  const bundle = async (name) => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL(`${name}.mjs`, import.meta.url))],
      bundle: true,
      minify: true,
      write: false,
      format: 'iife',
      target: 'es2022',
      logLevel: 'warning',
    });
    return { body: outputFiles[0].text, type: 'text/javascript' };
  };
  const head = '<!doctype html><link rel="icon" href="data:,">';
  return startSite({
    '/': `${head}<body><script src="page.js"></script><script>
      globalThis.ready = WebAssembly.compileStreaming(fetch('connectsocket.wasm')).then((module) => { globalThis.module = module; });
    </script>`,
    '/frame': `${head}<script src="frame.js"></script><script type="module" src="connectsocket.mjs"></script>`,
    '/page.js': await bundle('page'),
    '/frame.js': await bundle('frame'),
  });
}

/**
 * Opens the fuzzer's page.
 *
 * @param {import('../drive/engine.mjs').Engine} engine
 * @param {string} url of startFuzz
 * @returns {Promise<Page>}
 */
export async function openFuzz(engine, url) {
  const page = await engine.newPage(url);
  await page.evaluate('ready');
  return page;
}

/**
 * Runs a program.
 *
 * @param {Page} page
 * @param {Program} program
 * @returns {Promise<string[]>} what was wrong
 */
export const replay = (page, program) =>
  page.evaluate((program) => /** @type {any} */ (globalThis).fuzz.replay(program), program);

/**
 * Runs random programs until one fails or all have run.
 *
 * @param {Page} page
 * @param {{ seed: number, programs: number, path?: string, seconds?: number }} option
 * @param {(progress: { done: number, shrinking: boolean }) => void} [tell] called every second or so
 * @returns {Promise<Failure | undefined>}
 * @throws {Error} when a program does not end, and when one breaks the page
 */
export async function check(page, option, tell) {
  let over = false;
  const end = page.evaluate((option) => /** @type {any} */ (globalThis).fuzz.check(option), option);
  const settled = end.finally(() => {
    over = true;
  });
  settled.catch(() => {});
  let done = -1;
  for (let stuck = 0; !over; ) {
    await Promise.race([settled, sleep(1000)]);
    if (over) break;
    const progress = await Promise.race([
      page.evaluate(() => /** @type {any} */ (globalThis).fuzz.progress),
      sleep(30_000, undefined, { ref: false }),
    ]);
    if (!progress || (progress.done === done && !progress.shrinking && ++stuck > 30)) {
      throw new Error(
        `program ${done} of seed ${option.seed} does not end: --seed ${option.seed} --path ${done}`,
      );
    }
    if (progress.done !== done) stuck = 0;
    done = progress.done;
    tell?.(progress);
  }
  return settled;
}

/**
 * A failure in words.
 *
 * @param {Failure} failure
 */
export const report = ({ seed, path, problems, program }) =>
  `--seed ${seed} --path ${path}\n${problems.join('\n')}\n${JSON.stringify(program, null, 1)}`;

async function main() {
  const { values: flags } = parseArgs({
    options: {
      programs: { type: 'string', default: '100000' },
      engine: { type: 'string', default: 'chromium' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      path: { type: 'string' },
    },
  });
  const seed = Number(flags.seed);
  const programs = flags.path === undefined ? Number(flags.programs) : 1;
  const site = await startFuzz();
  const engine = await openEngine(flags.engine);
  try {
    const page = await openFuzz(engine, site.url);
    console.log(`${engine.name} ${engine.version}, seed ${seed}`);
    for (const { name, program } of readRegressions()) {
      const problems = await replay(page, program);
      if (problems.length === 0) continue;
      console.log(`${name} fails again\n${problems.join('\n')}`);
      process.exitCode = 1;
    }
    const began = Date.now();
    const rate = (/** @type {number} */ done) =>
      `${Math.round((done * 1000) / (Date.now() - began))} a second`;
    let told = 0;
    const failure = await check(page, { seed, programs, path: flags.path }, ({ done, shrinking }) => {
      if (Date.now() - told < 5000) return;
      told = Date.now();
      console.log(
        `${done} of ${programs} programs, ${rate(done)}, seed ${seed}${shrinking ? ': one failed, shrinking' : ''}`,
      );
    });
    if (failure) {
      console.log(`${report(failure)}\nkept as ${keep(failure)}`);
      process.exitCode = 1;
    } else console.log(`${programs} programs, ${rate(programs)}, seed ${seed}: none failed`);
  } finally {
    await engine.close();
    await site.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
