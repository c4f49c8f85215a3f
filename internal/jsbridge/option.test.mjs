import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import * as option from './option.js';

/** @type {string[]} */
const warnings = [];
const { warn } = console;
beforeEach(() => {
  warnings.length = 0;
  console.warn = (text) => warnings.push(text);
});
afterEach(() => {
  console.warn = warn;
});

const revoked = (target = {}) => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};
const trap = () => {
  throw new Error('trap');
};
const url = 'ws://a.example/';

test('typeName', () => {
  const liar = { [Symbol.toStringTag]: 'String' };
  const trapped = Object.defineProperty({}, Symbol.toStringTag, { get: trap });
  const values = [undefined, null, true, 1, 1n, '', Symbol(), [], {}, () => {}, new Date(), new Map()];
  const more = [new String(''), new Number(1), liar, trapped, revoked(), revoked(() => {})];
  assert.deepEqual(values.concat(more).map(option.typeName), [
    ...[
      'Undefined',
      'Null',
      'Boolean',
      'Number',
      'BigInt',
      'String',
      'Symbol',
      'Array',
      'Object',
      'Function',
    ],
    ...['Date', 'Map', 'Object', 'Object', 'Object', 'Object', 'Object', 'Function'],
  ]);
});

test('describe', () => {
  const thrown = [
    ...[new option.Fault('a fault'), new RangeError('far'), new DOMException('stop', 'AbortError')],
    ...['text', undefined, Symbol('s'), Object.create(null), revoked(), { toString: trap }],
  ];
  assert.deepEqual(thrown.map(option.describe), [
    ...['a fault', 'RangeError: far', 'AbortError: stop', 'text', 'undefined', 'Symbol(s)'],
    ...['unknown error', 'unknown error', 'unknown error'],
  ]);
});

test('callbacks: one that cannot be read leaves the others', () => {
  const callbacks = option.noCallbacks();
  const complete = () => {};
  const given = Object.defineProperty({ success: 1, complete }, 'fail', { get: trap });
  assert.throws(
    () => option.readCallbacks(given, callbacks),
    /^Error: reading parameter.fail threw Error: trap$/,
  );
  assert.deepEqual(callbacks, { success: undefined, fail: undefined, complete });
});

test('a send', () => {
  const callbacks = option.noCallbacks();
  const success = () => {};
  assert.equal(option.readSend({ data: 'x', success }, callbacks), 'x');
  assert.equal(callbacks.success, success);
  const complete = () => {};
  assert.throws(() => option.readSend({ data: 5, complete }, callbacks), {
    message: 'parameter.data should be String or ArrayBuffer instead of Number',
  });
  assert.equal(callbacks.complete, complete);
  for (const [given, type] of [
    [undefined, 'Undefined'],
    ['x', 'String'],
    [['x'], 'Array'],
  ]) {
    assert.throws(() => option.readSend(given, callbacks), {
      message: `parameter should be Object instead of ${type}`,
    });
  }
});

test('a close', () => {
  const read = (/** @type {any} */ given) => {
    const { fault, code, reason } = option.readClose(given);
    return fault || `${code} ${reason}`;
  };
  assert.equal(read({}), '1000 ');
  assert.equal(read({ code: null, reason: null }), '1000 ');
  assert.equal(read({ code: 4001, reason: 'bye' }), '4001 bye');
  assert.equal(read({ code: '4001' }), 'parameter.code should be Number instead of String');
  assert.equal(read({ reason: 1 }), 'parameter.reason should be String instead of Number');
  assert.equal(read(null), 'parameter should be Object instead of Null');
  assert.match(read(revoked()), /^reading parameter threw TypeError/);
});

test('what a WebSocket sends as it is', () => {
  const buffer = new ArrayBuffer(1);
  for (const data of ['', buffer, new DataView(buffer), new Float64Array(1), new Blob(['x'])]) {
    assert.equal(option.checkSendable(data, 'it'), data);
  }
  const liar = Object.create(ArrayBuffer.prototype);
  for (const data of [undefined, null, 1, {}, [1], liar, revoked()])
    assert.throws(
      () => option.checkSendable(data, 'it'),
      /^Error: it should be String or ArrayBuffer instead/,
    );
});

