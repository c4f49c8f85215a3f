/**
 * Finds which functions of a captured module run while `drive` does what pages do in their first seconds. Each function of a
 * copy of the module sets a global of its own, which is exported.
 */
import { DrivenWebSocket, drive } from './drive.mjs';
import { codeStart, encode, GLOBAL, I32, op, signed, unsigned } from './wasm.mjs';

/**
 * @param {import('./wasm.mjs').Module} module captured, in one file
 * @param {string} script path of the built connectsocket.mjs
 * @param {{ connections: number }} extent of what is driven
 * @returns {Promise<Set<number>>} the numbers of the functions that ran
 */
export async function profile(module, script, extent) {
  const first = module.globals.length;
  const observed = encode({
    ...module,
    globals: [...module.globals, ...module.functions.map(() => ({ type: I32, mutable: 1, init: 0n }))],
    exports: [
      ...module.exports,
      ...module.functions.map((_, i) => ({ name: ran(i), kind: GLOBAL, index: first + i })),
    ],
    functions: module.functions.map((f, i) => {
      const at = codeStart(f.body);
      const mark = Buffer.from([op.i32Const, ...signed(1), op.globalSet, ...unsigned(first + i)]);
      return { ...f, body: Buffer.concat([f.body.subarray(0, at), mark, f.body.subarray(at)]) };
    }),
  });
  const instances = observeInstances();
  Object.assign(globalThis, { WebSocket: DrivenWebSocket, reportError() {} });
  console.warn = () => {};
  process.on('unhandledRejection', () => {});
  const api = await import(script);
  await api.load({
    relay: 'ws://relay.example/',
    domains: ['ws://a.example', 'ws://b.example'],
    wasm: new Response(new Uint8Array(observed), { headers: { 'content-type': 'application/wasm' } }),
  });
  await drive(api, extent);
  if (instances.length !== 1)
    throw new Error(`the module was instantiated ${instances.length} times in a profile run`);
  const [exports] = /** @type {any[]} */ (instances);
  return new Set(module.functions.flatMap((_, i) => (exports[ran(i)].value ? [i] : [])));
}

/** @param {number} i */
const ran = (i) => `ran ${i}`;

/** The exports of what is instantiated from now on. */
function observeInstances() {
  /** @type {WebAssembly.Exports[]} */
  const seen = [];
  for (const name of /** @type {const} */ (['instantiate', 'instantiateStreaming'])) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (...args) => {
      // @ts-expect-error: the arguments are those of the original
      const result = /** @type {any} */ (await original(...args));
      const { exports } = result.instance ?? result;
      if (exports[ran(0)]) seen.push(exports); // Node has modules of its own
      return result;
    };
  }
  return seen;
}
