/**
 * Runs the module in Node until its main function waits, and takes its state: memory, globals, and what the
 * toolchain's wasm_exec.js holds for it. All that the program can see of the world is fixed, so that the same module
 * always gives the same state.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFunction } from 'node:vm';
import { goGlobal } from '../restore.js';
import { encode, GLOBAL } from './wasm.mjs';

/**
 * @typedef {object} Captured
 * @property {import('./wasm.mjs').Module} module the one that ran
 * @property {Buffer} memory
 * @property {import('./wasm.mjs').Global[]} globals with the values that they have
 * @property {import('../restore.js').State} state
 */

// What Go has run before main waits may call these. Others would bring something into the state that no page has.
const allowed = new Set([
  'runtime.resetMemoryDataView',
  'runtime.wasmWrite',
  'runtime.getRandomData',
  'runtime.nanotime1',
  'runtime.walltime',
  'syscall/js.finalizeRef',
  'syscall/js.stringVal',
  'syscall/js.valueGet',
  'syscall/js.valueSet',
  'syscall/js.valueIndex',
  'syscall/js.valueSetIndex',
  'syscall/js.valueLength',
  'syscall/js.valueCall',
  'syscall/js.valueInvoke',
  'syscall/js.valueNew',
  'syscall/js.valuePrepareString',
  'syscall/js.valueLoadString',
]);

// The fields of wasm_exec.js's class, as Go 1.26 has them once the program runs, and the values with fixed ids.
const fields =
  'argv env exit _resolveExitPromise _exitPromise _pendingEvent _scheduledTimeouts _nextCallbackTimeoutID ' +
  'importObject _inst mem _values _goRefCounts _ids _idPool exited';
const FIXED = 7;

// The clock starts an hour after 1970, before any page's own, in nanoseconds that do not fit into 32 bits: no time
// looks like an address.
const HOUR = 3_600_000_000_000n;

/**
 * @param {import('./wasm.mjs').Module} module built with the tag capture
 * @param {string} goroot
 * @returns {Promise<Captured>}
 */
export async function capture(module, goroot) {
  /** @type {unknown[] | undefined} */
  let told;
  const bridge = {
    /** @param {unknown[]} args */
    start(...args) {
      told = args;
    },
  };
  // wasm_exec.js looks for the others.
  const global = Object.assign(goGlobal(bridge), { crypto, performance, TextEncoder, TextDecoder });
  const program = newProgram(goroot, global);
  const functions = numberFunctions(program);
  fixWorld(program);

  const tooled = {
    ...module,
    exports: [
      ...module.exports,
      ...module.globals.map((_, i) => ({ name: `$${i}`, kind: GLOBAL, index: i })),
    ],
  };
  const { instance } = await WebAssembly.instantiate(encode(tooled), program.importObject);
  const exports = /** @type {any} */ (instance.exports);
  const ended = program.run(instance);
  await Promise.race([ended, undefined]); // throws what it has thrown
  if (!told) throw new Error('main waits without having told the bridge its functions');
  for (let i = 0; i < 3; i++) {
    exports.stretch();
    exports.settle();
  }
  checkFields(program);
  return {
    module,
    memory: Buffer.from(exports.mem.buffer.slice(0)),
    globals: module.globals.map((g, i) => ({ ...g, init: BigInt(exports[`$${i}`].value) })),
    state: {
      held: program._values.slice(FIXED).map((/** @type {unknown} */ value) => nameOf(value, global)),
      counts: program._goRefCounts.slice(FIXED),
      free: [...program._idPool],
      told: told.map((value) => (typeof value === 'function' ? { go: functions.get(value) } : plain(value))),
    },
  };
}

/** @param {string} goroot @param {object} global */
function newProgram(goroot, global) {
  const source = readFileSync(join(goroot, 'lib/wasm/wasm_exec.js'), 'utf8');
  const fs = {
    writeSync: (/** @type {number} */ _, /** @type {Uint8Array} */ bytes) => process.stderr.write(bytes),
  };
  const Go = compileFunction(`${source}\nreturn globalThis.Go;`, ['globalThis', 'fs'])(global, fs);
  return new Go();
}

/** Remembers the number of each function that Go makes. @param {any} program @returns {Map<unknown, number>} */
function numberFunctions(program) {
  const numbers = new Map();
  const make = program._makeFuncWrapper;
  program._makeFuncWrapper = (/** @type {number} */ id) => {
    const f = make.call(program, id);
    numbers.set(f, id);
    return f;
  };
  return numbers;
}

/**
 * Gives the program a clock and random data of its own, and refuses what would not be the same in a page. The random
 * data only seeds the runtime, as SECURITY.md says.
 * @param {any} program
 */
function fixWorld(program) {
  const imports = program.importObject.gojs;
  for (const name of Object.keys(imports)) {
    if (!allowed.has(name)) {
      imports[name] = () => {
        throw new Error(`the program calls ${name} before it is captured`);
      };
    }
  }
  let time = HOUR;
  imports['runtime.nanotime1'] = (/** @type {number} */ sp) => {
    time += 1000n;
    program.mem.setBigInt64((sp >>> 0) + 8, time, true);
  };
  imports['runtime.walltime'] = (/** @type {number} */ sp) => {
    program.mem.setBigInt64((sp >>> 0) + 8, HOUR / 1_000_000_000n, true);
    program.mem.setInt32((sp >>> 0) + 16, 0, true);
  };
  let seed = 1;
  imports['runtime.getRandomData'] = (/** @type {number} */ sp) => {
    const [start, length] = [8, 16].map((offset) =>
      Number(program.mem.getBigInt64((sp >>> 0) + offset, true)),
    );
    for (let i = 0; i < length; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      program.mem.setUint8(start + i, seed >>> 24);
    }
  };
}

/** @param {any} program */
function checkFields(program) {
  const found = Object.keys(program).filter((name) => name !== '_makeFuncWrapper');
  if (found.join(' ') !== fields) throw new Error(`wasm_exec.js has other fields: ${found.join(' ')}`);
  const { length } = [...program._goRefCounts].filter((count) => count === Number.POSITIVE_INFINITY);
  if (length !== FIXED) throw new Error(`wasm_exec.js has ${length} fixed values instead of ${FIXED}`);
  if (program._pendingEvent || program._scheduledTimeouts.size > 0)
    throw new Error('an event or a timer is pending');
}

/**
 * A page has no value of Node's: what Go refers to must have a name that it has in every page.
 * @param {unknown} value
 * @param {Record<string, unknown>} global
 */
function nameOf(value, global) {
  if (value === null) return null; // a free id
  const name = Object.keys(global).find((key) => key !== 'Go' && global[key] === value);
  if (!name) throw new Error(`Go refers to a JavaScript value without a name: ${String(value)}`);
  return name;
}

/** What was told, as long as it survives JSON. @param {unknown} value */
function plain(value) {
  const copy = JSON.parse(JSON.stringify(value) ?? 'null');
  const leaves = Object.values(Object(value));
  if (
    typeof value === 'object' &&
    leaves.some((leaf) => typeof leaf === 'function' || typeof leaf === 'object')
  )
    throw new Error(
      'the program told the bridge something that is neither a text, a number nor a list of them',
    );
  return copy;
}
