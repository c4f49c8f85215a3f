/**
 * Continues a program that was captured while it waited: the memory is in the module, and what the toolchain's
 * wasm_exec.js held beside it is in a section of its own. See split/README.md.
 *
 * @typedef {object} State
 * @property {Array<string | null>} held what Go refers to, by its name in `goGlobal`, from the first id that is not fixed
 * @property {number[]} counts how many references Go has to each of them
 * @property {number[]} free ids that are free
 * @property {unknown[]} told what the program gave the bridge; `{ go: id }` is a function of Go
 * @property {string} [rest] the SHA-256 of the file with what this part leaves out, in Base64
 */
import { bare } from '../internal/jsbridge/outcome.js';

/** The name of the module's section with the state. */
export const SECTION = 'connectsocket';

/**
 * The global object as Go is to see it: what it needs of the page's, so that nothing is left on the page's own.
 * @param {object} bridge
 */
export function goGlobal(bridge) {
  return bare({ Object, Array, connectsocketBridge: bridge });
}

/**
 * The state of a captured program, or undefined for a module that has to be started.
 * @param {WebAssembly.Module} module
 * @returns {State | undefined}
 */
export function stateOf(module) {
  const [section] = WebAssembly.Module.customSections(module, SECTION);
  return section && JSON.parse(new TextDecoder().decode(section));
}

/**
 * Lets a captured program continue.
 * @param {any} program an object of wasm_exec.js's class Go
 * @param {WebAssembly.Instance} instance
 * @param {Record<string, any>} global what `goGlobal` gave, the same that the class was made for
 * @param {State} state
 * @returns {Promise<void>} as of the class's own `run`: resolves when the program has ended
 */
export function resume(program, instance, global, { held, counts, free, told }) {
  // The start is over: wasm_exec.js sets itself up, and what it then calls does nothing.
  const ended = program.run({ exports: { ...instance.exports, run() {} } });
  for (const [i, name] of held.entries()) {
    const id = program._values.length;
    const value = name === null ? null : global[name];
    program._values.push(value);
    program._goRefCounts.push(counts[i]);
    if (name !== null) program._ids.set(value, id);
  }
  program._idPool.push(...free);
  global.connectsocketBridge.start(
    ...told.map((/** @type {any} */ value) =>
      typeof value?.go === 'number' ? program._makeFuncWrapper(value.go) : value,
    ),
  );
  return ended;
}
