/**
 * Reads what is the caller's: options of connectSocket, send and close. Every value is read once, at the call: what its owner
 * does to it later has no effect. A getter may throw and an option may be a Proxy; a reader then throws a Fault that names
 * the parameter.
 *
 * @typedef {import('./outcome.js').Callbacks} Callbacks
 */
import { bare } from './outcome.js';
import { DEFAULT_TIMEOUT, MAX_TIMER } from './wire.js';

/** What is wrong with an option, in the words of an errMsg. */
export class Fault extends Error {}

/**
 * Returns the name of a value's type as the mini-program frameworks give it: Undefined, Null, Array, String …
 * @param {unknown} value
 */
export function typeName(value) {
  try {
    const name = Object.prototype.toString.call(value).slice(8, -1);
    // new String(…) is not a String, nor is what claims to be one.
    return typeof value === 'object' && (name === 'String' || name === 'Number') ? 'Object' : name;
  } catch {
    // A revoked Proxy, or a Symbol.toStringTag that throws.
    return typeof value === 'function' ? 'Function' : 'Object';
  }
}

/**
 * Describes a thrown value, a Fault by its message alone; it never throws itself.
 * @param {unknown} thrown
 */
export function describe(thrown) {
  try {
    if (thrown instanceof Fault) return thrown.message;
    if (thrown instanceof Error || thrown instanceof DOMException) return `${thrown.name}: ${thrown.message}`;
    return String(thrown);
  } catch {
    return 'unknown error';
  }
}

/**
 * @param {string} name
 * @param {string} want
 * @param {unknown} value
 */
export const mismatch = (name, want, value) =>
  new Fault(`${name} should be ${want} instead of ${typeName(value)}`);

/**
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

// The readers of the hot path avoid a closure, and build the parameter's name only when reading fails.

/**
 * Reads a property of an object of the caller's.
 * @param {any} object
 * @param {string} name
 * @param {string} [path] of the object
 */
function get(object, name, path = 'parameter') {
  try {
    return object[name];
  } catch (error) {
    throw unreadable(`${path}.${name}`, error);
  }
}

/**
 * Reads a property of one type; where it is null or not given it is `otherwise`.
 * @template T
 * @param {any} object
 * @param {string} name
 * @param {'Number' | 'String' | 'Boolean' | 'Function'} want
 * @param {T} otherwise
 * @param {string} [path] of the object
 * @returns {T}
 */
