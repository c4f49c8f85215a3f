/**
 * The JavaScript half of the border. It owns every value: WebSockets, payloads, callbacks, promises. It
 * decides nothing: each event goes to the Go half as a few integers, and what Go decides comes back as one
 * integer, which `act` carries out. User code is called from here alone, never while Go is on the stack.
 *
 *   listener → put(payload) → go.event(task, kind, slot, size, busy) → decision → act → handlers
 *
 * @typedef {import('../../web/connectsocket.js').Settings} Settings
 * @typedef {{ success?: Callback, fail?: Callback, complete?: Callback }} Callbacks
 * @typedef {(res: any) => void} Callback
 */

// Kinds of event and verbs of decision: their numbers are those of internal/task/event.go.
const OPEN = 0;
const MESSAGE = 1;
const ERROR = 2;
const CLOSE = 3;
const FAILURE = 4;
const DUE = 5;
const STABLE = 6;

const DELIVER = 1;
const DROP = 2;
const KEEP = 3;
const ABORT = 4;
const SHED = 5;
const ASK = 6;
const ANSWER = 7;
const RETRY = 8;
const DIAL = 9;

// The exports of the Go half; without them each is entered by its place here, as enter in bridge_js.go has it.
const entrances = ['event', 'next', 'listen', 'send', 'state', 'discard', 'evict', 'newest', 'down', 'delay'];

// The layout of a decision, as pack in bridge_js.go makes it.
const OWN = 1 << 6;
const GLOBAL = 1 << 7;
const MORE = 1 << 8;

const RELAY_PROTOCOL = 'connectsocket.relay.v1';
const HELD_TOO_MUCH = 4008;
/** The close of a connection that was lost. */
const abnormal = { code: 1006, reason: '', wasClean: false };

const TASK = Symbol('connectsocket');
const noop = () => {};

/**
 * An object's properties without a prototype: what the page, or a library there, has put on Object.prototype is not among
 * them.
 * @template {object} T
 * @param {T} [object]
 * @returns {T}
 */
const bare = (object) => Object.assign(Object.create(null), object);

/**
 * Calls f with res. What it throws reaches `window.onerror` and nobody else.
 * @param {Callback} f
 * @param {unknown} res
 */
function run(f, res) {
  try {
    f(res);
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else
      setTimeout(() => {
        throw error;
      });
  }
}

/**
 * The name of a value's type as the mini-program frameworks give it: Undefined, Null, Array, String …
 * @param {unknown} value
 */
function typeName(value) {
  if (typeof value === 'bigint') return 'BigInt';
  if (typeof value === 'symbol') return 'Symbol';
  try {
    const name = Object.prototype.toString.call(value).slice(8, -1);
    // new String(…) is no String, and nor is what claims to be one.
    return typeof value === 'object' && (name === 'String' || name === 'Number') ? 'Object' : name;
  } catch {
    // A revoked Proxy, or a Symbol.toStringTag that throws.
    return typeof value === 'function' ? 'Function' : 'Object';
  }
}

/**
 * What was thrown, in words; total, whatever it is.
 * @param {unknown} thrown
 */
function describe(thrown) {
  try {
    if (thrown instanceof Error || thrown instanceof DOMException) return `${thrown.name}: ${thrown.message}`;
    return String(thrown);
  } catch {
    return 'unknown error';
  }
}

/** What is wrong with an option, in the words of an errMsg. */
class Fault extends Error {}

/**
 * @param {string} name
 * @param {string} want
 * @param {unknown} value
 */
const mismatch = (name, want, value) => new Fault(`${name} should be ${want} instead of ${typeName(value)}`);

/**
 * The fault of a value that cannot be read: a getter or a Proxy of the caller's may throw.
 * @param {string} name
 * @param {unknown} error
 */
const unreadable = (name, error) => new Fault(`reading ${name} threw ${describe(error)}`);

/**
 * Calls read, which touches values that are the caller's.
 * @template T
 * @param {string} name
 * @param {() => T} read
 * @returns {T}
 */
function reading(name, read) {
  try {
    return read();
  } catch (error) {
    throw unreadable(name, error);
  }
}

// Those of the hot path do without a closure and without the name, until it is wanted.

/**
 * @param {any} option
 * @param {string} name
 */
function get(option, name) {
  try {
    return option[name];
  } catch (error) {
    throw unreadable(`parameter.${name}`, error);
  }
}

/**
 * @param {unknown} value
 * @param {string} [name]
 */
