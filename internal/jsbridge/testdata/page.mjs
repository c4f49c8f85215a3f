/**
 * What a test of the JavaScript half in Node has in the place of a page: WebSockets whose network is the test, time that
 * passes when it says so, and the real Go half, which it may let die.
 */
import { Clock } from '../../../e2e/fuzz/clock.mjs';
import { network, ScriptedSocket, sockets } from '../../../e2e/fuzz/socket.mjs';
import { startGo } from './gohalf.mjs';

Object.assign(globalThis, {
  WebSocket: ScriptedSocket,
  CloseEvent: class extends Event {
    /** @param {string} type @param {object} init */
    constructor(type, init) {
      super(type);
      Object.assign(this, init);
    }
  },
});
const { createBridge } = await import('../bridge.js');
const { told, exports } = await startGo();
const [version, dispatch, ...calls] = told;
const [configure, connect, renew, close] = calls;

export { ScriptedSocket, sockets };

const clock = new Clock();
clock.install();

/**
 * Lets time pass.
 * @param {number} ms
 */
export function tick(ms) {
  const until = clock.now + ms;
  for (let timer = clock.take(until); timer; timer = clock.take(until)) timer.f();
  clock.now = until;
}

/** Resolves when all microtasks, and the timers that were due, have run. */
export async function turn() {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    tick(0);
  }
}

/**
 * Has the network do something to a WebSocket.
 * @param {ScriptedSocket} socket
 * @param {string} what it does: see e2e/fuzz/socket.mjs
 * @param {object} [detail]
 */
export async function happen(socket, what, detail = {}) {
  for (const event of network[what](socket, { code: 1000, reason: '', ...detail })) {
    socket.dispatchEvent(event);
    await turn();
  }
}

/**
 * Creates a bridge that is yet to be started.
 * @param {import('../../../web/connectsocket.js').Settings} [settings]
 * @param {object} [option]
 * @param {(f: (...args: any[]) => any, name: string) => (...args: any[]) => any} [option.wrap] what is to be entered in the
 *   place of each function of the Go half
 * @param {(page: { start: () => void, begun: number }) => void} [option.onBegin] the host is asked for a module
 */
export function createPage(settings = {}, { wrap = (f) => f, onBegin = () => {} } = {}) {
  sockets.length = 0;
  const page = {
    begun: 0,
    /** Starts the Go half, or the next one. */
    start() {
      bridge.module.exports = Object.fromEntries(
        Object.entries(exports)
          .filter(([, f]) => typeof f === 'function')
          .map(([name, f]) => [name, wrap(f, name)]),
      );
      bridge.start(
        version,
        dispatch,
        wrap(configure, 'configure'),
        wrap(connect, 'connect'),
        wrap(renew, 'renew'),
        wrap(close, 'close'),
      );
      Reflect.deleteProperty(globalThis, 'connectSocket');
    },
    kill: (text = 'unreachable') => bridge.module.die(new WebAssembly.RuntimeError(text)),
  };
  const bridge = createBridge(settings, '', {
    begin() {
      page.begun++;
      onBegin(page);
    },
    restarts: () => true,
    onOpen() {},
  });
  return {
    ...bridge.family,
    ...bridge.off,
    connectTask: bridge.connectTask,
    stats: bridge.stats,
    bridge,
    page,
  };
}

/**
 * Creates a bridge that runs.
 * @param {import('../../../web/connectsocket.js').Settings} [settings]
 */
export async function startPage(settings) {
  const all = createPage(settings);
  all.page.start();
  await turn();
  return all;
}

/**
 * Logs a task's events.
 * @param {any} task
 * @param {string[]} log
 * @param {string} [name] before each line
 */
export function watch(task, log, name = '') {
  task.onOpen((/** @type {any} */ res) =>
    log.push(`${name}open${res.reconnected ? ` again ${res.reconnected}` : ''}`),
  );
  task.onMessage((/** @type {any} */ res) => log.push(`${name}message ${res.data}`));
  task.onError((/** @type {any} */ res) => log.push(`${name}error ${res.errMsg}`));
  task.onClose((/** @type {any} */ res) => log.push(`${name}close ${res.code}`));
  return log;
}
