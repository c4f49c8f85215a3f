import { connectsocket } from './loader.js';

// In a worker there is no script element: the module is then beside the worker's own script.
const script = /** @type {HTMLScriptElement | null} */ (globalThis.document?.currentScript ?? null);
const { wasm, relay, maxSockets, onLimit, domains } = script?.dataset ?? {};

connectsocket(new URL('connectsocket.wasm', script?.src || globalThis.location.href)).load({
  ...(wasm && { wasm }),
  ...(relay && { relay }),
  ...(maxSockets && { maxSockets: Number(maxSockets) }),
  ...(onLimit && { onLimit: /** @type {'fail' | 'replace'} */ (onLimit) }),
  ...(domains && { domains: domains.split(/[\s,]+/).filter(Boolean) }),
});
