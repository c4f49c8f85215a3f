/**
 * Writes a captured module as two: the first part has the hot functions and data, and what stands in for the cold functions;
 * the rest has all else, and puts it into the first one's table and memory.
 */
import { FIRST_SLOT, TOOLS } from './divide.mjs';
import {
  FUNCTION,
  GLOBAL,
  I32,
  instructions,
  MEMORY,
  NOTHING,
  op,
  rewrite,
  segments,
  signed,
  TABLE,
  unsigned,
} from './wasm.mjs';

/**
 * @typedef {import('./wasm.mjs').Module} Module
 * @typedef {import('./capture.mjs').Captured} Captured
 * @typedef {import('./divide.mjs').Division} Division
 */

// Zeros between two pieces of data that are cheaper than a segment of its own.
const GAP = 512;

/** The type of Go's functions: a number in, where to continue; a number out, whether to unwind. */
const GO = 0;

/**
 * @param {Captured} captured
 * @param {Division} division
 * @returns {{ first: Module, rest: Module }}
 */
export function split(captured, division) {
  const first = firstPart(captured, division);
  const rest = restPart(captured, division);
  checkSum(captured.memory, first, rest, division);
  return { first, rest };
}

/** The captured module in one file, as it is profiled. @param {Captured} captured @returns {Module} */
export const whole = ({ module, memory, globals }) => ({
  ...module,
  memory: memory.length / 65536,
  globals,
  data: segments(memory, GAP),
  customs: [],
});

/** @param {Captured} captured @param {Division} division @returns {Module} */
function firstPart({ module, memory, globals }, { hot, isCold, stubs }) {
  const { types: given, imports: all, functions, exports, table } = module;
  const kept = [...hot].sort((a, b) => a - b);
  const used = importsOf(module, kept);
  const types = [...given, { params: [I32], results: [] }, { params: [I32, I32], results: [I32] }];
  const imports = [
    ...used.map((i) => all[i]),
    { module: 'gojs', name: 'load', kind: FUNCTION, type: given.length },
  ];
  const load = used.length;
  const cold = imports.length + kept.length;
  const inModule = (/** @type {number} */ i) => i + all.length;
  // Two are new: load, after the imports, and what calls a cold function, before the stubs.
  const numbers = numbering([...used, undefined, ...kept.map(inModule), undefined, ...stubs.map(inModule)]);
  const joined = globals.length;
  return {
    types,
    imports,
    table,
    memory: memory.length / 65536,
    globals: [...globals, { type: I32, mutable: 1, init: 0n }],
    functions: [
      ...kept.map((i) => ({ ...functions[i], body: renumber(functions[i].body, numbers) })),
      { type: given.length + 1, body: callCold(joined, load) },
      ...stubs.map((i) => ({
        type: GO,
        body: Buffer.from([
          0,
          op.localGet,
          0,
          op.i32Const,
          ...signed(FIRST_SLOT + i),
          op.call,
          ...unsigned(cold),
          op.end,
        ]),
      })),
    ],
    exports: [
      ...exports
        .filter(({ name }) => !TOOLS.includes(name))
        .map((e) =>
          e.kind === FUNCTION ? { ...e, index: /** @type {number} */ (numbers.get(e.index)) } : e,
        ),
      { name: 'table', kind: TABLE, index: 0 },
      ...globals.map((_, i) => ({ name: `g${i}`, kind: GLOBAL, index: i })),
      { name: 'joined', kind: GLOBAL, index: joined },
    ],
    elements: slots([...kept, ...stubs].map((i) => [i, /** @type {number} */ (numbers.get(i + all.length))])),
    data: segments(
      only(memory, (at) => !isCold(at)),
      GAP,
    ),
    customs: [],
  };
}

/** @param {Captured} captured @param {Division} division @returns {Module} */
function restPart({ module, memory, globals }, { hot, isCold }) {
  const { types, imports: all, functions, table } = module;
  const cold = functions.map((_, i) => i).filter((i) => !hot.has(i));
  const used = importsOf(module, cold);
  const called = new Set();
  for (const i of cold)
    for (const { op: code, callee = 0 } of instructions(functions[i].body))
      if (code === op.call && hot.has(callee - all.length)) called.add(callee - all.length);
  const bridges = [...called].sort((a, b) => a - b); // to hot functions, through the table
  const numbers = numbering([...used, ...[...cold, ...bridges].map((i) => i + all.length)]);
  return {
    types,
    imports: [
      ...used.map((i) => all[i]),
      { module: 'first', name: 'table', kind: TABLE, min: table },
      { module: 'first', name: 'mem', kind: MEMORY, min: memory.length / 65536 },
      ...globals.map(({ type, mutable }, i) => ({
        module: 'first',
        name: `g${i}`,
        kind: GLOBAL,
        type,
        mutable,
      })),
    ],
    functions: [
      ...cold.map((i) => ({ ...functions[i], body: renumber(functions[i].body, numbers) })),
      ...bridges.map((i) => ({
        type: functions[i].type,
        body: callSlot(types, functions[i].type, FIRST_SLOT + i),
      })),
    ],
    globals: [],
    exports: [],
    elements: slots(cold.map((i) => [i, /** @type {number} */ (numbers.get(i + all.length))])),
    data: segments(only(memory, isCold), GAP, isCold),
    customs: [],
  };
}

