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
 * @param {import('../../web/connectsocket.js').Settings} [given] limits and relay, read when the Go half starts
 * @param {string} [version] of the script; a module of another version is refused
 * @param {import('./module.js').Host} [host] without one a page starts the module itself, once
 */
export function createBridge(
  given = bare(),
  version = '',
  host = { begin: noop, restarts: () => false, onOpen: noop },
) {
  /** @type {import('./connection.js').Limits & Record<string, any>} */
  const settings = bare({
    maxSockets: DEFAULT_MAX_SOCKETS,
    maxHeldBytes: DEFAULT_MAX_HELD_BYTES,
    maxHeldMessages: DEFAULT_MAX_HELD_MESSAGES,
    domains: [],
  });
  /**
   * Takes settings; one that is undefined stays as it is.
   * @param {import('../../web/connectsocket.js').Settings} changed
   */
  function set(changed) {
    for (const [name, value] of Object.entries(changed)) if (value !== undefined) settings[name] = value;
  }
  set(given);
  const module = createModule({
    version,
    host,
    configuration: () => ({ ...settings, replace: settings.onLimit === 'replace' }),
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
    set,

    /**
     * Puts connectSocket and the family on an object.
     * @template {object} T
     * @param {T} target
     */
    install: (target) => Object.assign(target, family),

    /** What the bridge holds. */
    stats: connections.stats,

    start: module.start,
  };
}
