/**
 * Globals that an old engine, or the page of a unit test, may lack. The build puts each in the place of the global of
 * its name, in every script.
 */
const scope = typeof globalThis === 'object' ? globalThis : self;
const { TextEncoder: Encoder, TextDecoder: Decoder } = scope.TextEncoder ? scope : (builtin('util') ?? scope);

export { Decoder as TextDecoder, Encoder as TextEncoder, scope as globalThis };

const settled = Promise.resolve();

/** @param {() => void} f must not throw. */
export const queueMicrotask = (f) => void settled.then(f);

/**
 * One of Node's own modules, without an import that a bundler would follow; undefined in a page.
 * @param {string} name
 * @returns {any}
 */
export function builtin(name) {
  return IN_PAGE ? undefined : scope.process?.getBuiltinModule?.(`node:${name}`);
}
