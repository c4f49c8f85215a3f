import { bare } from '../internal/jsbridge/outcome.js';
import { connectsocket } from './loader.js';

// In a worker there is no script element: the module is then beside the worker's own script.
const script = /** @type {HTMLScriptElement | null} */ (globalThis.document?.currentScript ?? null);
const data = bare(script?.dataset);
const { connectsocketOptions, connectsocketModule } = /** @type {any} */ (globalThis);
const option = bare(connectsocketOptions);
if (connectsocketModule) option.wasm = connectsocketModule; // the page has begun to fetch it before this script was there
for (const name of ['wasm', 'rest', 'relay', 'onLimit']) if (data[name]) option[name] = data[name];
if (data.maxSockets) option.maxSockets = Number(data.maxSockets);
if (data.domains) option.domains = data.domains.split(/[\s,]+/).filter(Boolean);

const beside = (/** @type {string} */ name) => new URL(name, script?.src || globalThis.location.href);

connectsocket({
  wasm: () => beside('connectsocket.wasm'),
  rest: () => beside('connectsocket.rest.wasm'),
  full: () => beside('connectsocket.full.wasm'),
}).load(option);