test('every value of a call is read once', () => {
  /** @type {string[]} */
  const read = [];
  const given = { url, header: { a: 'b' }, protocols: ['c'], reconnect: { retries: 1 } };
  option.readCall(
    new Proxy(given, {
      get(target, name) {
        if (typeof name === 'string') read.push(name);
        return Reflect.get(target, name);
      },
    }),
  );
  assert.deepEqual(read, [
    ...['success', 'fail', 'complete', 'url', 'timeout', 'relay', 'protocols', 'reconnect', 'heartbeat'],
    ...['header', 'tcpNoDelay', 'perMessageDeflate'],
  ]);
});

test('what is wrong with a call', () => {
  const faults = {
    'parameter.protocols should be Array instead of Number': { protocols: 1 },
    'parameter.protocols[1] should be String instead of Null': { protocols: ['a', null] },
    'parameter.header should be Object instead of Array': { header: [] },
    'parameter.header should be Object instead of String': { header: 'a: b' },
    'reading parameter.header threw Error: trap': {
      header: Object.defineProperty({}, 'a', { get: trap, enumerable: true }),
    },
    'parameter.reconnect should be Boolean or Object instead of Number': { reconnect: 1 },
    'parameter.reconnect.factor should be Number instead of String': { reconnect: { factor: '2' } },
    'reading parameter.url threw Error: trap': Object.defineProperty({}, 'url', { get: trap }),
  };
  for (const [fault, given] of Object.entries(faults)) {
    assert.equal(option.readCall('url' in given ? given : { url, ...given }).fault, fault);
  }
  assert.deepEqual(
    [undefined, null, [], 'x', { url: 1 }, new Date()].map((given) => option.readCall(given).fault),
    [
      'parameter should be Object instead of Undefined',
      'parameter should be Object instead of Null',
      'parameter should be Object instead of Array',
      'parameter should be Object instead of String',
      'parameter.url should be String instead of Number',
      'parameter.url should be String instead of Undefined',
    ],
  );
});

describe('every field of the wrong type is refused at the call', () => {
  const values = {
    Null: null,
    Boolean: true,
    Number: 1,
    BigInt: 1n,
    String: 'x',
    Symbol: Symbol(),
    Array: [],
    Object: {},
    Function() {},
  };
  /** What is taken, beside undefined: null where that leaves the default. @type {Record<string, [want: string, taken: string[]]>} */
  const fields = {
    reconnect: ['Boolean or Object', ['Null', 'Boolean', 'Object']],
    'reconnect.retries': ['Number', ['Null', 'Number']],
    'reconnect.minDelay': ['Number', ['Null', 'Number']],
    'reconnect.maxDelay': ['Number', ['Null', 'Number']],
    'reconnect.factor': ['Number', ['Null', 'Number']],
    'reconnect.jitter': ['Number', ['Null', 'Number']],
    'reconnect.option': ['Function', ['Null', 'Function']],
    'reconnect.whileHidden': ['Boolean', ['Null', 'Boolean']],
    heartbeat: ['Object', ['Null', 'Object']],
    'heartbeat.interval': ['Number', ['Null', 'Number']],
    'heartbeat.timeout': ['Number', ['Null', 'Number']],
    'heartbeat.message': ['String, ArrayBuffer or Function', ['String', 'Function']],
    protocols: ['Array', ['Null', 'String', 'Array']],
    header: ['Object', ['Null', 'Object']],
  };
  for (const [field, [want, taken]] of Object.entries(fields)) {
    test(field, () => {
      const [name, member] = field.split('.');
      for (const [type, value] of Object.entries(values)) {
        const given = member ? { message: 'ping', [member]: value } : value;
        const { fault } = option.readCall({ url, [name]: given });
        if (taken.includes(type))
          assert.doesNotMatch(fault, new RegExp(`parameter.${field} should be`), type);
        else assert.equal(fault, `parameter.${field} should be ${want} instead of ${type}`);
      }
    });
  }
});

