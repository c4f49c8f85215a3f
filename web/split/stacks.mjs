/**
 * Clears what is dead in the stacks of a captured program: below the place that each of its goroutines has reached. It would
 * be carried to every page, and what is left there looks like addresses.
 */
import { named } from './map.mjs';
import { I32 } from './wasm.mjs';

// From the runtime's runtime2.go.
const DEAD = 6;

/**
 * @param {import('./capture.mjs').Captured} captured its memory is changed
 * @param {import('./map.mjs').LinkMap} map
 * @param {number} [fill]
 * @returns {number} how many bytes were cleared
 */
export function clearDeadStacks({ module, memory, globals }, map, fill = 0) {
  const word = (/** @type {number} */ at) => Number(memory.readBigUInt64LE(at));
  const g = fieldsOf('runtime.g', memory, map);
  const low = g('stack');
  const high = low + 8;
  const reached = g('sched') + fieldsOf('runtime.gobuf', memory, map)('sp');
  const status = g('atomicstatus');
  // The registers of the machine that Go's code assumes, in the linker's order.
  if (module.globals[0].type !== I32) throw new Error('the first global is not the stack pointer');
  const [stackPointer, , running] = globals.map(({ init }) => Number(init));

  const list = named(map, 'runtime.allgs').at;
  const all = Array.from({ length: word(list + 8) }, (_, i) => word(word(list) + 8 * i));
  const system = named(map, 'runtime.wasmStack');
  const heap = map.sections.get('.noptrbss')?.end ?? 0;
  let cleared = 0;
  for (const at of [named(map, 'runtime.g0').at, ...all]) {
    const top = word(at + high);
    // The first goroutine's stack is in the data, and is said to be larger than it is.
    const bottom = map.find(top - 1) === system ? system.at : word(at + low);
    if (bottom === 0 && top === 0) continue; // it has given its stack back
    const live =
      at === running ? stackPointer : memory.readUInt32LE(at + status) === DEAD ? top : word(at + reached);
    const fits = bottom < live && live <= top && top <= memory.length;
    if (!fits || (bottom < heap && bottom !== system.at))
      throw new Error(`a goroutine at ${at} whose stack from ${bottom} to ${top} has reached ${live}`);
    memory.fill(fill, bottom, live);
    cleared += live - bottom;
  }
  return cleared;
}

/**
 * The offsets of a struct's fields, from the description of its type that the program carries (internal/abi.StructType).
 * @param {string} name
 * @param {Buffer} memory
 * @param {import('./map.mjs').LinkMap} map
 * @returns {(field: string) => number}
 */
function fieldsOf(name, memory, map) {
  const { at } = named(map, `type:${name}`);
  const word = (/** @type {number} */ place) => Number(memory.readBigUInt64LE(place));
  const [first, count] = [word(at + 56), word(at + 64)];
  /** @type {Map<string, number>} */
  const offsets = new Map();
  for (let i = 0; i < count; i++) {
    const field = first + 24 * i;
    const text = word(field) + 1; // after the flags: length, letters
    const length = memory[text];
    offsets.set(memory.toString('utf8', text + 1, text + 1 + length), word(field + 16));
  }
  return (field) => {
    const offset = offsets.get(field);
    if (offset === undefined) throw new Error(`${name} has no field ${field}`);
    return offset;
  };
}
