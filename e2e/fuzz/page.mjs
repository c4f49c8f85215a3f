/** The page that makes programs, has frames run them, and shrinks those that fail. */
import fc from 'fast-check';
import { programs } from './program.mjs';

/** @import { Program } from './program.mjs' */

/**
 * A frame with the package.
 *
 * @typedef {object} Frame
 * @property {HTMLIFrameElement} element
 * @property {(program: Program) => Promise<{ problems: string[], spent: boolean, stats: any }>} run
 */

/** @type {Map<string, Frame>} by realm */
const frames = new Map();
/** What the module may hold at most, however many programs it has run: about twice what there is before Go collects. */
const most = { memory: 16 << 20, values: 50_000, slots: 100 };

/** @returns {Promise<Frame>} */
async function openFrame() {
  const element = document.createElement('iframe');
  element.src = '/frame';
  const loaded = new Promise((resolve) => element.addEventListener('load', resolve));
  document.body.append(element);
  await loaded;
  return { element, run: /** @type {any} */ (element.contentWindow).run };
}

/**
 * Runs a program.
 *
 * @param {Program} program
 * @returns {Promise<string[]>} what was wrong
 */
async function replay(program) {
  const own = program.own || program.early;
  const key = own ? 'own' : program.realm;
  const frame = frames.get(key) ?? (await openFrame());
  frames.set(key, frame);
  const { problems, spent, stats } = await frame.run(program);
  for (const name of /** @type {const} */ (['memory', 'values', 'slots'])) {
    if (stats[name] > most[name]) problems.push(`the module holds ${stats[name]} of ${name}`);
  }
  if (spent || own || problems.length > 0) {
    frames.delete(key);
    frame.element.remove();
  }
  return problems;
}

/** What of a program it can do without. */
const optional =
  'ops throws once own early success fail complete url header protocols reconnect heartbeat timeout relay tcpNoDelay ' +
  'perMessageDeflate forceCellularNetwork data code reason';

/**
 * All that a value becomes when one part of it is left out, the largest parts first.
 *
 * @param {any} value
 * @returns {Generator<any>}
 */
function* without(value) {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    if (Array.isArray(value)) yield value.toSpliced(Number(key), 1);
    else if (optional.split(' ').includes(key) && value[key]) yield { ...value, [key]: undefined };
  }
  for (const key of Object.keys(value)) {
    for (const less of without(value[key])) {
      yield Array.isArray(value) ? value.with(Number(key), less) : { ...value, [key]: less };
    }
  }
}

/**
 * Leaves out what a failing program fails without: fast-check comes back to no list that it has once shortened.
 *
 * @param {Program} program
 * @returns {Promise<Program>}
 */
async function minimize(program) {
  for (const less of without(program)) {
    const smaller = JSON.parse(JSON.stringify(less));
    if ((await replay(smaller)).length > 0) return minimize(smaller);
  }
  return program;
}

/** How far it is. */
const progress = { done: 0, shrinking: false };

/**
 * Makes and runs programs until one fails.
 *
 * @param {{ seed: number, programs: number, path?: string, seconds?: number }} option
 * @returns {Promise<object | undefined>} the failure, with its program shrunk
 */
async function check({ seed, programs: numRuns, path, seconds }) {
  const property = fc.asyncProperty(programs, async (program) => {
    const problems = await replay(program);
    if (problems.length > 0) progress.shrinking = true;
    if (!progress.shrinking) progress.done++;
    if (problems.length > 0) throw new Error(problems.join('\n'));
  });
  const limit = seconds === undefined ? {} : { interruptAfterTimeLimit: seconds * 1000 };
  const details = await fc.check(property, { seed, numRuns, path, ...limit });
  const { failed, counterexample, counterexamplePath, errorInstance } = details;
  if (!failed || !counterexample) return undefined;
  const program = await minimize(counterexample[0]);
  const problems = await replay(program);
  if (problems.length === 0) problems.push('once, and not again:', String(errorInstance));
  return { seed, path: counterexamplePath, problems: problems.slice(0, 9), program };
}

Object.assign(globalThis, { fuzz: { check, replay, progress } });
