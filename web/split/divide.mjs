/**
 * Decides what the first part of a captured module has: the hot functions, and the data that they can reach. All else is cold
 * and comes with the rest. See README.md for the rules.
 *
 * @typedef {object} Division
 * @property {Set<number>} hot numbers of functions
 * @property {(address: number) => boolean} isCold whether a byte of memory comes with the rest
 * @property {number[]} stubs cold functions that something hot can reach
 */
import { named } from './map.mjs';
import { instructions, op } from './wasm.mjs';

/** A function's number plus this is its slot in the table: funcValueOffset of cmd/link/internal/wasm. */
export const FIRST_SLOT = 0x1000;

/** Exports of the captured program that no page calls. */
export const TOOLS = ['run', 'settle', 'stretch'];

// Sections that describe functions and types, for tracebacks, stack growth, collections and reflection.
const tables = ['.gopclntab', '.typelink', '.itablink', '.go.buildinfo', '.go.module'];
// Variables that lead to them.
const doors = ['runtime.modulesSlice', 'runtime.lastmoduledatap'];

const sections = ['.text', '.rodata', ...tables, '.noptrdata', '.data', '.bss', '.noptrbss'];

// The only functions that read the fields of a struct's type: of Go 1.26's runtime, see type.go, alg.go, cgocall.go.
const fieldReaders =
  /^(runtime\.(buildGCMask|typehash|typesEqual|cgoCheckArg|rtype\.pkgpath)|(internal\/)?reflect(lite)?\.)/;

/**
 * @typedef {{ captured: import('./capture.mjs').Captured, map: import('./map.mjs').LinkMap }} Program
 */

/**
 * @param {Program} program
 * @param {Program} moved the same program with its data at other addresses
 * @param {Iterable<string>} hotNames
 * @returns {Division}
 */
export function divide({ captured: { module, memory }, map }, moved, hotNames) {
  checkLayout(module, map);
  const hot = hotFunctions(module, map, new Set(hotNames));
  const isCold = coldData(memory, map, hot);
  checkConstants(module, map, hot, isCold);
  checkWords(memory, map, moved, isCold);
  return { hot, isCold, stubs: reachable(module, memory, hot, isCold) };
}

/**
 * Refuses a module that another linker, or another version of it, has made.
 * @param {import('./wasm.mjs').Module} module
 * @param {import('./map.mjs').LinkMap} map
 */
function checkLayout({ imports, functions, table, elements, types }, map) {
  const [element] = elements;
  const inOrder = element?.functions.every((f, i) => f === imports.length + i);
  if (
    elements.length !== 1 ||
    element.offset !== FIRST_SLOT ||
    !inOrder ||
    table !== FIRST_SLOT + functions.length
  )
    throw new Error("the table is not laid out as by Go 1.26's linker");
  if (map.functions.length !== functions.length || element.functions.length !== functions.length)
    throw new Error(`the link map has ${map.functions.length} functions and the module ${functions.length}`);
  if (types[0]?.params.length !== 1 || types[0].results.length !== 1)
    throw new Error('the first type is not the one of a Go function');
  const found = [...map.sections.keys()].join(' ');
  if (found !== sections.join(' ')) throw new Error(`the module has other sections: ${found}`);
}

/**
 * @param {import('./wasm.mjs').Module} module
 * @param {import('./map.mjs').LinkMap} map
 * @param {Set<string>} names
 */
function hotFunctions({ imports, functions, exports }, map, names) {
  /** @type {Set<number>} */
  const hot = new Set();
  functions.forEach(({ type }, i) => {
    if (type !== 0 || names.has(map.functions[i].name)) hot.add(i);
  });
  for (const { name, kind, index } of exports) {
    if (kind !== 0) continue;
    if (TOOLS.includes(name)) hot.delete(index - imports.length);
    else hot.add(index - imports.length);
  }
  return hot;
}

/**
 * Marks what hot functions refer to, and what that refers to, and so on. Words of memory that look like an address count as
 * one wherever the program may have written.
 * @param {Buffer} memory
 * @param {import('./map.mjs').LinkMap} map
 * @param {Set<number>} hot
 */
function coldData(memory, map, hot) {
  const forbidden = forbiddenData(map);
  const fieldsAreRead = [...hot].some((i) => fieldReaders.test(map.functions[i].name));
  /** @type {Set<import('./map.mjs').Datum>} */
  const marked = new Set();
  /** @type {import('./map.mjs').Datum[]} */
  const todo = [];
  const mark = (/** @type {number} */ address) => {
    const datum = map.find(address);
    if (!datum || marked.has(datum) || forbidden.has(datum)) return;
    marked.add(datum);
    todo.push(datum);
  };
  for (const i of hot) {
    for (const address of map.functions[i].references) {
      const datum = map.find(address);
      if (datum && forbidden.has(datum))
        throw new Error(`${map.functions[i].name} is hot and reads ${datum.name}`);
      mark(address);
    }
  }
  const [firstData, writable, heap] = bounds(map);
  for (const address of words(memory, 0, firstData)) mark(address);
  for (const address of words(memory, heap, memory.length)) mark(address);
  for (let datum = todo.pop(); datum; datum = todo.pop()) {
    const followed = isStruct(datum, memory) && !fieldsAreRead ? STRUCT_FIELDS : Number.POSITIVE_INFINITY;
    for (const { offset, to } of datum.references) if (offset < followed) mark(to);
    if (datum.at >= writable) for (const address of words(memory, datum.at, datum.end)) mark(address);
  }
  const cold = new Uint8Array(memory.length);
  for (const datum of map.data) if (!marked.has(datum)) cold.fill(1, datum.at, datum.end);
  for (const name of tables) {
    const { at, end } = section(map, name);
    cold.fill(1, at, end);
  }
  return (/** @type {number} */ address) => cold[address] === 1;
}

