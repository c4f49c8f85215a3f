/**
 * Proves that hot code needs nothing of what is cold: node poison.mjs DIRECTORY LIST FLAGS… writes two packages, each a copy of
 * web/dist with another module.
 *
 *   DIRECTORY/poison   cold memory is filled with 0xA5, and until the rest has joined each access of a hot function to cold
 *                      memory ends the module. The rest is withheld until a cold function is called. When it has joined, cold
 *                      memory must be as it was captured.
 *   DIRECTORY/control  the same, with a datum made cold that hot functions need: it must fail
 *
 * The arguments are those of build.mjs.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SECTION } from '../restore.js';
import { divide } from './divide.mjs';
import { named } from './map.mjs';
import { buildLinker, captureProgram } from './program.mjs';
import { split } from './split.mjs';
import {
  addLocals,
  COPY,
  encode,
  F32,
  F64,
  FILL,
  I32,
  I64,
  op,
  rewrite,
  segments,
  signed,
  unsigned,
} from './wasm.mjs';

/** @typedef {[at: number, end: number]} Range */

const POISON = 0xa5;
const NEEDED = 'connectsocket/internal/jsbridge.set';
const dist = fileURLToPath(new URL('../dist', import.meta.url));

/**
 * @param {import('./capture.mjs').Captured} captured
 * @param {import('./divide.mjs').Division} division
 * @returns {{ first: import('./wasm.mjs').Module, rest: import('./wasm.mjs').Module, cold: Range[] }}
 */
export function poison(captured, division) {
  const { first, rest } = split(captured, division);
  const { memory } = captured;
  const cold = ranges(memory.length, division.isCold);
  const poisoned = Buffer.from(memory);
  for (const [at, end] of cold) poisoned.fill(POISON, at, end);
  const { guarded, types, functions } = guard(first, division.hot.size, cold);
  return {
    first: {
      ...first,
      types,
      functions: [...guarded, ...first.functions.slice(guarded.length), ...functions],
      data: segments(poisoned, 64),
    },
    rest: { ...rest, data: cold.map(([at, end]) => ({ offset: at, bytes: memory.subarray(at, end) })) },
    cold,
  };
}

/** @param {number} length @param {(address: number) => boolean} isCold */
function ranges(length, isCold) {
  /** @type {Range[]} */
  const found = [];
  for (let at = 0; at < length; at++) {
    if (!isCold(at)) continue;
    const last = found.at(-1);
    if (last?.[1] === at) last[1]++;
    else found.push([at, at + 1]);
  }
  return found;
}

/**
 * The first functions of a module, with a check before each access of memory.
 * @param {import('./wasm.mjs').Module} first
 * @param {number} count how many functions
 * @param {Range[]} cold
 */
function guard(first, count, cold) {
  const checkFunction = first.imports.length + first.functions.length;
  const joined = /** @type {import('./wasm.mjs').Export} */ (
    first.exports.find(({ name }) => name === 'joined')
  );
  const guarded = first.functions.slice(0, count).map(({ type, body: plain }) => {
    const { body, first: unused } = addLocals(plain, [I32, I32, I32, I64, F32, F64]);
    const at = first.types[type].params.length + unused;
    const [a, b, n, i64, f32, f64] = [0, 1, 2, 3, 4, 5].map((i) => unsigned(at + i));
    const check = [op.call, ...unsigned(checkFunction)];
    const get = (/** @type {number[][]} */ ...locals) => locals.flatMap((local) => [op.localGet, ...local]);
    const set = (/** @type {number[][]} */ ...locals) => locals.flatMap((local) => [op.localSet, ...local]);
    return {
      type,
      body: rewrite(body, ({ op: code, start, end, address, bulk }) => {
        const original = body.subarray(start, end);
        if (address) {
          const { offset, bytes, store } = address;
          const value = [b, i64, f32, f64, b, b, i64, i64, i64][code - 0x36];
          const where = [op.i32Const, ...signed(offset | 0), op.i32Add, op.i32Const, ...signed(bytes)];
          return store
            ? [...set(value, a), ...get(a), ...where, ...check, ...get(a, value), ...original]
            : [...set(a), ...get(a), ...where, ...check, ...get(a), ...original];
        }
        if (bulk === COPY)
          return [
            ...set(n, b, a),
            ...get(a, n),
            ...check,
            ...get(b, n),
            ...check,
            ...get(a, b, n),
            ...original,
          ];
        if (bulk === FILL) return [...set(n, b, a), ...get(a, n), ...check, ...get(a, b, n), ...original];
        return undefined;
      }),
    };
  });
  const body = [
    ...[0, op.globalGet, ...unsigned(joined.index), op.if, 0x40, op.return, op.end],
    ...search(cold),
    op.end,
  ];
  return {
    guarded,
    types: [...first.types, { params: [I32, I32], results: [] }],
    functions: [{ type: first.types.length, body: Buffer.from(body) }],
  };
}

