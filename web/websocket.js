import { connectTask } from './connectsocket.mjs';

/**
 * @typedef {import('./connectsocket.js').ConnectOption} ConnectOption
 * @typedef {import('./connectsocket.js').SocketTask} SocketTask
 * @typedef {import('./websocket.js').WebSocketOption} WebSocketOption
 */

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** A subprotocol's characters (RFC 6455, section 4.1: a token of RFC 2616). */
const token = /^[\w!#$%&'*+\-.^`|~]+$/;

/** What send passes on as it is. By name, so that those of another realm count too. */
const binary = /^\[object (ArrayBuffer|Blob|File)\]$/;

/** Node has none before its version 23. */
const CloseEvent =
  globalThis.CloseEvent ??
  class CloseEvent extends Event {
    /**
     * @param {string} type
     * @param {CloseEventInit} init
     */
    constructor(type, init) {
      super(type);
      Object.assign(this, init);
    }
  };

/**
 * What a WebSocket is made of. Who asks for that of another object gets a TypeError.
 *
 * @typedef {object} Socket
 * @property {SocketTask} task
 * @property {string} url
 * @property {number} state as its events have reported it
 * @property {BinaryType} binaryType
 * @property {Map<string, { value: any, handleEvent(event: Event): void }>} handlers those of the on… attributes
 */

/** @type {WeakMap<object, Socket>} */
const sockets = new WeakMap();

/**
 * @param {object} webSocket
 * @returns {Socket}
 */
function socketOf(webSocket) {
  const socket = sockets.get(webSocket);
  if (!socket) throw new TypeError('this is not a WebSocket');
  return socket;
}

/**
 * @param {string} message
 * @param {string} name
 */
const domException = (message, name) => new DOMException(message, name);

/**
 * Reads a URL as the WHATWG's constructor does: relative to the page, http: as ws: and https: as wss:.
 * @param {string} text
 */
function parseUrl(text) {
  let url;
  try {
    url = new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw domException(`the URL "${text}" is invalid`, 'SyntaxError');
  }
  url.protocol = url.protocol.replace(/^http/, 'ws');
  if (!/^wss?:$/.test(url.protocol)) {
    throw domException(`the URL "${text}" should begin with ws:, wss:, http: or https:`, 'SyntaxError');
  }
  if (url.href.includes('#')) throw domException(`the URL "${text}" has a fragment`, 'SyntaxError');
  return url;
}

/**
 * @param {any} protocols
 * @returns {string[]}
 */
function parseProtocols(protocols) {
  /** @type {string[]} */
  const list =
    Object(protocols) === protocols && protocols[Symbol.iterator]
      ? Array.from(protocols, (each) => `${each}`)
      : [`${protocols}`];
  const wrong = list.find((each, i) => !token.test(each) || list.indexOf(each) !== i);
  if (wrong !== undefined) {
    throw domException(`the subprotocol "${wrong}" is invalid or given twice`, 'SyntaxError');
  }
  return list;
}

/**
 * A WebSocket over a task, after the WHATWG's interface (https://websockets.spec.whatwg.org): for libraries that take
 * one, which so have this package's options. It differs where the task does:
 *
 * - An error event has `errMsg`, which says why, and an open event the `header` and `profile` of onOpen.
 * - With `reconnect`, a lost connection is an error event and CONNECTING again, each new one is an open event, with
 *   `reconnected`, and the close event comes at the end alone.
 * - It counts as one of the page's maxSockets.
 *
 * It is for handing over, not for globalThis.WebSocket: with that the package itself connects.
 */
export class WebSocket extends EventTarget {
  /**
   * Connects; events tell the rest.
   *
   * @param {string | URL} url ws:, wss:, http: or https:, or relative to the page; without a fragment
   * @param {string | Iterable<string>} [protocols] subprotocols to offer
   * @param {WebSocketOption} [option] of connectSocket
   * @throws {DOMException} SyntaxError where the URL or a subprotocol is invalid, or one is given twice
   */
  constructor(url, protocols = [], option) {
    // biome-ignore lint/complexity/noArguments: a URL may be made of undefined, but not of nothing
    if (arguments.length === 0) throw new TypeError('WebSocket needs a URL');
    super();
    const { href, origin } = parseUrl(`${url}`);
    const task = connectTask({ ...option, url: href, protocols: parseProtocols(protocols) });
    /** @type {Socket} */
    const socket = { task, url: href, state: CONNECTING, binaryType: 'blob', handlers: new Map() };
    sockets.set(this, socket);

    /** @type {object | undefined} the last error, if it is not reported yet */
    let failure;
    let failed = false; // and reported, since the connection was last open
    /** @param {object} [res] */
    const fail = (res) => {
      failed = true;
      super.dispatchEvent(Object.assign(new Event('error'), res));
    };
    task.onOpen((res) => {
      if (socket.state !== CONNECTING) return;
      failed = false;
      socket.state = OPEN;
      super.dispatchEvent(Object.assign(new Event('open'), res));
    });
    task.onMessage(({ data }) => {
      if (socket.state !== OPEN) return;
      const wanted = typeof data !== 'string' && socket.binaryType === 'blob' ? new Blob([data]) : data;
      super.dispatchEvent(new MessageEvent('message', { data: wanted, origin }));
    });
    task.onError((res) => {
      // An error that ends the task is reported when it is CLOSED, as the standard says.
      if (!option?.reconnect || !task.ws) {
        failure = res;
        return;
      }
      if (socket.state === OPEN) socket.state = CONNECTING;
      fail(res);
    });
    task.onClose((res) => {
      const end = () => {
        socket.state = CLOSED;
        if (failure || !(res.wasClean || failed)) fail(failure);
        super.dispatchEvent(new CloseEvent('close', res));
      };
      // A refused call ends before its caller goes on; a WebSocket gives that time to add listeners.
      if (task.ws) end();
      else setTimeout(end);
    });
  }

  /**
   * Makes a class whose WebSockets have these options: for a library that takes a class.
   *
   * @param {WebSocketOption} option those of the constructor's third argument are laid over them
   */
  static with(option) {
    // biome-ignore lint/complexity/noThisInStatic: the options of a class with options stay
    return class WebSocket extends this {
      /**
       * @param {string | URL} url
       * @param {string | Iterable<string>} [protocols]
       * @param {WebSocketOption} [more]
       */
      constructor(url, protocols, more) {
        super(url, protocols, { ...option, ...more });
      }
    };
  }

  get url() {
    return socketOf(this).url;
  }

  get readyState() {
    const { task, state } = socketOf(this);
    return state === OPEN ? task.readyState : state;
  }

  get bufferedAmount() {
    return socketOf(this).task.bufferedAmount;
  }

  /** The browser's: through a relay those of the way to there. */
  get extensions() {
    return socketOf(this).task.ws?.extensions ?? '';
  }

  get protocol() {
    return socketOf(this).task.protocol;
  }

  get binaryType() {
    return socketOf(this).binaryType;
  }

  set binaryType(value) {
    const socket = socketOf(this);
    if (value === 'blob' || value === 'arraybuffer') socket.binaryType = value;
  }

  /**
   * Closes the connection. Without a code none is sent, and the close event has 1005.
   *
   * @param {number} [code] 1000, or 3000 to 4999
   * @param {string} [reason] at most 123 bytes of UTF-8
   * @throws {DOMException} InvalidAccessError for another code, SyntaxError for a longer reason
   */
  close(code = undefined, reason = undefined) {
    const socket = socketOf(this);
    const { task } = socket;
    const number = code === undefined ? undefined : Math.round(+code);
    const text = reason === undefined ? '' : `${reason}`;
    if (number !== undefined && number !== 1000 && !(number >= 3000 && number <= 4999)) {
      throw domException(
        `the code should be 1000, or 3000 to 4999, instead of ${number}`,
        'InvalidAccessError',
      );
    }
    if (new TextEncoder().encode(text).length > 123) {
      throw domException('the reason is longer than 123 bytes of UTF-8', 'SyntaxError');
    }
    if (socket.state >= CLOSING) return;
    socket.state = CLOSING;
    // A task always sends a code; it finds this done.
    if (number === undefined && !text) task.ws?.close();
    task.close({ code: number, reason: text });
  }

  /**
   * Sends a message. When the WebSocket is closing or closed it only adds to bufferedAmount.
   *
   * @param {string | BufferSource | Blob} data of anything else, what String makes of it
   * @throws {DOMException} InvalidStateError while CONNECTING
   */
  send(data) {
    const { task, state } = socketOf(this);
    // biome-ignore lint/complexity/noArguments: undefined can be sent, nothing cannot
    if (arguments.length === 0) throw new TypeError('send needs data');
    const message =
      typeof data !== 'string' &&
      (ArrayBuffer.isView(data) || binary.test(Object.prototype.toString.call(data)))
        ? data
        : `${data}`;
    if (state === CONNECTING) throw domException('the WebSocket is still CONNECTING', 'InvalidStateError');
    if (state === OPEN) task.send({ data: message });
    else task.ws?.send(message);
  }
}

/** @type {PropertyDescriptorMap} */
const constants = {};
for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) {
  constants[name] = { value, enumerable: true };
}
Object.defineProperties(WebSocket, constants);
Object.defineProperties(WebSocket.prototype, constants);