test('URLs', () => {
  Object.assign(globalThis, { location: { href: 'https://page.example/app/' } });
  const parsed = {
    'WS://A.example': 'ws://a.example/',
    'http://a.example': 'ws://a.example/',
    'https://a.example:443/?q#f': 'wss://a.example/?q#f',
    '/chat': 'wss://page.example/chat',
    chat: 'wss://page.example/app/chat',
    '//b.example': 'wss://b.example/',
    '': 'wss://page.example/app/',
    'ftp://a.example': 'ftp://a.example/',
    'ws://[': '',
  };
  for (const [given, target] of Object.entries(parsed)) {
    const call = option.readCall({ url: given });
    assert.deepEqual([call.fault, call.url, call.target], ['', given, target]);
  }
  const target = (/** @type {string} */ href, /** @type {string} */ given) => {
    Object.assign(globalThis, { location: { href } });
    return option.readCall({ url: given }).target;
  };
  assert.equal(target('blob:null/1', 'wss://a.example'), 'wss://a.example/'); // of a frame in a sandbox
  assert.equal(target('blob:null/1', '/chat'), '');
  Object.assign(globalThis, { location: { href: 'blob:https://page.example/0-0' } });
  assert.equal(option.readCall({ url: '/chat' }).target, 'wss://page.example/chat');
  Reflect.deleteProperty(globalThis, 'location');
  assert.equal(option.readCall({ url: '/chat' }).target, '');
});

