/** The characters of a token (RFC 9110 section 5.6.2), which a subprotocol has to be. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** @type {ScriptedSocket[]} those made so far, oldest first */
export const sockets = [];

/**
 * A WebSocket whose network is a script: it has the states and exceptions of the WHATWG standard, and its server
 * does what `network` is told.
 */
export class ScriptedSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;

  readyState = 0;
  protocol = '';
  extensions = '';
  bufferedAmount = 0;
  binaryType = 'blob';
  /** @type {unknown[]} what has left, in order */
  sent = [];
  /** @type {Array<[number | undefined, string | undefined]>} the closes that had an effect */
  closes = [];
  /** Whether it was closed while it connected, which fails the connection. */
  abandoned = false;

  /**
   * @param {string} url
   * @param {string | string[]} [protocols]
   */
  constructor(url, protocols = []) {
    super();
    const refused = refusal(url, protocols);
    if (refused) throw refused;
    this.url = url;
    this.offers = [protocols].flat();
    sockets.push(this);
  }

  /** @param {unknown} data */
  send(data) {
    if (this.readyState === 0) throw new DOMException('Still connecting', 'InvalidStateError');
    if (this.readyState === 1) this.sent.push(data);
  }

  /**
   * @param {number} [code]
   * @param {string} [reason]
   */
  close(code, reason) {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(`The code ${code} is not allowed`, 'InvalidAccessError');
    }
    if (reason !== undefined && new TextEncoder().encode(reason).length > 123) {
      throw new DOMException('The reason is too long', 'SyntaxError');
    }
    if (this.readyState > 1) return;
    this.abandoned = this.readyState === 0;
    this.closes.push([code, reason]);
    this.readyState = 2;
  }
}

/**
 * What the constructor throws.
 *
 * @param {string} url
 * @param {string | string[]} protocols
 * @returns {DOMException | undefined} nothing where it throws nothing
 */
export function refusal(url, protocols) {
  const syntaxError = (/** @type {string} */ text) => new DOMException(text, 'SyntaxError');
  if (!URL.canParse(url)) return syntaxError(`The URL '${url}' is invalid`);
  if (!/^(ws|http)s?:$/.test(new URL(url).protocol))
    return syntaxError(`The scheme of '${url}' is not ws or wss`);
  const offers = [protocols].flat();
  const bad = offers.find((offer, i) => !token.test(offer) || offers.indexOf(offer) < i);
  return bad === undefined ? undefined : syntaxError(`The subprotocol '${bad}' is invalid or repeated`);
}

/**
 * What a server and the network can do to a socket: each changes its state and returns the events that follow, for
 * the caller to dispatch one by one; none where it cannot be, in the state the socket is in.
 *
 * @type {Record<string, (socket: ScriptedSocket, step: any) => Event[]>}
 */
export const network = {
  accept(socket, { negotiates }) {
    if (socket.readyState !== 0) return [];
    socket.readyState = 1;
    if (negotiates) socket.protocol = socket.offers.at(-1) ?? '';
    return [new Event('open')];
  },
  text: (socket, { text }) => message(socket, text),
  binary: (socket, { size }) => message(socket, new Uint8Array(size).fill(7).buffer),
  refuse: (socket, { tells }) => (socket.readyState === 0 ? fail(socket, tells) : []),
  drop: (socket, { tells }) => ([1, 2].includes(socket.readyState) ? fail(socket, tells) : []),
  /** The peer's close frame is here, its event is not. */
  leave(socket) {
    if (socket.readyState === 1) socket.readyState = 2;
    return [];
  },
  /** The peer closes, or answers a close. */
  close(socket, { code, reason }) {
    if (socket.readyState === 2 && socket.abandoned) return fail(socket, true);
    if (socket.readyState !== 1 && socket.readyState !== 2) return [];
    socket.readyState = 3;
    const [own] = socket.closes;
    const frame = own ? { code: own[0] ?? 1005, reason: own[1] ?? '' } : { code, reason };
    return [new CloseEvent('close', { ...frame, wasClean: true })];
  },
  /** As WebKit tells of ws: in an https: page: by an error alone, of a WebSocket that goes on connecting. */
  block: (socket) => (socket.readyState === 0 ? [new Event('error')] : []),
};

/**
 * @param {ScriptedSocket} socket
 * @param {unknown} data
 */
function message(socket, data) {
  if (socket.readyState !== 1) return [];
  const binary = typeof data !== 'string' && socket.binaryType !== 'arraybuffer';
  return [new MessageEvent('message', { data: binary ? new Blob([/** @type {any} */ (data)]) : data })];
}

/**
 * @param {ScriptedSocket} socket
 * @param {boolean} tells engines differ in whether an error comes before
 */
function fail(socket, tells) {
  socket.readyState = 3;
  const close = new CloseEvent('close', { code: 1006, reason: '', wasClean: false });
  return tells ? [new Event('error'), close] : [close];
}
