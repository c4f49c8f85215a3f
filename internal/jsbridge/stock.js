/**
 * The bridge of a page that starts the module itself, as any Go program.
 */
import { createBridge } from './bridge.js';

/**
 * Puts a bridge on the global object, where the Go half finds it. When that starts, the global connectSocket takes its place.
 * @param {string} [version] of the script; a module of another version is refused
 */
export function putOnPage(version) {
  const bridge = createBridge(undefined, version);
  const { connectSocket } = bridge.family;
  Object.assign(globalThis, {
    connectsocketBridge: {
      /** @param {Parameters<typeof bridge.start>} told */
      start(...told) {
        Reflect.deleteProperty(globalThis, 'connectsocketBridge');
        if (!('connectSocket' in globalThis)) Object.assign(globalThis, { connectSocket });
        bridge.start(...told);
      },
    },
  });
}