function getTyped(object, name, want, otherwise, path = 'parameter') {
  const value = get(object, name, path) ?? otherwise;
  if (value !== undefined && typeof value !== want.toLowerCase())
    throw mismatch(`${path}.${name}`, want, value);
  return value;
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
 * Returns callbacks yet to be read: own properties, so that inherited ones are never mistaken for callbacks.
 * @returns {Callbacks}
 */
export const noCallbacks = () => ({ success: undefined, fail: undefined, complete: undefined });

const callbackNames = /** @type {const} */ (['success', 'fail', 'complete']);

/**
 * Reads an option's callbacks. If one cannot be read the others are read all the same, and the first Fault is thrown after
 * that.
 * @param {any} option
 * @param {Callbacks} callbacks what to read them into
 */
export function readCallbacks(option, callbacks) {
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

/**
 * Reads the option of a send.
 * @param {any} option
 * @param {Callbacks} callbacks what to read the callbacks into
 * @returns {any} data
 */
export function readSend(option, callbacks) {
  if (!isObject(option)) throw mismatch('parameter', 'Object', option);
  readCallbacks(option, callbacks);
  return checkSendable(get(option, 'data'), 'parameter.data');
}

/**
 * Reads the option of a close. It throws nothing: what is wrong is in `fault`.
 * @param {any} option
 */
export function readClose(option) {
  const close = { fault: '', code: 1000, reason: '', callbacks: noCallbacks() };
  try {
    if (!isObject(option)) throw mismatch('parameter', 'Object', option);
    readCallbacks(option, close.callbacks);
    const code = getTyped(option, 'code', 'Number', 1000);
    close.reason = getTyped(option, 'reason', 'String', '');
    close.code = code;
  } catch (fault) {
    close.fault = describe(fault);
  }
  return close;
}

// Brand checks hold across realms, unlike instanceof, and no object can pretend to have passed them.
/** @type {any[]} */
const branded = [
  [globalThis.ArrayBuffer, 'byteLength'],
  [globalThis.Blob, 'size'], // not everywhere
];
const brands = branded.map(
  ([type, name]) => type && Object.getOwnPropertyDescriptor(type.prototype, name)?.get,
);

/**
 * Whether a WebSocket sends data as a message of its own type.
 * @param {any} data
 */
function isSendable(data) {
  if (typeof data === 'string' || ArrayBuffer.isView(data)) return true;
  return brands.some((brand) => {
    try {
      brand.call(data);
      return true;
    } catch {
      return false; // also where there is no Blob
    }
  });
}

/**
 * @param {unknown} data
 * @param {string} name
 * @returns {any} data
 */
export function checkSendable(data, name) {
  if (!isSendable(data)) throw mismatch(name, 'String or ArrayBuffer', data);
  return data;
}

/** The URL that relative URLs are relative to; undefined outside of pages and workers. */
export function baseURL() {
  const { document, location } = /** @type {Partial<typeof globalThis>} */ (globalThis);
  // Nothing is relative to a blob: URL. Its creator's origin, which is part of it, is the best that is known; in a sandbox
  // that is null.
  return (document?.baseURI ?? location?.href)?.replace(/^blob:(?!null)/, '');
}

/**
 * Parses a URL as the WHATWG WebSocket's constructor does, the same in every engine.
 * @param {string} text
 * @returns {URL | undefined}
 */
export function parseURL(text) {
  try {
    const url = new URL(text, baseURL());
    if (/^https?:$/.test(url.protocol)) url.protocol = url.protocol.replace('http', 'ws');
    return url;
  } catch {
    return undefined;
  }
}

/**
 * Joins the subprotocols of a header to those of its option. Empty elements of the header's list do not count (RFC 9110
 * section 5.6.1).
 * @param {Pick<Call, 'protocols' | 'own' | 'others'>} call
 */
function joinProtocols(call) {
  call.protocols = [...call.own];
  for (const each of call.others.map((text) => text.trim()))
    if (each && !call.protocols.includes(each)) call.protocols.push(each);
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

/** Fields that are the connection's own or say where a request comes from (the relay refuses them). */
const ownFields =
  /^(host|connection|upgrade|origin|content-length|transfer-encoding|te|trailer|proxy|(proxy|sec|x-forwarded)-.*)$/i;

/** @param {string} text */
const warn = (text) => console.warn(`connectSocket: ${text}; it is not sent`);

/** @type {any[]} */
const none = [];

/**
 * Makes the value of a header field a string: undefined if it has no meaning there. Arrays are joined, and those in them.
 * @param {unknown} value
 * @returns {string | undefined}
 */
function fieldText(value) {
  try {
    const values = none
      .concat(...none.concat(value))
      .filter((each) => /string|number|boolean|bigint/.test(typeof each));
    return values.length > 0 ? values.join(', ') : undefined;
  } catch {
    return undefined; // a revoked Proxy
  }
}

/** @param {unknown} value */
const isGiven = (value) => value !== undefined && value !== null;

/**
 * Reads header, a record, `Headers` or a `Map`, into a call. What cannot be sent is left out with a warning, undefined and null
 * without.
 * @param {any} option
 * @param {Pick<Call, 'others' | 'unsendable'>} call
 */
function readHeader(option, call) {
  const header = get(option, 'header') ?? {};
  if (!isObject(header, 'parameter.header')) throw mismatch('parameter.header', 'Object', header);
  /** @type {Record<string, string>} */
  const fields = bare(); // where "__proto__" is a field like any other
  call.others = [];
  reading('parameter.header', () => {
    const entries =
      typeof header[Symbol.iterator] === 'function' ? Array.from(header) : Object.entries(header);
    for (const [key, value] of entries) {
      if (!isGiven(value)) continue;
      const name = String(key);
      const text = fieldText(value);
      if (text === undefined) warn(`header.${name} should be String instead of ${typeName(value)}`);
      else if (/^referer$/i.test(name)) warn('Referer is not available in header');
      else if (/^sec-websocket-protocol$/i.test(name)) call.others.push(...text.split(','));
      else if (ownFields.test(name)) warn(`header.${name} is the connection's own`);
      else fields[name] = text;
    }
  });
  call.unsendable.header = Object.keys(fields).length > 0 ? { ...fields } : undefined;
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

/**
 * Reads numbers of an object within the option, NaN for one that is not given.
 * @template {string} N
 * @param {any} object
 * @param {string} path of the object
 * @param {ReadonlyArray<N>} names
 */
function readNumbers(object, path, names) {
  const numbers = /** @type {Record<N, number>} */ ({});
  for (const name of names) numbers[name] = getTyped(object, name, 'Number', Number.NaN, path);
  return numbers;
}

const reconnectNames = /** @type {const} */ (['retries', 'minDelay', 'maxDelay', 'factor', 'jitter']);

/**
 * Reads reconnect; undefined without.
 * @param {any} option
 */
function readReconnect(option) {
  const path = 'parameter.reconnect';
  const given = get(option, 'reconnect') ?? false;
  if (given === false) return undefined;
  if (given !== true && !isObject(given, path)) throw mismatch(path, 'Boolean or Object', given);
  /** @type {((attempt: number) => unknown) | undefined} */
  const renew = getTyped(given, 'option', 'Function', /** @type {any} */ (undefined), path);
  const whileHidden = getTyped(given, 'whileHidden', 'Boolean', false, path);
  return { ...readNumbers(given, path, reconnectNames), renew, whileHidden };
}

/**
 * Reads heartbeat; undefined without.
 * @param {any} option
 */
function readHeartbeat(option) {
  const path = 'parameter.heartbeat';
  const given = get(option, 'heartbeat') ?? false;
  if (given === false) return undefined;
  if (!isObject(given, path)) throw mismatch(path, 'Object', given);
  /** @type {unknown} */
  const message = get(given, 'message', path);
  if (typeof message !== 'function' && !isSendable(message)) {
    throw mismatch(`${path}.message`, 'String, ArrayBuffer or Function', message);
  }
  return { ...readNumbers(given, path, ['interval', 'timeout']), message };
}

/**
 * Reads timeout: whole milliseconds that an attempt may take, as setTimeout takes them.
 * @param {any} option
 */
function readTimeout(option) {
  const ms = get(option, 'timeout');
  return Number.isFinite(ms) && ms > 0 ? Math.min(Math.max(Math.trunc(ms), 1), MAX_TIMER) : DEFAULT_TIMEOUT;
}

/**
 * Reads url into a call.
 * @param {any} option
 * @param {Pick<Call, 'url' | 'target' | 'scheme' | 'host'>} call
 */
function readURL(option, call) {
  const url = get(option, 'url');
  if (typeof url !== 'string') throw mismatch('parameter.url', 'String', url);
  const parsed = parseURL(url);
  call.url = url;
  call.target = parsed?.href ?? '';
  call.scheme = parsed?.protocol ?? '';
  call.host = parsed?.host ?? '';
}

/**
 * Reads the option of a connectSocket call. It throws nothing: what is wrong is in `fault`.
 * @param {any} option
 */
export function readCall(option) {
  const call = {
    fault: '',
    /** As it was given. */
    url: '',
    /** What goes out; empty if the URL does not parse. */
    target: '',
    scheme: '',
    host: '',
    timeout: DEFAULT_TIMEOUT,
    /** @type {unknown} */
    relay: undefined,
    /** @type {string[]} */
    protocols: [],
    /** @type {string[]} those of the option, without those of its header */
    own: [],
    /** @type {string[]} those of the header */
    others: [],
    /** @type {ReturnType<typeof readReconnect>} */
    reconnect: undefined,
    /** @type {ReturnType<typeof readHeartbeat>} */
    heartbeat: undefined,
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
    if (!isObject(option)) throw mismatch('parameter', 'Object', option);
    readCallbacks(option, call.callbacks);
    readURL(option, call);
    call.timeout = readTimeout(option);
    call.relay = get(option, 'relay');
    call.own = readProtocols(option);
    call.reconnect = readReconnect(option);
    call.heartbeat = readHeartbeat(option);
    readHeader(option, call);
    joinProtocols(call);
    call.unsendable.tcpNoDelay = readBoolean(option, 'tcpNoDelay');
    call.unsendable.perMessageDeflate = readBoolean(option, 'perMessageDeflate');
  } catch (fault) {
    call.fault = describe(fault);
  }
  return call;
}

/** @typedef {ReturnType<typeof readCall>} Call */

/**
 * Reads what reconnect.option gives for another attempt: the same call, with its url, header and protocols if it gives them.
 * @param {Call} call
 * @param {any} option
 * @returns {Call}
 */
export function readRenewal(call, option) {
  const next = { ...call, unsendable: { ...call.unsendable }, fault: '' };
  try {
    if (!isObject(option)) throw mismatch('what reconnect.option gives', 'Object', option);
    const given = {
      url: get(option, 'url'),
      protocols: get(option, 'protocols') ?? call.own,
      header: get(option, 'header'),
    };
    if (isGiven(given.url)) readURL(given, next);
    next.own = readProtocols(given);
    if (isGiven(given.header)) readHeader(given, next);
    joinProtocols(next);
  } catch (fault) {
    next.fault = describe(fault);
  }
  return next;
}

/**
 * Whether all could be read, and the URL is one of a WebSocket.
 * @param {Call} call
 */
export const isSound = ({ fault, scheme }) => fault === '' && /^wss?:$/.test(scheme);

/**
 * Whether nothing in a call can make the Go half refuse it, but the settings: a hint, for opening its WebSocket early.
 * @param {Call} call
 */
export const isPlain = (call) =>
  isSound(call) &&
  Object.values({ ...call.reconnect, ...call.heartbeat }).every(
    (value) => typeof value !== 'number' || Number.isNaN(value),
  );

/** The characters of a token (RFC 9110 section 5.6.2), which a subprotocol must be. */
const token = /^[\w!#$%&'*+\-.^`|~]+$/;

/**
 * Throws what the constructor of a WebSocket throws for the URL and the subprotocols of a call, for a call whose WebSocket
 * leads to the relay.
 * @param {Call} call
 */
export function checkRelayed({ target, protocols }) {
  const bad = target.includes('#')
    ? target
    : protocols.find((each, i) => !token.test(each) || protocols.indexOf(each) < i);
  if (bad !== undefined) {
    throw new DOMException(`"${bad}" has a fragment, is not a token or is repeated`, 'SyntaxError');
  }
}
