/**
 * Makes what a test's JavaScript finds in scope: the functions of a bridge of its own, which Start is to join,
 * the echo server, and a log of one line an event.
 *
 * @param {(settings?: object) => any} createBridge
 * @param {object} settings of the bridge
 * @param {string} server URL of the echo server
 */
(createBridge, settings, server) => {
  const bridge = createBridge(settings);
  Object.assign(globalThis, { connectsocketBridge: bridge });

  /** @type {any[]} */
  const made = [];
  /** @type {string[]} */
  const log = [];
  /** @type {string[]} what reached window.onerror or unhandledrejection, and what console.warn was called with */
  const errors = [];
  /** @type {string[]} */
  const warnings = [];
  const { warn } = console;
  console.warn = (...args) => warnings.push(args.join(' '));
  const uncaught = (/** @type {any} */ event) => {
    event.preventDefault();
    errors.push(`${event.type} ${tell(event.type === 'error' ? event.error : event.reason)}`);
  };
  addEventListener('error', uncaught);
  addEventListener('unhandledrejection', uncaught);

  /** @param {ArrayBuffer} buffer */
  const hex = (buffer) =>
    Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join(' ');

  // Each engine has its own words for it.
  const revoked = thrownBy(() => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    Array.isArray(proxy);
  });

  /** @param {() => void} f */
  function thrownBy(f) {
    try {
      f();
    } catch (/** @type {any} */ error) {
      return `${error.name}: ${error.message}`;
    }
    return '';
  }

  /** A result, payload or error in one line. @param {any} res */
  function tell(res) {
    if (res?.errMsg) return res.errMsg.replace(revoked, 'TypeError: revoked');
    if (res?.code) return `${res.code} ${JSON.stringify(res.reason)}${res.wasClean ? '' : ' unclean'}`;
    if (typeof res?.data === 'string') return JSON.stringify(res.data);
    if (res?.data) return `${res.data.constructor.name} <${hex(res.data)}>`;
    if (res?.header) return JSON.stringify(res.header);
    return String(res);
  }

  /** A function that logs what it is called with. @param {string} name */
  const note = (name) => (/** @type {any} */ res) => {
    log.push(`${name} ${tell(res)}`);
  };

  const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const scope = {
    ...bridge.family,
    install: bridge.install,
    stats: bridge.stats,
    /** @param {any} option */
    connectSocket: (option) => {
      const promise = bridge.family.connectSocket(option);
      made.push(promise);
      return promise;
    },
    createBridge,
    bridge,
    /** What one body keeps for the next. */
    kept: {},
    log,
    errors,
    warnings,
    tell,
    note,
    sleep,
    thrownBy,
    hex,
    /** Callbacks that log. */
    on: { success: note('success'), fail: note('fail'), complete: note('complete') },
    /** The echo server's URL with a query. @param {string} [query] */
    echo: (query = '') => `${server}?${query}`,
    /** What the server saw of the connection of a name, once that has ended. @param {string} id */
    report: async (id) => (await fetch(`${server.replace(/^ws/, 'http')}?report=${id}`)).json(),
    /** A name for a connection. */
    unique: () => crypto.randomUUID(),
    /**
     * Logs a task's events; the promise resolves at its close, and a little later: nothing may follow that.
     * @param {any} task
     * @param {string} [name] before each line
     */
    watch: (task, name = '') => {
      for (const kind of ['Open', 'Message', 'Error', 'Close'])
        task[`on${kind}`](note(name + kind.toLowerCase()));
      return new Promise((resolve) => task.onClose((/** @type {any} */ res) => setTimeout(resolve, 30, res)));
    },
    /** Resolves to the first event of a kind. @param {any} task */
    opened: (task) => new Promise((resolve) => task.onOpen(resolve)),
    /**
     * Resolves when n messages have come, whether or not they have been delivered. @param {any} task @param {number} n
     */
    arrived: (task, n) =>
      new Promise((resolve) => task.ws.addEventListener('message', () => --n || resolve(null))),
    /** @param {any} task */
    closed: (task) => new Promise((resolve) => task.onClose(resolve)),
    /** @param {any} task */
    received: (task) => new Promise((resolve) => task.onMessage(resolve)),
    /** How a promise ends, in one line. @param {Promise<any>} promise */
    outcome: (promise) =>
      promise.then(
        (res) => `resolved ${res.errMsg}`,
        (reason) => `rejected ${tell(reason)}`,
      ),
  };

  return {
    ready: bridge.module.ready,
    log: () => JSON.stringify(log),
    /** Runs the body of an async function in the scope; resolves to its result as JSON. @param {string} body */
    run: async (body) => {
      const f = new Function(...Object.keys(scope), `return (async () => {${body}\n})()`);
      return JSON.stringify(await f(...Object.values(scope)));
    },
    /** Closes what is open and waits for that; resolves to what is left behind, as JSON. */
    finish: async () => {
      for (const task of made) task.close();
      for (let i = 0; bridge.stats().tasks > 0 && i < 1000; i++) await sleep(10);
      await sleep(0);
      console.warn = warn;
      removeEventListener('error', uncaught);
      removeEventListener('unhandledrejection', uncaught);
      const { tasks, slotsInUse } = bridge.stats();
      return JSON.stringify({ tasks, slotsInUse, errors });
    },
  };
};
