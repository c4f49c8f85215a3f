/**
 * The real Go half in Node, for tests of the JavaScript half from its sources: `make build` writes the module.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Starts the module once. It can be given to one bridge after another: `configure` begins with an empty set.
 * @returns {Promise<{ told: any[], exports: Record<string, (...args: number[]) => number> }>} what a bridge's `start` is told,
 *   and the instance's exports
 */
export async function startGo() {
  const root = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
  const script = readFileSync(join(root, 'lib/wasm/wasm_exec.js'), 'utf8');
  /** @type {any[]} */
  let told = [];
  /** @type {any} */
  const page = {
    ...{ Object, Array, Uint8Array, crypto, performance, TextEncoder, TextDecoder },
    connectsocketBridge: {
      start: (/** @type {any[]} */ ...args) => {
        told = args;
      },
    },
  };
  // Its timers stay Node's when a test has a clock of its own.
  new Function('globalThis', 'fs', 'setTimeout', 'clearTimeout', script)(
    page,
    { writeSync },
    setTimeout,
    clearTimeout,
  );
  const go = new page.Go();
  const wasm = readFileSync(new URL('../../../web/dist/connectsocket.full.wasm', import.meta.url));
  const { instance } = await WebAssembly.instantiate(wasm, go.importObject);
  go.run(instance);
  if (told.length === 0) throw new Error('the module has not called start');
  return { told, exports: /** @type {any} */ (instance.exports) };
}
