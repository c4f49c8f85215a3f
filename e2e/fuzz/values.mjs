/**
 * Values by name, so that a program that has them is JSON.
 */

/** @returns {any} */
const revoked = (target = {}) => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};
/** @returns {never} */
const refuse = () => {
  throw new Error('trap');
};

/**
 * Values of the wrong type: what makes each, and what an errMsg calls its type.
 *
 * @type {Record<string, [() => any, string]>}
 */
export const hostile = {
  undefined: [() => undefined, 'Undefined'],
  null: [() => null, 'Null'],
  true: [() => true, 'Boolean'],
  zero: [() => 0, 'Number'],
  NaN: [() => Number.NaN, 'Number'],
  symbol: [() => Symbol('s'), 'Symbol'],
  bigint: [() => 2n ** 70n, 'BigInt'],
  function: [() => () => {}, 'Function'],
  class: [() => class {}, 'Function'],
  'revoked function': [() => revoked(() => {}), 'Function'],
  array: [() => [], 'Array'],
  'an option in an array': [() => [{ url: 'ws://fuzz.example/' }], 'Array'],
  'proxy of an array': [() => new Proxy([], {}), 'Array'],
  object: [() => ({}), 'Object'],
  'null prototype': [() => Object.create(null), 'Object'],
  'revoked proxy': [() => revoked(), 'Object'],
  'throwing proxy': [
    () => new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse }),
    'Object',
  ],
  'throwing tag': [
    () => ({
      get [Symbol.toStringTag]() {
        throw 1;
      },
    }),
    'Object',
  ],
  'lying tag': [() => ({ [Symbol.toStringTag]: 'String' }), 'Object'],
  'boxed string': [() => new String('ws://fuzz.example/'), 'Object'],
  'throwing conversion': [
    () => ({ toString: refuse, valueOf: refuse, [Symbol.toPrimitive]: refuse }),
    'Object',
  ],
  date: [() => new Date(), 'Date'],
  map: [() => new Map(), 'Map'],
  promise: [() => Promise.resolve(), 'Promise'],
  'document.all': [() => document.all, 'HTMLAllCollection'],
};

/**
 * What may be thrown, and how an errMsg tells it.
 *
 * @type {Record<string, [() => unknown, string]>}
 */
export const thrown = {
  Error: [() => new Error('boom'), 'Error: boom'],
  RangeError: [() => new RangeError('far'), 'RangeError: far'],
  DOMException: [() => new DOMException('stop', 'AbortError'), 'AbortError: stop'],
  1: [() => 1, '1'],
  undefined: [() => undefined, 'undefined'],
  null: [() => null, 'null'],
  symbol: [() => Symbol('s'), 'Symbol(s)'],
  bigint: [() => 1n, '1'],
  'null prototype': [() => Object.create(null), 'unknown error'],
  'throwing conversion': [() => ({ toString: refuse }), 'unknown error'],
  'revoked proxy': [() => revoked(), 'unknown error'],
};

/**
 * Headers: what makes each, what is wrong with it (where that ends in … an engine's own words follow), and the
 * subprotocols that it has.
 *
 * @type {Record<string, [() => any, string, string[]?]>}
 */
export const headers = {
  empty: [() => ({}), ''],
  text: [() => ({ a: 'b' }), ''],
  scalars: [() => ({ a: 1, b: true, c: 3n, d: null, e: undefined }), ''],
  referer: [() => ({ ReFerer: 'x' }), ''],
  'own __proto__': [() => JSON.parse('{ "__proto__": "polluted" }'), ''],
  'own constructor': [() => ({ constructor: 'x', hasOwnProperty: 'y', toString: 'z' }), ''],
  'nested __proto__': [() => JSON.parse('{ "__proto__": { "polluted": true } }'), ''],
  'nested constructor': [() => ({ constructor: { prototype: { polluted: true } } }), ''],
  symbol: [() => ({ a: Symbol() }), ''],
  function: [() => ({ a() {} }), ''],
  list: [() => ({ a: ['b', 1, null] }), ''],
  'revoked field': [() => ({ a: revoked() }), ''],
  Headers: [() => new Headers({ a: 'b', 'Sec-WebSocket-Protocol': 'three' }), '', ['three']],
  Map: [() => new Map([['a', 'b']]), ''],
  'revoked Map': [() => new Map([['a', revoked()]]), ''],
  'a subprotocol': [() => ({ 'Sec-WebSocket-Protocol': 'chat' }), '', ['chat']],
  subprotocols: [() => ({ 'sec-websocket-protocol': ['one , three', 'chat'] }), '', ['one', 'three', 'chat']],
  'no token': [() => ({ 'SEC-WEBSOCKET-PROTOCOL': 'a b' }), '', ['a b']],
  "the connection's own": [() => ({ host: 'x', Upgrade: 'x', 'sec-websocket-key': 'x' }), ''],
  'throwing field': [
    () => ({
      get a() {
        throw 1;
      },
    }),
    'reading parameter.header threw 1',
  ],
  'throwing proxy': [() => new Proxy({}, { ownKeys: refuse }), 'reading parameter.header threw Error: trap'],
  'revoked proxy': [() => revoked(), 'reading parameter.header threw TypeError…'],
  array: [() => ['a'], 'parameter.header should be Object instead of Array'],
  string: [() => 'a: b', 'parameter.header should be Object instead of String'],
  number: [() => 5, 'parameter.header should be Object instead of Number'],
  function2: [() => () => {}, 'parameter.header should be Object instead of Function'],
};

