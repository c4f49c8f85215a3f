/**
 * The JavaScript half of the border. It owns every value: WebSockets, payloads, callbacks, promises.
 */
import { createConnections } from './connection.js';
import { createModule } from './module.js';
import { bare, noop } from './outcome.js';
import { createTasks } from './task.js';
import { DEFAULT_MAX_HELD_BYTES, DEFAULT_MAX_HELD_MESSAGES, DEFAULT_MAX_SOCKETS } from './wire.js';

/**
 * Creates the bridge of one module.
 * @param {import('../../web/connectsocket.js').Settings} [settings] limits and relay, read when the Go half starts
 * @param {string} [version] of the script; a module of another version is refused
 * @param {import('./module.js').Host} [host] without one a page starts the module itself, once
 */
export function createBridge(settings = bare(), version = '', host = { begin: noop, restarts: () => false }) {
  const module = createModule({
    version,
    host,
    configuration: () => ({
      maxSockets: settings.maxSockets ?? DEFAULT_MAX_SOCKETS,
      replace: settings.onLimit === 'replace',
      maxHeldBytes: settings.maxHeldBytes ?? DEFAULT_MAX_HELD_BYTES,
      maxHeldMessages: settings.maxHeldMessages ?? DEFAULT_MAX_HELD_MESSAGES,
      domains: settings.domains ?? [],
    }),
    onStart() {
      connections.start();
    },
    onDeath: (reason) => connections.endAll(reason),
  });
  const connections = createConnections(module, settings);
  const { family, connectTask, off } = createTasks(module, connections);
  return {
    family,
    connectTask,
    off,
    module,

    /**
     * Puts connectSocket and the family on an object.
     * @template {object} T
     * @param {T} target
     */
    install: (target) => Object.assign(target, family),

    /** What the bridge holds. */
    stats: connections.stats,

    /**
     * Called by the Go half once, when it can be entered: the global connectSocket is there from then on.
     * @param {Parameters<typeof module.start>} told
     */
    start(...told) {
      if (!('connectSocket' in globalThis)) {
        Object.assign(globalThis, { connectSocket: family.connectSocket });
      }
      Reflect.deleteProperty(globalThis, 'connectsocketBridge');
      module.start(...told);
    },
  };
}