/** The imports that some functions call. @param {Module} module @param {number[]} functions */
function importsOf({ imports, functions: all }, functions) {
  const used = new Set();
  for (const i of functions)
    for (const { op: code, callee = 0 } of instructions(all[i].body))
      if (code === op.call && callee < imports.length) used.add(callee);
  return [...used].sort((a, b) => a - b);
}

/**
 * New numbers of functions, from their old ones in the new order; a function that is new has none.
 * @param {Array<number | undefined>} order
 */
function numbering(order) {
  /** @type {Map<number, number>} */
  const numbers = new Map();
  order.forEach((old, i) => {
    if (old !== undefined) numbers.set(old, i);
  });
  return numbers;
}

/** @param {Buffer} body @param {Map<number, number>} numbers */
function renumber(body, numbers) {
  return rewrite(body, ({ op: code, callee = 0 }) => {
    if (code !== op.call) return undefined;
    const number = numbers.get(callee);
    if (number === undefined) throw new Error(`a call of function ${callee}, which is in neither part`);
    return [op.call, ...unsigned(number)];
  });
}

/**
 * Calls a cold function: (where to continue, its slot). Where the rest has not joined, it is loaded first, and then it is in
 * the slot.
 * @param {number} joined the global
 * @param {number} load the import
 */
const callCold = (joined, load) =>
  Buffer.from([
    ...[0, op.globalGet, ...unsigned(joined), op.i32Eqz, op.if, NOTHING],
    ...[op.localGet, 1, op.call, ...unsigned(load), op.end],
    ...[op.localGet, 0, op.localGet, 1, op.callIndirect, GO, 0, op.end],
  ]);

/**
 * Calls what is in a slot, with all parameters.
 * @param {import('./wasm.mjs').Type[]} types
 * @param {number} type
 * @param {number} slot
 */
const callSlot = (types, type, slot) =>
  Buffer.from([
    ...[0, ...types[type].params.flatMap((_, i) => [op.localGet, i])],
    ...[op.i32Const, ...signed(slot), op.callIndirect, ...unsigned(type), 0, op.end],
  ]);

/** Slots of the table, from old and new numbers of functions. @param {Array<[number, number]>} functions */
function slots(functions) {
  /** @type {import('./wasm.mjs').Elements[]} */
  const elements = [];
  for (const [old, number] of functions.sort(([a], [b]) => a - b)) {
    const last = elements.at(-1);
    if (last && last.offset + last.functions.length === FIRST_SLOT + old) last.functions.push(number);
    else elements.push({ offset: FIRST_SLOT + old, functions: [number] });
  }
  return elements;
}

/**
 * A copy of memory with zeros where a byte is not wanted.
 * @param {Buffer} memory
 * @param {(address: number) => boolean} wanted
 */
const only = (memory, wanted) => Buffer.from(memory.map((byte, at) => (wanted(at) ? byte : 0)));

/**
 * Both parts must be, byte for byte, the memory that was captured, and every function must be in one of them; the rest
 * must write nothing but cold data, since the program may have changed all else.
 * @param {Buffer} memory
 * @param {Module} first
 * @param {Module} rest
 * @param {Division} division
 */
function checkSum(memory, first, rest, { hot, isCold }) {
  const sum = Buffer.alloc(memory.length);
  for (const { offset, bytes } of first.data) sum.set(bytes, offset);
  for (const { offset, bytes } of rest.data) {
    for (let i = 0; i < bytes.length; i++)
      if (!isCold(offset + i)) throw new Error(`the rest has data at ${offset + i}, which is hot`);
    sum.set(bytes, offset);
  }
  if (!sum.equals(memory)) throw new Error('the parts do not add up to the captured memory');
  const filled = rest.elements.reduce((n, { functions }) => n + functions.length, 0);
  const all = /** @type {number} */ (first.table) - FIRST_SLOT;
  if (hot.size + filled !== all) throw new Error(`the parts have ${hot.size + filled} of ${all} functions`);
}
