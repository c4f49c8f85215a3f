/**
 * Runs programs in Node, on the JavaScript half from its sources with the real Go half: many more in a second than in a
 * page, which has the built package and an engine's own values.
 */
import { createBridge } from '../../internal/jsbridge/bridge.js';
import { startGo } from '../../internal/jsbridge/testdata/gohalf.mjs';

/** @import { Program } from './program.mjs' */

const { told, exports } = await startGo();

/** @type {Record<string, (event: any) => void>} */
const listeners = {};
/** @type {NodeJS.UnhandledRejectionListener} */
const unhandled = (reason, promise) => listeners.unhandledrejection({ reason, promise, preventDefault() {} });

/** @param {string} type @param {() => void} f */
function addEventListener(type, f) {
  listeners[type] = f;
}

/** @param {Event} event */
function dispatchEvent(event) {
  listeners[event.type]?.(event);
}

// What a page has and Node lacks.
Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
Object.assign(globalThis, {
  document: { baseURI: 'http://page.example/frame', addEventListener, dispatchEvent },
  addEventListener,
  dispatchEvent,
  reportError: (/** @type {unknown} */ error) => listeners.error({ error, preventDefault() {} }),
  /** Node waits for what is posted on a channel of its own. */
  MessageChannel: class {
    port1 = { onmessage() {} };
    port2 = { postMessage: () => setImmediate(() => this.port1.onmessage()) };
  },
  CloseEvent: class extends Event {
    /** @param {string} type @param {object} init */
    constructor(type, init) {
      super(type);
      Object.assign(this, init);
    }
  },
});
const { hostile } = await import('./values.mjs');
delete hostile['document.all'];
await import('./frame.mjs');

/**
 * Runs a program.
 *
 * @param {Program} program
 * @returns {Promise<string[]>} what was wrong
 */
export async function replay(program) {
  const bridge = createBridge();
  const { connectSocket } = bridge.family;
  Object.assign(globalThis, {
    connectSocket: Object.assign(connectSocket, bridge.family, bridge.off, {
      ...{ stats: bridge.stats, install: bridge.install, connectTask: bridge.connectTask },
      ready: bridge.module.ready,
      /** @param {import('../../web/connectsocket.js').LoadOption} option */
      load({ wasm, ...limits }) {
        bridge.set(limits);
        Promise.resolve(wasm).then(() => {
          bridge.module.exports = exports;
          bridge.start(.../** @type {[any, any, any, any, any, any]} */ (told));
        });
      },
    }),
  });
  // A program's rejections are no failures of a test that runs it.
  const others = process.rawListeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', unhandled);
  try {
    const { problems } = await /** @type {any} */ (globalThis).run(program);
    return problems;
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', /** @type {any} */ (other));
  }
}

/** Arbitrary programs. */
export const { programs } = await import('./program.mjs');