function isObject(value, name = 'parameter') {
  try {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch (error) {
    throw unreadable(name, error);
  }
}

/**
 * Own properties, that no others are taken for them.
 * @returns {Callbacks}
 */
const noCallbacks = () => ({ success: undefined, fail: undefined, complete: undefined });

const callbackNames = /** @type {const} */ (['success', 'fail', 'complete']);

/**
 * Reads an option's callbacks, each by itself: whatever is wrong with one, the others are told. Throws the first
 * Fault when it has tried all.
 * @param {any} option
 * @param {Callbacks} callbacks what to read them into
 */
function readCallbacks(option, callbacks) {
  let fault;
  for (const name of callbackNames) {
    try {
      const f = get(option, name);
      if (typeof f === 'function') callbacks[name] = f;
    } catch (thrown) {
      fault ??= thrown;
    }
  }
  if (fault) throw fault;
}

/** @param {any} option */
function readProtocols(option) {
  const protocols = get(option, 'protocols') ?? [];
  if (typeof protocols === 'string') return [protocols];
  /** @type {unknown[] | undefined} */
  const list = reading('parameter.protocols', () =>
    Array.isArray(protocols) ? Array.from(protocols) : undefined,
  );
  if (!list) throw mismatch('parameter.protocols', 'Array', protocols);
  return list.map((each, i) => {
    if (typeof each !== 'string') throw mismatch(`parameter.protocols[${i}]`, 'String', each);
    return each;
  });
}

/**
 * Makes the header's values strings. Null and undefined are left out; other objects have no meaning there.
 * @param {any} option
 */
function readHeader(option) {
  const header = get(option, 'header') ?? {};
  if (!isObject(header, 'parameter.header')) throw mismatch('parameter.header', 'Object', header);
  /** @type {Array<[string, string]>} */
  const fields = [];
  for (const [name, value] of reading('parameter.header', () => Object.entries(header))) {
    if (value === undefined || value === null) continue;
    if (!['string', 'number', 'boolean', 'bigint'].includes(typeof value)) {
      throw mismatch(`parameter.header.${name}`, 'String', value);
    }
    if (name.toLowerCase() === 'referer') {
      console.warn('connectSocket: Referer is not available in header; it is not sent');
    } else {
      fields.push([name, String(value)]);
    }
  }
  // fromEntries defines properties, so that "__proto__" is a field like any other.
  return fields.length > 0 ? Object.fromEntries(fields) : undefined;
}

/**
 * @param {any} option
 * @param {string} name
 * @returns {boolean | undefined}
 */
function readBoolean(option, name) {
  const value = get(option, name);
  return typeof value === 'boolean' ? value : undefined;
}

const reconnectNames = ['retries', 'minDelay', 'maxDelay', 'factor', 'jitter'];

/**
 * Reads how a task is to connect anew: nothing where it is not to, else a number for each name, NaN for a default.
 * @param {any} option
 * @returns {number[]}
 */
function readReconnect(option) {
  const reconnect = get(option, 'reconnect') ?? false;
  if (reconnect === false) return [];
  if (reconnect !== true && !isObject(reconnect, 'parameter.reconnect')) {
    throw mismatch('parameter.reconnect', 'Boolean or Object', reconnect);
  }
  return reconnectNames.map((name) => {
    const value = reading(`parameter.reconnect.${name}`, () => reconnect[name]) ?? Number.NaN;
    if (typeof value !== 'number') throw mismatch(`parameter.reconnect.${name}`, 'Number', value);
    return value;
  });
}

/** Whether an attempt to connect is without sense or need now: nothing reaches the page, or nobody sees it. */
const isAway = () =>
  globalThis.navigator?.onLine === false || globalThis.document?.visibilityState === 'hidden';

/**
 * Reads a connectSocket option once, at the call: what its owner does to it later has no effect.
 * @param {any} option
 */
function readCall(option) {
  const call = {
    type: typeName(option),
    fault: '',
    urlType: 'Undefined',
    url: '',
    scheme: '',
    host: '',
    timeout: Number.NaN,
    /** @type {unknown} */
    relay: undefined,
    /** @type {string[]} */
    protocols: [],
    /** @type {number[]} */
    reconnect: [],
    /** What only the relay can send; undefined is not in its JSON. */
    unsendable: {
      /** @type {Record<string, string> | undefined} */
      header: undefined,
      /** @type {boolean | undefined} */
      tcpNoDelay: undefined,
      /** @type {boolean | undefined} */
      perMessageDeflate: undefined,
    },
    callbacks: noCallbacks(),
  };
  try {
    if (!isObject(option)) return call;
    call.type = 'Object';
    readCallbacks(option, call.callbacks);
    const url = get(option, 'url');
    call.urlType = typeName(url);
    if (typeof url === 'string') {
      call.url = url;
      try {
        ({ protocol: call.scheme, host: call.host } = new URL(url));
      } catch {} // no scheme: refused
    }
    const timeout = get(option, 'timeout');
    if (typeof timeout === 'number') call.timeout = timeout;
    call.relay = get(option, 'relay');
    call.protocols = readProtocols(option);
    call.reconnect = readReconnect(option);
    call.unsendable.header = readHeader(option);
    call.unsendable.tcpNoDelay = readBoolean(option, 'tcpNoDelay');
    call.unsendable.perMessageDeflate = readBoolean(option, 'perMessageDeflate');
  } catch (fault) {
    call.fault = describeFault(fault);
  }
  return call;
}

/** @param {unknown} fault */
const describeFault = (fault) => (fault instanceof Fault ? fault.message : describe(fault));

/**
 * Tells the callbacks of a call how it ended, then calls `then`: in a microtask, so that the caller has the
 * returned value by then.
 * @param {Callbacks} callbacks
 * @param {boolean} ok
 * @param {unknown} res
 * @param {() => void} [then]
 */
function settle({ success, fail, complete }, ok, res, then = noop) {
  queueMicrotask(() => {
    const told = ok ? success : fail;
    if (told) run(told, res);
    if (complete) run(complete, res);
    then();
  });
}

/**
 * The promise of a send or close that has ended. Where nobody looks at a failure it is not reported as
 * unhandled: the promise is ours to return, not the caller's to ask for.
 * @param {Callbacks} callbacks
 * @param {boolean} ok
 * @param {string} errMsg
 */
function outcome(callbacks, ok, errMsg) {
  const res = { errMsg };
  if (callbacks.success || callbacks.fail || callbacks.complete) settle(callbacks, ok, res);
  if (ok) return Promise.resolve(res);
  const rejected = Promise.reject(res);
  rejected.catch(noop);
  return rejected;
}

// Brand checks: unlike instanceof they hold across realms, and no object can pretend to have passed them.
const brands = [ArrayBuffer.prototype, Blob.prototype].map(
  (prototype, i) =>
    /** @type {PropertyDescriptor} */ (
      Object.getOwnPropertyDescriptor(prototype, i === 0 ? 'byteLength' : 'size')
    ).get,
);

/** @param {any} data */
function isSendable(data) {
  if (typeof data === 'string' || ArrayBuffer.isView(data)) return true;
  return brands.some((brand) => {
    try {
      brand?.call(data);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Creates the bridge of one module.
 * @param {Settings} [settings] limits and relay, read when the Go half starts
 * @param {string} [version] of the script; a module of another version is refused
 * @param {() => void} [begin] called by the first call that has to wait for the module
 */
function createBridge(settings = bare(), version = '', begin = noop) {
  /** @type {any[]} payloads on their way to a decision, or held by one */
  const slots = [];
  /** @type {number[]} */
  const free = [];
  /** @type {Map<number, Connection>} those that the Go half knows, oldest first */
  const connections = new Map();
  /** @type {Set<Connection>} those that connect anew when the page is back; undefined until there was one */
  let resting;
  /** @type {Callback[][]} by kind, those of the global functions */
  const globalHandlers = [[], [], [], []];
  /** @type {Array<() => void> | null} calls that wait for the module; null once it runs or has failed */
  let waiting = [];
  /** @type {any} the Go half's functions that take integers */
  let go;
  /** @type {Record<string, (...args: unknown[]) => any>} those that take or return strings */
  let door;
  const texts = { notOpen: '', badData: '', notConnected: '', timedOut: '', heldTooMuch: '', badAnswer: '' };
  let failure = ''; // why no call can succeed
  let lastId = 0; // of a module that has died
  let earlySockets = 0;
  let warned = false;
  /** @type {(running?: unknown) => void} */
  let markReady;
  /** @type {(reason: Error) => void} */
  let markFailed;
  const ready = new Promise((resolve, reject) => {
    markReady = resolve;
    markFailed = reject;
  });
  ready.catch(noop);

  /** @param {unknown} value */
  function put(value) {
    const slot = free.length > 0 ? /** @type {number} */ (free.pop()) : slots.length;
    slots[slot] = value;
    return slot;
  }

  /** @param {number} slot */
  function take(slot) {
    const value = slots[slot];
    slots[slot] = undefined;
    free.push(slot);
    return value;
  }

  // One set of listeners for all WebSockets: each finds its connection behind the symbol.
  /** @type {Record<string, (this: any, event: any) => void>} */
  const listeners = {
    open() {
      /** @type {Connection} */
      const c = this[TASK];
      const { protocol } = this;
      const now = Date.now();
      const header = protocol ? { 'Sec-WebSocket-Protocol': protocol } : {};
      const profile = { fetchStart: c.began, connectEnd: now, cost: now - c.began };
      c.post(OPEN, c.relayed ? undefined : c.establish({ header, profile }));
    },
    message({ data }) {
      this[TASK].post(
        MESSAGE,
        { data },
        typeof data === 'string' ? data.length : (data.byteLength ?? data.size),
      );
    },
    error() {
      /** @type {Connection} */
      const c = this[TASK];
      // WebKit tells of ws: in an https: page by an error alone, of a WebSocket that goes on connecting.
      if (this.readyState === 0) c.post(FAILURE, c.lost());
      // Whether a task connects anew depends on the code, which comes with the close.
      else if (c.call.reconnect.length === 0) c.post(ERROR, c.lost());
    },
    close({ code, reason, wasClean }) {
      // Engines differ in when an error comes before an unclean close; the Go half lets one through.
      if (!wasClean) this[TASK].post(ERROR, this[TASK].lost(), code);
      this[TASK].post(CLOSE, { code, reason, wasClean }, code);
    },
  };

  const kinds = Object.keys(listeners);

  /** A task: what a call was given, its WebSocket and its handlers. */
  class Connection {
    id = 0; // until the Go half has admitted the call
    /** @type {any} */
    ws = null;
    opened = false;
    ended = false;
    opens = 0; // how often it was
    limit = 0; // milliseconds that an attempt may take
    uptime = 0; // and that a connection must last to count as good, where one that is lost is followed by another
    protocol = '';
    errMsg = 'connectSocket:ok';
    began = Date.now();
    /** @type {Callback[][]} by kind */
    handlers = [[], [], [], []];
    /** @type {unknown[][]} by kind, what was still held when the task ended */
    late = [[], [], [], []];
    /** @type {Array<[number, unknown, number]> | null} events from before whoever awaits the promise has the task */
    early = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    timer;
    busy = false; // a decision is being carried out
    again = false; // and the next is to be asked for then
    scheduled = false; // a microtask that replays is on its way
    /** @type {(task: any) => void} */
    resolve = noop;
    /** @type {(reason: any) => void} */
    reject = noop;

    /** @param {ReturnType<typeof readCall>} call */
    constructor(call) {
      this.call = call;
      this.unsendable = Object.values(call.unsendable).some((value) => value !== undefined);
      this.relayed = Boolean(settings.relay) && (this.unsendable || call.relay === 'always');
      this.task = Object.create(taskPrototype, { [TASK]: bare({ value: this }) });
      this.promise = new Promise((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
      });
      if (call.callbacks.fail || call.callbacks.complete) this.promise.catch(noop); // told, hence handled
      Object.defineProperty(this.promise, TASK, bare({ value: this }));
      Object.setPrototypeOf(this.promise, promisePrototype);
    }

    /** Opens the WebSocket; throws what its constructor throws. */
    open() {
      const ws = this.relayed
        ? new WebSocket(/** @type {string} */ (settings.relay), RELAY_PROTOCOL)
        : new WebSocket(this.call.url, this.call.protocols);
      ws.binaryType = 'arraybuffer';
      Object.defineProperty(ws, TASK, bare({ value: this }));
      for (const kind of kinds) ws.addEventListener(kind, listeners[kind]);
      this.ws = ws;
    }

    /** Closes the WebSocket and takes the listeners off: nothing more comes from it. */
    detach() {
      for (const kind of kinds) this.ws?.removeEventListener(kind, listeners[kind]);
      this.ws?.close();
    }

    /** Opens the WebSocket while the module still loads. The Go half judges the call later all the same. */
    openEarly() {
      const { fault, scheme, host } = this.call;
      if (fault || (scheme !== 'ws:' && scheme !== 'wss:')) return;
      if (settings.domains && !settings.domains.includes(`${scheme}//${host}`)) return;
      if (earlySockets >= (settings.maxSockets ?? 5)) return;
      try {
        this.open();
        earlySockets++;
      } catch {} // thrown again, and told, when the call is admitted
    }

    /** Lets the Go half judge the call. */
    admit() {
      const { type, fault, urlType, url, scheme, host, timeout, reconnect, callbacks } = this.call;
      const answer = enter(() =>
        door.connect(type, fault, urlType, url, scheme, host, timeout, this.relayed, ...reconnect),
      );
      if (typeof answer === 'string') return this.refuse(answer);
      if (!Array.isArray(answer)) return this.postpone(new Error('it answers no more'));
      const [id, limit, uptime] = answer;
      this.limit = limit;
      this.uptime = uptime;
      try {
        if (!this.ws) this.open();
      } catch (error) {
        enter(() => go.discard(id));
        return this.refuse(`connectSocket:fail ${describe(error)}`);
      }
      enter(() => {
        for (let old = go.evict(); old !== 0; old = go.evict()) connections.get(old)?.leave(1000);
        for (let kind = OPEN; kind <= CLOSE; kind++) if (this.handlers[kind].length > 0) go.listen(id, kind);
      });
      if (!go) return this.postpone();
      this.id = id;
      connections.set(id, this);
      if (this.unsendable && !this.relayed && !warned) {
        warned = true;
        console.warn(
          'connectSocket: header, tcpNoDelay and perMessageDeflate need a relay; they are not sent',
        );
      }
      settle(callbacks, true, { errMsg: this.errMsg, socketTaskId: id }, () => {
        this.resolve(this.task);
        // In a task of its own, as an event of the WebSocket is: who awaits the promise registers first.
        if (this.early?.length) setTimeout(() => this.catchUp());
        else this.early = null;
        // Not before: what came in time is told before what did not.
        if (!this.ended) this.watch();
      });
    }

    /**
     * Waits for the next module: the one that was asked has died.
     * @param {Error} [why]
     */
    postpone(why) {
      if (go) die(why);
      if (failure) return this.refuse(`connectSocket:fail ${failure}`);
      waiting?.push(() => this.admit());
      begin();
    }

    catchUp() {
      // What a handler causes joins the end of the line.
      for (const event of this.early ?? []) this.submit(...event);
      this.early = null;
    }

    /**
     * Ends a call that is not accepted. Its methods work: they tell why.
     * @param {string} errMsg
     */
    refuse(errMsg) {
      this.errMsg = errMsg;
      const res = { errMsg };
      this.detach();
      this.over();
      settle(this.call.callbacks, false, res, () => {
        this.reject(res);
        this.tellEnd(errMsg);
      });
    }

    /**
     * Ends the task without the Go half.
     * @param {string} errMsg
     */
    end(errMsg) {
      this.detach();
      this.over();
      this.tellEnd(errMsg);
    }

    /**
     * Tells the handlers of an end that the Go half does not tell.
     * @param {string} errMsg
     */
    tellEnd(errMsg) {
      this.late[ERROR].push({ errMsg });
      this.late[CLOSE].push({ ...abnormal });
      this.schedule();
    }

    over() {
      this.ended = true;
      clearTimeout(this.timer);
      resting?.delete(this);
      connections.delete(this.id);
    }

    /** What onError tells where the browser gives no reason. */
    lost(how = this.opened ? 'was lost' : 'failed') {
      return { errMsg: `connectSocket:fail WebSocket connection to "${this.call.url}" ${how}` };
    }

    /**
     * Notes that the connection is open, through the relay to its upstream.
     * @param {object} payload of its event
     */
    establish(payload) {
      this.opened = true;
      this.watch();
      return this.opens++ > 0 ? { ...payload, reconnected: this.opens - 1 } : payload;
    }

    /** Starts the timer of an attempt that may take too long, or of a connection that may not last. */
    watch() {
      if (!this.opened) {
        const expire = () => this.post(FAILURE, { errMsg: texts.timedOut });
        this.wait(expire, this.began + this.limit - Date.now());
      } else if (this.uptime > 0) {
        this.wait(() => this.submit(STABLE), this.uptime);
      } else {
        clearTimeout(this.timer);
      }
    }

    /**
     * Starts the task's one timer.
     * @param {() => void} f
     * @param {number} [ms]
     */
    wait(f, ms) {
      clearTimeout(this.timer);
      this.timer = setTimeout(f, ms);
    }

    /** Connects anew, when the page is there to see it. */
    retry() {
      if (!isAway()) return this.submit(DUE);
      if (!resting) {
        resting = new Set();
        addEventListener('online', comeBack);
        globalThis.document?.addEventListener('visibilitychange', comeBack);
      }
      resting.add(this);
    }

    /**
     * Closes the WebSocket, as the user or the limit wants it.
     * @param {number} code
     * @param {string} [reason]
     */
    leave(code, reason) {
      this.ws.close(code, reason);
      // Between two attempts nothing tells of the close.
      if (enter(() => go.down(this.id))) this.wait(() => this.submit(CLOSE, { ...abnormal }, abnormal.code));
    }

    /**
     * Takes an event of the WebSocket.
     * @param {number} kind
     * @param {unknown} payload
     * @param {number} [size]
     */
    post(kind, payload, size = 0) {
      if (this.early) this.early.push([kind, payload, size]);
      else this.submit(kind, payload, size);
    }

    /**
     * Posts an event to the Go half and carries out what it decides.
     * @param {number} kind
     * @param {unknown} [payload]
     * @param {number} [size] of a message, or the code of a close
     */
    submit(kind, payload, size = 0) {
      if (this.ended) return;
      try {
        if (this.busy) {
          this.again = true;
          go.event(this.id, kind, put(payload), size, 1);
        } else {
          this.carryOut(go.event(this.id, kind, put(payload), size, 0));
        }
      } catch (error) {
        if (go) die(error);
      }
    }

    /**
     * Carries out a decision and those that wait behind it; meanwhile what user code causes is only posted.
     * @param {number} decision
     */
    carryOut(decision) {
      this.busy = true;
      this.act(decision);
      while (this.again || decision & MORE) {
        this.again = false;
        decision = go.next(this.id);
        this.act(decision);
      }
      this.busy = false;
    }

    /** @param {number} decision */
    act(decision) {
      const kind = (decision >> 4) & 3;
      const slot = decision >> 9;
      switch (decision & 15) {
        case DELIVER: {
          const payload = take(slot);
          if (kind === CLOSE) this.over();
          // One of the task's own may register another, which is told only what comes then.
          const others = globalHandlers[kind].length;
          if (decision & OWN) callAll(this.handlers[kind], payload);
          if (decision & GLOBAL) callAll(globalHandlers[kind], payload, others);
          if (kind === CLOSE) replayNewest();
          return;
        }
        case DROP:
          take(slot);
          return;
        case KEEP:
          this.late[kind].push(take(slot));
          if (kind === CLOSE) {
            this.over();
            replayNewest();
          }
          return;
        case ABORT: {
          const payload = take(slot);
          this.detach();
          this.submit(ERROR, payload, abnormal.code);
          this.submit(CLOSE, { ...abnormal }, abnormal.code);
          return;
        }
        case SHED:
          take(slot);
          this.submit(ERROR, { errMsg: texts.heldTooMuch });
          this.ws.close(HELD_TOO_MUCH);
          return;
        case ASK: {
          take(slot);
          const { url, protocols, unsendable } = this.call;
          this.ws.send(JSON.stringify({ url, protocols, ...unsendable, timeout: this.limit }));
          return;
        }
        case ANSWER:
          this.answered(take(slot).data);
          return;
        case RETRY: {
          const { code, reason, wasClean } = take(slot);
          this.opened = false;
          this.wait(() => this.retry(), go.delay(this.id, (Math.random() * 2 ** 31) | 0));
          // An unclean close has had its error.
          if (wasClean) this.submit(ERROR, this.lost(`was closed with ${code} ${reason}`.trim()));
          return;
        }
        case DIAL:
          take(slot);
          this.began = Date.now();
          this.protocol = '';
          try {
            this.open();
            this.watch();
          } catch (error) {
            this.submit(FAILURE, { errMsg: `connectSocket:fail ${describe(error)}` });
          }
      }
    }

    /**
     * Takes the relay's answer.
     * @param {string} text
     */
    answered(text) {
      /** @type {any} */
      let answer;
      try {
        answer = bare(JSON.parse(text));
      } catch {} // told below
      if (answer?.open) {
        const { protocol = '', header = {}, profile = {} } = answer;
        this.protocol = protocol;
        this.submit(OPEN, this.establish({ header, profile }));
      } else {
        const errMsg = answer?.errMsg;
        this.submit(FAILURE, { errMsg: typeof errMsg === 'string' ? errMsg : texts.badAnswer });
      }
    }

    /**
     * Registers a handler. The first of its kind is given, in a microtask, what was held for it.
     * @param {number} kind
     * @param {Callback} handler
     */
    on(kind, handler) {
      if (!addHandler(this.handlers[kind], handler)) return;
      if (connections.has(this.id)) enter(() => go.listen(this.id, kind));
      this.schedule();
    }

    schedule() {
      if (this.scheduled) return;
      this.scheduled = true;
      queueMicrotask(() => {
        this.scheduled = false;
        this.replay();
      });
    }

    /** Delivers what was held and has a handler now. */
    replay() {
      if (this.ended) {
        for (let kind = OPEN; kind <= CLOSE; kind++) {
          if (this.handlers[kind].length === 0) continue;
          for (const payload of this.late[kind].splice(0)) callAll(this.handlers[kind], payload);
        }
      } else if (this.busy) {
        this.again = true;
      } else if (!this.early) {
        enter(() => this.carryOut(go.next(this.id)));
      }
    }

    /**
     * @param {any} option
     * @param {string} api the function's name, for errMsg
     * @returns {Promise<{ errMsg: string }>}
     */
    send(option, api) {
      if (waiting && !this.ended) return later(() => this.send(option, api));
      const callbacks = noCallbacks();
      let data;
      try {
        if (!isObject(option)) throw mismatch('parameter', 'Object', option);
        readCallbacks(option, callbacks);
        data = get(option, 'data');
      } catch (fault) {
        return outcome(callbacks, false, `${api}:fail parameter error: ${describeFault(fault)}`);
      }
      // It has never run, nor given its texts.
      if (texts.notOpen === '') return outcome(callbacks, false, `${api}:fail ${failure}`);
      if (!isSendable(data))
        return outcome(callbacks, false, `${api}:fail ${texts.badData}${typeName(data)}`);
      try {
        if (this.ended || go.send(this.id, this.ws.readyState) !== 1) {
          return outcome(callbacks, false, `${api}:fail ${texts.notOpen}`);
        }
        this.ws.send(data);
      } catch (error) {
        return outcome(callbacks, false, `${api}:fail ${describe(error)}`);
      }
      return outcome(callbacks, true, 'sendSocketMessage:ok');
    }

    /**
     * @param {any} option
     * @returns {Promise<{ errMsg: string }>}
     */
    close(option = bare()) {
      if (waiting && !this.ended) return later(() => this.close(option));
      const callbacks = noCallbacks();
      let fault = '';
      let code = 1000;
      let reason = '';
      try {
        if (!isObject(option)) throw mismatch('parameter', 'Object', option);
        readCallbacks(option, callbacks);
        code = get(option, 'code') ?? 1000;
        if (typeof code !== 'number') throw mismatch('parameter.code', 'Number', code);
        reason = get(option, 'reason') ?? '';
        if (typeof reason !== 'string') throw mismatch('parameter.reason', 'String', reason);
      } catch (thrown) {
        fault = describeFault(thrown);
        code = 1000;
        reason = '';
      }
      if (!this.ended) {
        const answer = enter(() => door.close(this.id, fault, code, new TextEncoder().encode(reason).length));
        if (typeof answer === 'string') return outcome(callbacks, false, answer);
        if (answer) {
          this.leave(code, reason);
          replayNewest();
        }
      }
      return outcome(callbacks, true, 'closeSocket:ok');
    }

    get readyState() {
      if (this.ended) return 3;
      if (this.id === 0) return 0;
      const { readyState } = this.ws;
      const state = enter(() => go.state(this.id));
      // The WebSocket knows first that the peer is closing; that it is open says nothing of a relay's upstream, and that
      // it is closed nothing of the next one.
      return readyState > 1 && !enter(() => go.down(this.id)) ? Math.max(readyState, state) : state;
    }
  }

  /**
   * Calls into the Go half; if that throws, the module is dead.
   * @template T
   * @param {() => T} f
   * @returns {T | 0}
   */
  function enter(f) {
    try {
      return f();
    } catch (error) {
      if (go) die(error);
      return 0;
    }
  }

  /**
   * Ends every task: the Go half is gone. Where the loader can start another, calls after that wait for it.
   * @param {unknown} why
   */
  function die(why) {
    if (failure) return;
    const reason = `the module has died: ${describe(why)}`;
    const live = [...connections.values()];
    lastId = Math.max(lastId, ...connections.keys());
    go = undefined;
    slots.length = 0;
    free.length = 0;
    if (bridge.restart?.()) {
      waiting ??= [];
      if (waiting.length > 0) begin();
    } else {
      fail(new Error(reason));
    }
    const errMsg = `connectSocket:fail ${reason}`;
    for (const c of live) c.end(errMsg);
    if (live.length > 0) {
      callAll(globalHandlers[ERROR], { errMsg });
      callAll(globalHandlers[CLOSE], { ...abnormal });
    }
  }

  /** Connects anew those that have waited for the page. */
  function comeBack() {
    if (isAway()) return;
    const back = [...(resting ?? [])];
    resting?.clear();
    for (const c of back) c.submit(DUE);
  }

  /** Settles what waited for the module. */
  function flush() {
    const calls = waiting ?? [];
    waiting = null;
    for (const call of calls) call();
  }

  /**
   * Refuses all calls from now on, and those that wait.
   * @param {Error} why
   */
  function fail(why) {
    failure = why.message;
    markFailed(why);
    flush();
  }

  /**
   * @param {Callback[]} handlers
   * @param {unknown} payload
   * @param {number} [n] how many of them
   */
  function callAll(handlers, payload, n = handlers.length) {
    // None is ever removed, and one that is added meanwhile is not for this payload.
    for (let i = 0; i < n; i++) run(handlers[i], payload);
  }

  /**
   * @param {Callback[]} handlers
   * @param {Callback} handler
   * @returns whether it is the first
   */
  function addHandler(handlers, handler) {
    if (typeof handler !== 'function') {
      console.warn(
        `connectSocket: a handler should be Function instead of ${typeName(handler)}; it is ignored`,
      );
      return false;
    }
    return !handlers.includes(handler) && handlers.push(handler) === 1;
  }

  /** The task that the global functions are for, if there is one. */
  const newest = () => (failure ? undefined : connections.get(enter(() => go.newest())));

  /** A slot came back: the handlers of the global functions may now be an older task's. */
  function replayNewest() {
    if (globalHandlers.some((handlers) => handlers.length > 0)) newest()?.schedule();
  }

  /**
   * Makes a call when the module runs, or has failed.
   * @param {() => Promise<{ errMsg: string }>} call
   * @returns {Promise<{ errMsg: string }>}
   */
  function later(call) {
    begin();
    const promise = new Promise((resolve) => waiting?.push(() => resolve(call())));
    promise.catch(noop);
    return promise;
  }

  /** @type {PropertyDescriptorMap & ThisType<any>} */
  const members = {
    send: method(function (option) {
      return this[TASK].send(option, 'SocketTask.send');
    }),
    close: method(function (option) {
      return this[TASK].close(option);
    }),
    onOpen: method(function (handler) {
      this[TASK].on(OPEN, handler);
    }),
    onMessage: method(function (handler) {
      this[TASK].on(MESSAGE, handler);
    }),
    onError: method(function (handler) {
      this[TASK].on(ERROR, handler);
    }),
    onClose: method(function (handler) {
      this[TASK].on(CLOSE, handler);
    }),
    readyState: getter((c) => c.readyState),
    socketTaskId: getter((c) => c.id),
    errMsg: getter((c) => c.errMsg),
    protocol: getter((c) => (c.relayed ? c.protocol : (c.ws?.protocol ?? ''))),
    bufferedAmount: getter((c) => c.ws?.bufferedAmount ?? 0),
    ws: getter((c) => c.ws),
    CONNECTING: bare({ value: 0, enumerable: true }),
    OPEN: bare({ value: 1, enumerable: true }),
    CLOSING: bare({ value: 2, enumerable: true }),
    CLOSED: bare({ value: 3, enumerable: true }),
  };
  const taskPrototype = Object.create(Object.prototype, members);
  const promisePrototype = Object.create(Promise.prototype, members);

  /**
   * @param {(this: any, argument: any) => unknown} value
   * @returns {PropertyDescriptor}
   */
  function method(value) {
    return bare({ value, writable: true, configurable: true, enumerable: true });
  }

  /**
   * @param {(c: Connection) => unknown} read
   * @returns {PropertyDescriptor}
   */
  function getter(read) {
    return bare({
      /** @this {any} */
      get() {
        return read(this[TASK]);
      },
      configurable: true,
      enumerable: true,
    });
  }

  /** @param {unknown} option */
  function connect(option) {
    const c = new Connection(readCall(option));
    if (waiting) {
      begin();
      c.openEarly();
      waiting.push(() => c.admit());
    } else {
      c.admit();
    }
    return c;
  }

  /** @param {unknown} option */
  const connectSocket = (option) => connect(option).promise;

  /** @param {unknown} option */
  function connectTask(option) {
    const { promise, task } = connect(option);
    promise.catch(noop); // nobody has it; the task tells
    return task;
  }

  /**
   * @param {any} option
   * @param {string} api
   * @param {(c: Connection) => Promise<{ errMsg: string }>} call
   * @returns {Promise<{ errMsg: string }>}
   */
  function withNewest(option, api, call) {
    if (waiting) return later(() => withNewest(option, api, call));
    const c = newest();
    if (c) return call(c);
    const callbacks = noCallbacks();
    try {
      readCallbacks(option ?? bare(), callbacks);
    } catch {} // why it fails is known
    return outcome(callbacks, false, `${api}:fail ${failure || texts.notConnected}`);
  }

  /**
   * @param {number} kind
   * @returns {(handler: Callback) => void}
   */
  const onSocket = (kind) => (handler) => {
    if (!addHandler(globalHandlers[kind], handler) || waiting || failure) return;
    enter(() => go.listen(0, kind));
    for (const c of connections.values()) c.schedule();
  };

  const family = {
    connectSocket,
    /** @param {any} option */
    sendSocketMessage: (option) =>
      withNewest(option, 'sendSocketMessage', (c) => c.send(option, 'sendSocketMessage')),
    /** @param {any} [option] */
    closeSocket: (option) => withNewest(option, 'closeSocket', (c) => c.close(option)),
    onSocketOpen: onSocket(OPEN),
    onSocketMessage: onSocket(MESSAGE),
    onSocketError: onSocket(ERROR),
    onSocketClose: onSocket(CLOSE),
  };

  const bridge = {
    family,
    connectTask,
    ready,
    fail,
    die,
    run,

    /** @type {any} the instance's exports, where the loader has them */
    exports: undefined,

    /** @type {(() => boolean) | undefined} the loader's: told of a death, it says whether begin starts another module */
    restart: undefined,

    /**
     * Puts connectSocket and the family on an object.
     * @template {object} T
     * @param {T} target
     */
    install: (target) => Object.assign(target, family),

    /** What the bridge holds. */
    stats: () => ({ tasks: connections.size, slots: slots.length, slotsInUse: slots.length - free.length }),

    /**
     * Called by the Go half once, when it can be entered.
     * @param {string} itsVersion
     * @param {(number: number, ...args: number[]) => any} entrance
     * @param {(...args: unknown[]) => void} configure
     * @param {(...args: unknown[]) => any} connect
     * @param {(...args: unknown[]) => any} close
     * @param {string[]} itsTexts
     */
    start(itsVersion, entrance, configure, connect, close, ...itsTexts) {
      if (version && itsVersion !== version) {
        fail(new Error(`the module is of version ${itsVersion || 'unknown'}, the script of ${version}`));
        return;
      }
      door = { configure, connect, close };
      go =
        bridge.exports ?? Object.fromEntries(entrances.map((name, i) => [name, entrance.bind(undefined, i)]));
      [texts.notOpen, texts.badData, texts.notConnected, texts.timedOut, texts.heldTooMuch, texts.badAnswer] =
        itsTexts;
      globalThis.connectSocket = /** @type {any} */ (connectSocket);
      Reflect.deleteProperty(globalThis, 'connectsocketBridge');
      // Not before Go has returned: nothing of the page runs with Go on the stack.
      queueMicrotask(() => {
        const { maxSockets = 0, onLimit, maxHeldBytes = 0, maxHeldMessages = 0, domains = [] } = settings;
        enter(() => {
          door.configure(
            lastId,
            maxSockets,
            onLimit === 'replace',
            maxHeldBytes,
            maxHeldMessages,
            ...domains,
          );
          for (let kind = OPEN; kind <= CLOSE; kind++)
            if (globalHandlers[kind].length > 0) go.listen(0, kind);
        });
        flush();
        markReady();
      });
    },
  };
  return bridge;
}

export { bare, createBridge };