/**
 * Protocols, and what is wrong with each; what only the browser refuses is not.
 *
 * @type {Record<string, [() => any, string]>}
 */
export const protocols = {
  null: [() => null, ''],
  none: [() => [], ''],
  string: [() => 'chat', ''],
  two: [() => ['one', 'two'], ''],
  repeated: [() => ['one', 'two', 'one'], ''],
  empty: [() => '', ''],
  'with a space': [() => ['a b'], ''],
  'not in ASCII': [() => ['ü'], ''],
  'own iterator': [
    () => Object.assign(['one'], { [Symbol.iterator]: refuse }),
    'reading parameter.protocols threw Error: trap',
  ],
  'proxy of an array': [() => new Proxy(['one'], {}), ''],
  number: [() => 5, 'parameter.protocols should be Array instead of Number'],
  symbol: [() => Symbol(), 'parameter.protocols should be Array instead of Symbol'],
  'array-like': [() => ({ length: -1 }), 'parameter.protocols should be Array instead of Object'],
  'of a number': [() => ['one', 1], 'parameter.protocols[1] should be String instead of Number'],
  'of a symbol': [() => [Symbol()], 'parameter.protocols[0] should be String instead of Symbol'],
  // biome-ignore lint/suspicious/noSparseArray: that it is one is the point
  sparse: [() => [, 'a'], 'parameter.protocols[0] should be String instead of Undefined'],
  throwing: [
    () => Object.defineProperty(['a'], '0', { get: refuse }),
    'reading parameter.protocols threw Error: trap',
  ],
  'revoked proxy': [() => revoked([]), 'reading parameter.protocols threw TypeError…'],
};

/**
 * What a task that reconnects does.
 *
 * @typedef {object} Plan
 * @property {number} retries
 * @property {number} minDelay in milliseconds
 * @property {number} maxDelay in milliseconds
 * @property {number} factor
 * @property {number} jitter
 * @property {(attempt: number) => { url?: string, protocols?: string[], fault?: string } | undefined} [renew] what
 *   reconnect.option gives, or what is wrong with that; undefined where it never settles
 * @property {number} [late] milliseconds until it settles
 * @property {boolean} [whileHidden]
 */

/** @type {Plan} */
const planned = { retries: Infinity, minDelay: 1000, maxDelay: 30_000, factor: 2, jitter: 1 };
/** One that does as it says. @type {(given: Partial<Plan>) => [() => any, string, Plan]} */
const asGiven = (given) => [() => ({ ...given }), '', { ...planned, ...given }];
const ticket = (/** @type {number} */ attempt) => ({ url: `ws://fuzz.example/?ticket=${attempt}` });

/** What goes wrong with attempts that ask for an option, in turn. @type {Array<[() => any, NonNullable<Plan['renew']>]>} */
const failing = [
  [refuse, () => ({ fault: 'reconnect.option threw Error: trap' })],
  [() => Promise.reject(5), () => ({ fault: 'reconnect.option threw 5' })],
  [
    () => 5,
    () => ({ fault: 'parameter error: what reconnect.option gives should be Object instead of Number' }),
  ],
  [() => ({ url: 'ws://other.example/' }), () => ({ url: 'ws://other.example/' })],
  [() => new Promise(() => {}), () => undefined],
  [() => ({ protocols: ['fresh'] }), () => ({ protocols: ['fresh'] })],
];

/**
 * Ways to reconnect, what is wrong with each, and what those that are right do.
 *
 * @type {Record<string, [() => any, string, Plan?]>}
 */