test('timeout', () => {
  const read = (/** @type {unknown} */ timeout) => option.readCall({ url, timeout }).timeout;
  for (const none of [undefined, null, 0, -0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5', {}, 5n]) {
    assert.equal(read(none), 60_000);
  }
  assert.deepEqual([1500.7, 0.5, 2 ** 31, 1e300].map(read), [1500, 1, 2 ** 31 - 1, 2 ** 31 - 1]);
});

test('reconnect', () => {
  const read = (/** @type {unknown} */ reconnect) => option.readCall({ url, reconnect }).reconnect;
  const numbers = { retries: NaN, minDelay: NaN, maxDelay: NaN, factor: NaN, jitter: NaN };
  const byDefault = { ...numbers, renew: undefined, whileHidden: false };
  for (const none of [undefined, null, false]) assert.equal(read(none), undefined);
  for (const all of [true, {}, { retries: null, factor: undefined }]) assert.deepEqual(read(all), byDefault);
  assert.deepEqual(read({ retries: 3, jitter: 0, other: 'x' }), { ...byDefault, retries: 3, jitter: 0 });
});

test('what is sent of a header', () => {
  const read = (/** @type {unknown} */ header) => {
    const call = option.readCall({ url, header });
    assert.equal(call.fault, '');
    return call.unsendable.header;
  };
  assert.equal(read(undefined), undefined);
  assert.equal(read({}), undefined);
  assert.equal(read({ a: null, b: undefined }), undefined);
  assert.deepEqual(read({ a: 1, b: true, c: 3n, d: 'e', f: ['g', 1, null, ['h']] }), {
    ...{ a: '1', b: 'true', c: '3', d: 'e', f: 'g, 1, h' },
  });
  assert.deepEqual(read(new Headers({ A: 'b' })), { a: 'b' });
  assert.deepEqual(read(new Map([[1, 'b']])), { 1: 'b' });
  assert.deepEqual(warnings, []);
  const own = read(JSON.parse('{ "__proto__": "x" }'));
  assert.deepEqual([Object.keys(own ?? {}), Object.getPrototypeOf(own)], [['__proto__'], Object.prototype]);
});

test('what of a header is left out with a warning', () => {
  const list = /** @type {unknown[]} */ ([]);
  list.push(list, list);
  const header = {
    ...{ a: {}, b() {}, c: Symbol(), d: revoked(), e: list, f: [] },
    ...{
      ReFerer: 'x',
      Host: 'x',
      Upgrade: 'x',
      'Sec-WebSocket-Key': 'x',
      'Proxy-Authorization': 'x',
      TE: 'x',
    },
    ok: 'yes',
  };
  const call = option.readCall({ url, header });
  assert.deepEqual([call.fault, call.unsendable.header], ['', { ok: 'yes' }]);
  assert.deepEqual(warnings, [
    'connectSocket: header.a should be String instead of Object; it is not sent',
    'connectSocket: header.b should be String instead of Function; it is not sent',
    'connectSocket: header.c should be String instead of Symbol; it is not sent',
    'connectSocket: header.d should be String instead of Object; it is not sent',
    'connectSocket: header.e should be String instead of Array; it is not sent',
    'connectSocket: header.f should be String instead of Array; it is not sent',
    'connectSocket: Referer is not available in header; it is not sent',
    "connectSocket: header.Host is the connection's own; it is not sent",
    "connectSocket: header.Upgrade is the connection's own; it is not sent",
    "connectSocket: header.Sec-WebSocket-Key is the connection's own; it is not sent",
    "connectSocket: header.Proxy-Authorization is the connection's own; it is not sent",
    "connectSocket: header.TE is the connection's own; it is not sent",
  ]);
});

test('a subprotocol in header joins protocols', () => {
  const header = { 'sec-websocket-PROTOCOL': 'b , c' };
  const call = option.readCall({ url, protocols: ['a', 'b'], header });
  assert.deepEqual([call.protocols, call.unsendable.header, warnings], [['a', 'b', 'c'], undefined, []]);
  assert.deepEqual(option.readCall({ url, protocols: 'a' }).protocols, ['a']);
  for (const text of ['', 'a,', ' , a', 'a,,a', ['', 'a']]) {
    const { fault, protocols } = option.readCall({ url, header: { 'Sec-WebSocket-Protocol': text } });
    assert.deepEqual([fault, protocols], ['', text === '' ? [] : ['a']]);
  }
});

test('a renewal replaces the subprotocols of the header and of the option each by its own', () => {
  const ticket = (/** @type {number} */ n) => ({ 'Sec-WebSocket-Protocol': `ticket${n}` });
  let call = option.readCall({ url, protocols: ['chat'], header: ticket(1) });
  const offered = [call.protocols];
  for (const given of [
    { header: ticket(2) },
    { header: ticket(3) },
    {},
    { protocols: ['v2'] },
    { header: {} },
  ]) {
    call = option.readRenewal(call, given);
    offered.push(call.protocols);
  }
  assert.deepEqual(offered, [
    ['chat', 'ticket1'],
    ['chat', 'ticket2'],
    ['chat', 'ticket3'],
    ['chat', 'ticket3'],
    ['v2', 'ticket3'],
    ['v2'],
  ]);
});

test('a call that nothing in it can make fail', () => {
  const plain = (/** @type {object} */ rest) => option.isPlain(option.readCall({ url, ...rest }));
  for (const rest of [{}, { reconnect: true }, { reconnect: {} }, { header: { a: 1 } }])
    assert.ok(plain(rest));
  const others = [
    { url: 1 },
    { url: 'ftp://a' },
    { protocols: 1 },
    { reconnect: { retries: 3 } },
    { reconnect: 1 },
  ];
  for (const rest of others) assert.ok(!plain(rest));
});

test('a call through the relay throws what a WebSocket would', () => {
  const check = (/** @type {object} */ rest) => () => option.checkRelayed(option.readCall({ url, ...rest }));
  check({ protocols: ['a', 'b'] })();
  for (const bad of [
    { url: `${url}#f` },
    { protocols: ['a', 'a'] },
    { protocols: ['a b'] },
    { protocols: '' },
  ]) {
    assert.throws(check(bad), { name: 'SyntaxError' });
  }
});
