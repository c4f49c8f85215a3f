import { connectsocket } from './loader.js';

// In a worker there is no script element: the module is then beside the worker's own script.
const script = /** @type {HTMLScriptElement | null} */ (globalThis.document?.currentScript ?? null);
const { wasm, rest, relay, maxSockets, onLimit, domains } = /** @type {DOMStringMap} */ (
  Object.assign(Object.create(null), script?.dataset)
);

// What a page has begun to fetch before this script was there, by a script of its own.
const early = /** @type {Promise<Response> | undefined} */ (
  /** @type {any} */ (globalThis).connectsocketModule
);

const beside = (/** @type {string} */ name) => new URL(name, script?.src || globalThis.location.href);

connectsocket({
  wasm: () => beside('connectsocket.wasm'),
  rest: () => beside('connectsocket.rest.wasm'),
  full: () => beside('connectsocket.full.wasm'),
}).load({
  .../** @type {any} */ (globalThis).connectsocketOptions,
  ...((wasm || early) && { wasm: wasm || early }),
  ...(rest && { rest }),
  ...(relay && { relay }),
  ...(maxSockets && { maxSockets: Number(maxSockets) }),
  ...(onLimit && { onLimit: /** @type {'fail' | 'replace'} */ (onLimit) }),
  ...(domains && { domains: domains.split(/[\s,]+/).filter(Boolean) }),
});