for (const type of ['open', 'error', 'close', 'message']) {
  /** @type {ThisType<WebSocket> & Record<string, unknown>} */
  const attribute = {
    get [`on${type}`]() {
      return socketOf(this).handlers.get(type)?.value ?? null;
    },
    // A handler keeps its place among the listeners until it is taken off (HTML, section 8.1.8.1).
    set [`on${type}`](/** @type {unknown} */ value) {
      const { handlers } = socketOf(this);
      const present = handlers.get(type);
      if (Object(value) === value) {
        if (present) {
          present.value = value;
          return;
        }
        const handler = {
          value,
          /** @param {Event} event */
          handleEvent(event) {
            if (typeof this.value === 'function') this.value.call(event.currentTarget, event);
          },
        };
        handlers.set(type, handler);
        this.addEventListener(type, handler);
      } else if (present) {
        handlers.delete(type);
        this.removeEventListener(type, present);
      }
    },
  };
  Object.defineProperties(WebSocket.prototype, Object.getOwnPropertyDescriptors(attribute));
}

// As Web IDL has them; a class's own are not enumerable.
for (const name of Object.getOwnPropertyNames(WebSocket.prototype)) {
  if (name !== 'constructor') Object.defineProperty(WebSocket.prototype, name, { enumerable: true });
}
Object.defineProperty(WebSocket.prototype, Symbol.toStringTag, { value: 'WebSocket', configurable: true });