export const reconnects = {
  null: [() => null, ''],
  false: [() => false, ''],
  true: [() => true, '', planned],
  twice: asGiven({ retries: 2, minDelay: 151, maxDelay: 401, jitter: 0 }),
  'at once': asGiven({ retries: 1, minDelay: 0, factor: 1 }),
  'while hidden': asGiven({ minDelay: 30, whileHidden: true }),
  ticket: [() => ({ option: ticket }), '', { ...planned, renew: ticket }],
  'late ticket': [
    () => ({
      retries: 3,
      option: (/** @type {number} */ attempt) =>
        new Promise((resolve) => setTimeout(() => resolve(ticket(attempt)), 33)),
    }),
    '',
    { ...planned, retries: 3, renew: ticket, late: 33 },
  ],
  'failing tickets': [
    () => ({
      retries: 7,
      minDelay: 12,
      option: (/** @type {number} */ attempt) => failing[(attempt - 1) % failing.length][0](),
    }),
    '',
    {
      ...{ ...planned, retries: 7, minDelay: 12 },
      renew: (attempt) => failing[(attempt - 1) % failing.length][1](attempt),
    },
  ],
  'no retries': asGiven({ retries: 0, minDelay: 0, maxDelay: Infinity, factor: 1, jitter: 0 }),
  'no retries, the rest by default': [
    () => ({ retries: 0, minDelay: Number.NaN, factor: undefined }),
    '',
    { ...planned, retries: 0 },
  ],
  number: [() => 1, 'parameter.reconnect should be Boolean or Object instead of Number'],
  string: [() => 'true', 'parameter.reconnect should be Boolean or Object instead of String'],
  array: [() => [], 'parameter.reconnect should be Boolean or Object instead of Array'],
  symbol: [() => Symbol(), 'parameter.reconnect should be Boolean or Object instead of Symbol'],
  function: [() => () => {}, 'parameter.reconnect should be Boolean or Object instead of Function'],
  text: [() => ({ retries: '3' }), 'parameter.reconnect.retries should be Number instead of String'],
  bigint: [() => ({ factor: 2n }), 'parameter.reconnect.factor should be Number instead of BigInt'],
  'throwing field': [
    () => ({
      get jitter() {
        throw 1;
      },
    }),
    'reading parameter.reconnect.jitter threw 1',
  ],
  'revoked proxy': [() => revoked(), 'reading parameter.reconnect threw TypeError…'],
};

/**
 * Heartbeats, what is wrong with each, and the milliseconds of those that are right: interval and timeout. They are no
 * timeouts of attempts, so that a timer says what it is for.
 *
 * @type {Record<string, [() => any, string, number?, number?]>}
 */
export const heartbeats = {
  null: [() => null, ''],
  false: [() => false, ''],
  short: [() => ({ interval: 840, timeout: 305, message: 'beat' }), '', 840, 305],
  'by default': [() => ({ interval: Number.NaN, message: 'beat' }), '', 30_000, 10_000],
  'by a function': [() => ({ message: () => 'beat', timeout: undefined }), '', 30_000, 10_000],
  true: [() => true, 'parameter.heartbeat should be Object instead of Boolean'],
  number: [() => 1, 'parameter.heartbeat should be Object instead of Number'],
  'no message': [
    () => ({}),
    'parameter.heartbeat.message should be String, ArrayBuffer or Function instead of Undefined',
  ],
  text: [
    () => ({ message: 'beat', interval: '1' }),
    'parameter.heartbeat.interval should be Number instead of String',
  ],
  'too short': [
    () => ({ message: 'beat', interval: 0.5 }),
    'parameter.heartbeat.interval should be from 1 to 2147483647',
  ],
  'too long': [
    () => ({ message: 'beat', timeout: 2 ** 31 }),
    'parameter.heartbeat.timeout should be from 1 to 2147483647',
  ],
  'throwing message': [
    () => Object.defineProperty({}, 'message', { get: refuse }),
    'reading parameter.heartbeat.message threw Error: trap',
  ],
  'revoked proxy': [() => revoked(), 'reading parameter.heartbeat threw TypeError…'],
};

/**
 * Data that can be sent.
 *
 * @type {Record<string, () => any>}
 */
export const sendable = {
  empty: () => '',
  text: () => 'text',
  'lone surrogate': () => '\ud800',
  buffer: () => new ArrayBuffer(8),
  bytes: () => new Uint8Array([1, 2, 3]),
  window: () => new Uint8Array(8).subarray(2, 4),
  floats: () => new Float64Array(2),
  view: () => new DataView(new ArrayBuffer(4), 1, 2),
  blob: () => new Blob(['blob']),
  detached: () => {
    const buffer = new ArrayBuffer(8);
    structuredClone(buffer, { transfer: [buffer] });
    return buffer;
  },
};