/**
 * Finds the first range that ends behind the address in local 0, and stops where the bytes in local 1 reach it.
 * @param {Range[]} cold
 * @returns {number[]}
 */
function search(cold) {
  if (cold.length === 0) return [];
  if (cold.length === 1) {
    const [[at, end]] = cold;
    return [
      ...[op.localGet, 0, op.i32Const, ...signed(end), op.i32LessUnsigned, op.if, 0x40],
      ...[op.i32Const, ...signed(at), op.localGet, 0, op.localGet, 1, op.i32Add, op.i32LessUnsigned],
      ...[op.if, 0x40, op.unreachable, op.end, op.end],
    ];
  }
  const middle = cold.length >> 1;
  const [, end] = cold[middle - 1];
  return [
    ...[op.localGet, 0, op.i32Const, ...signed(end), op.i32LessUnsigned, op.if, 0x40],
    ...[...search(cold.slice(0, middle)), op.else, ...search(cold.slice(middle)), op.end],
  ];
}

/**
 * What the scripts of the package begin with: it withholds the rest, and looks at memory when that has joined.
 * @param {Range[]} cold
 * @param {Buffer} memory
 */
const observe = (cold, memory) => `{
  const { fetch } = globalThis;
  const { Instance } = WebAssembly;
  globalThis.fetch = (input, ...more) =>
    /[.]rest[.]wasm/.test(input) ? new Promise(() => {}) : fetch.call(globalThis, input, ...more);
  const hash = ${hash};
  WebAssembly.Instance = function (module, imports) {
    const instance = new Instance(module, imports);
    if (imports.first && hash(new Uint8Array(imports.first.mem.buffer), ${JSON.stringify(cold)}) !== ${hash(memory, cold)})
      throw new Error('cold memory is not as it was captured');
    return instance;
  };
  WebAssembly.Instance.prototype = Instance.prototype;
}
`;

/** @param {Uint8Array} memory @param {Range[]} cold */
function hash(memory, cold) {
  let sum = 0;
  for (const [at, end] of cold) for (let i = at; i < end; i++) sum = (Math.imul(sum, 31) + memory[i]) | 0;
  return sum;
}

/**
 * Writes the package with another module.
 * @param {string} directory
 * @param {import('./capture.mjs').Captured} captured
 * @param {import('./divide.mjs').Division} division
 */
function writePackage(directory, captured, division) {
  const { first, rest, cold } = poison(captured, division);
  const late = encode(rest);
  const sha256 = createHash('sha256').update(late).digest('base64');
  const early = encode({
    ...first,
    customs: [{ name: SECTION, bytes: Buffer.from(JSON.stringify({ ...captured.state, rest: sha256 })) }],
  });
  for (const bytes of [early, late]) new WebAssembly.Module(bytes);
  rmSync(directory, { recursive: true, force: true });
  cpSync(dist, directory, { recursive: true });
  const { sha256: hashes } = JSON.parse(readFileSync(join(dist, 'provenance.json'), 'utf8'));
  const known = Buffer.from(hashes['connectsocket.rest.wasm'], 'hex').toString('base64');
  for (const script of ['connectsocket.js', 'connectsocket.mjs']) {
    const text = readFileSync(join(dist, script), 'utf8');
    if (!text.includes(known)) throw new Error(`${script} is not of the build that is to be compared`);
    writeFileSync(join(directory, script), observe(cold, captured.memory) + text.replaceAll(known, sha256));
  }
  for (const [file, bytes] of /** @type {Array<[string, Buffer]>} */ ([
    ['connectsocket.wasm', early],
    ['connectsocket.rest.wasm', late],
  ])) {
    writeFileSync(join(directory, file), bytes);
    for (const compressed of ['br', 'gz']) rmSync(join(directory, `${file}.${compressed}`));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [directory, list, ...flags] = process.argv.slice(2);
  const out = resolve(directory);
  mkdirSync(out, { recursive: true });
  const linker = buildLinker(out);
  const program = await captureProgram(out, linker, flags);
  const moved = await captureProgram(out, linker, flags, 'capture,moved');
  const division = divide(program, moved, readFileSync(list, 'utf8').trim().split('\n'));
  writePackage(join(out, 'poison'), program.captured, division);
  const { at, end } = named(program.map, NEEDED);
  const isCold = (/** @type {number} */ address) =>
    (address >= at && address < end) || division.isCold(address);
  writePackage(join(out, 'control'), program.captured, { ...division, isCold });
}