/** What hot functions must not read, since it comes with the rest. @param {import('./map.mjs').LinkMap} map */
function forbiddenData(map) {
  const ranges = tables.map((name) => section(map, name));
  return new Set(
    map.data.filter(
      ({ at, name }) => doors.includes(name) || ranges.some((range) => at >= range.at && at < range.end),
    ),
  );
}

// In internal/abi.StructType: the end of what it shares with other types, and the place of the kind.
const STRUCT_FIELDS = 48;
const KIND = 23;
const STRUCT = 25;

/** @param {import('./map.mjs').Datum} datum @param {Buffer} memory */
const isStruct = ({ name, at }, memory) => name.startsWith('type:') && (memory[at + KIND] & 31) === STRUCT;

/** Where the data begins, where what the program may write, and where the heap. @param {import('./map.mjs').LinkMap} map */
const bounds = (map) => [
  section(map, '.rodata').at,
  section(map, '.noptrdata').at,
  section(map, '.noptrbss').end,
];

/** @param {import('./map.mjs').LinkMap} map @param {string} name */
const section = (map, name) => /** @type {import('./map.mjs').Section} */ (map.sections.get(name));

/**
 * The aligned words in a range of memory, without those that do not fit into 32 bits.
 * @param {Buffer} memory
 * @param {number} start
 * @param {number} end
 */
function* words(memory, start, end) {
  for (let at = Math.ceil(start / 8) * 8; at + 8 <= end; at += 8)
    if (memory.readUInt32LE(at + 4) === 0) yield memory.readUInt32LE(at);
}

/**
 * Refuses a constant of a hot function that is a cold address. Only the linker puts addresses into functions, and its map has
 * all of them: the constants that it does not have are numbers.
 * @param {import('./wasm.mjs').Module} module
 * @param {import('./map.mjs').LinkMap} map
 * @param {Set<number>} hot
 * @param {(address: number) => boolean} isCold
 */
function checkConstants({ functions }, map, hot, isCold) {
  for (const i of hot) {
    const { name, references } = map.functions[i];
    const linked = new Set(references);
    for (const { value = -1n } of instructions(functions[i].body))
      if (isCold(Number(value)) && linked.has(Number(value)))
        throw new Error(`${name} is hot and names the cold address ${value}`);
  }
}

/**
 * Refuses hot data that leads to cold data. In what the linker wrote, its map has every address. Elsewhere a word that looks
 * like a cold address is compared with the same word of a program whose data lies elsewhere: a number is the same there.
 * @param {Buffer} memory
 * @param {import('./map.mjs').LinkMap} map
 * @param {Program} moved
 * @param {(address: number) => boolean} isCold
 */
function checkWords(memory, map, moved, isCold) {
  const [firstData, writable, heap] = bounds(map);
  const functionTables = section(map, '.gopclntab');
  if (section(moved.map, '.gopclntab').at === functionTables.at)
    throw new Error('the data of the program to compare with has not moved');
  const moduleData = named(map, 'runtime.firstmoduledata').at;
  for (let at = 0; at + 8 <= memory.length; at += 8) {
    if (isCold(at) || (at >= firstData && at < writable) || memory.readUInt32LE(at + 4) !== 0) continue;
    const value = memory.readUInt32LE(at);
    if (!isCold(value)) continue;
    if (value === moduleData) continue; // only cold functions follow these: see `doors`
    const datum = at < heap ? map.find(at) : undefined;
    const other = datum ? named(moved.map, datum.name).at + at - datum.at : at;
    const isNumber =
      value < functionTables.end && moved.captured.memory.readBigUInt64LE(other) === BigInt(value);
    if (!isNumber)
      throw new Error(
        `${datum ? `${datum.name}+${at - datum.at}` : at} is hot and may refer to ${map.find(value)?.name}, which is cold`,
      );
  }
}

/**
 * The cold functions that are called or named by hot ones, or that a word in hot data may name.
 * @param {import('./wasm.mjs').Module} module
 * @param {Buffer} memory
 * @param {Set<number>} hot
 * @param {(address: number) => boolean} isCold
 */
function reachable({ imports, functions }, memory, hot, isCold) {
  /** @type {Set<number>} */
  const found = new Set();
  /** @param {number} pc a function's slot, and 16 bits for a place in it */
  const add = (pc) => {
    const i = Math.floor(pc / 65536) - FIRST_SLOT;
    if (i >= 0 && i < functions.length && !hot.has(i)) found.add(i);
  };
  for (const i of hot) {
    for (const { op: code, callee = 0, value = 0n } of instructions(functions[i].body)) {
      if (code === op.call && callee >= imports.length) add((callee - imports.length + FIRST_SLOT) * 65536);
      else if (code === op.i64Const && value > 0n) add(Number(value));
    }
  }
  for (let at = 0; at + 8 <= memory.length; at += 8)
    if (!isCold(at) && memory.readUInt32LE(at + 4) === 0) add(memory.readUInt32LE(at));
  return [...found].sort((a, b) => a - b);
}
