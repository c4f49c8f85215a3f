/**
 * The rules that the Web Platform Tests hold a WebSocket to, in tests of this project's own: each is named by the file
 * there, under websockets/, whose rule it is. They run in a page or a worker, on any class of that interface.
 *
 * @typedef {typeof globalThis.WebSocket} WebSocketClass
 * @typedef {ReturnType<typeof scope>} Scope
 */

const states = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
const types = ['open', 'message', 'error', 'close'];
const PATIENCE = 10_000; // milliseconds; what has not come by then never will

/**
 * @param {unknown} actual
 * @param {unknown} expected
 * @param {string} [what]
 */
function equal(actual, expected, what = 'value') {
  const [a, e] = [actual, expected].map((value) => (Array.isArray(value) ? JSON.stringify(value) : value));
  if (!Object.is(a, e)) throw new Error(`${what} is ${String(a)} instead of ${String(e)}`);
}

/**
 * @param {string} name of the exception
 * @param {() => unknown} f
 */
function throws(name, f) {
  try {
    f();
  } catch (error) {
    const { name: thrown } = /** @type {Error} */ (error);
    equal(thrown, name, 'what was thrown');
    equal(error instanceof DOMException, name !== 'TypeError', 'that it is a DOMException');
    return;
  }
  throw new Error(`nothing was thrown instead of ${name}`);
}

const moment = (ms = 50) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * What a subtest has.
 *
 * @param {WebSocketClass} WebSocket
 * @param {string} server its URL, of ws: or wss:
 */
function scope(WebSocket, server) {
  /** @type {globalThis.WebSocket[]} */
  const made = [];
  /** @type {Array<() => void>} */
  const undone = [];
  const t = {
    WebSocket,
    server,

    /**
     * @param {any[]} args of the constructor; for the echo where there are none
     * @returns {any}
     */
    make(...args) {
      const ws = Reflect.construct(WebSocket, args.length > 0 ? args : [`${server}/echo`]);
      made.push(ws);
      return ws;
    },

    /**
     * @param {string} [path]
     * @param {any[]} rest
     */
    async open(path = '/echo', ...rest) {
      const ws = t.make(server + path, ...rest);
      await t.next(ws, 'open');
      return ws;
    },

    /**
     * @param {any} ws
     * @param {string} type
     * @returns {Promise<any>}
     */
    next: (ws, type) =>
      new Promise((resolve, reject) => {
        ws.addEventListener(type, resolve, { once: true });
        if (type !== 'close') ws.addEventListener('close', () => reject(new Error(`close before ${type}`)));
      }),

    /**
     * Sends, and gives what comes back.
     * @param {any} ws
     * @param {any} data
     */
    async echo(ws, data) {
      const message = t.next(ws, 'message');
      equal(ws.send(data), undefined, 'what send returns');
      return (await message).data;
    },

    /**
     * @param {any} ws
     * @returns {string[]} its events, with the state at each, as they come
     */
    record(ws) {
      /** @type {string[]} */
      const seen = [];
      for (const type of types) ws.addEventListener(type, () => seen.push(`${type} ${ws.readyState}`));
      return seen;
    },

    /**
     * Changes a property of the prototype until the subtest is over.
     * @param {string} name
     * @param {PropertyDescriptor} [descriptor] deletes it where it is not given
     */
    change(name, descriptor) {
      const { prototype } = WebSocket;
      const own = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(prototype, name));
      undone.push(() => Object.defineProperty(prototype, name, own));
      if (descriptor) Object.defineProperty(prototype, name, descriptor);
      else Reflect.deleteProperty(prototype, name);
    },

    clean() {
      for (const undo of undone) undo();
      for (const ws of made) ws.close();
    },
  };
  return t;
}

/**
 * Closes, and gives the close event.
 * @param {any} ws
 * @param {any[]} args of close
 */
async function closing(ws, ...args) {
  const closed = new Promise((resolve) => ws.addEventListener('close', resolve, { once: true }));
  ws.close(...args);
  equal(ws.readyState, 2, 'state after close()');
  return /** @type {Promise<any>} */ (closed);
}

/**
 * @param {string} server
 * @param {string} id
 * @returns {Promise<[number, string]>} the close frame as the server got it
 */
const seenByServer = async (server, id) =>
  (await fetch(`${server.replace(/^ws/, 'http')}/seen?id=${id}`)).json();

const bytes = (/** @type {number} */ n) => Uint8Array.from({ length: n }, (_, i) => i).buffer;

/** @type {Array<[string, any]>} a view's name, and how it is made of the bytes 0 to 15 */
const views = [
  ['float32', () => new Float32Array(bytes(16))],
  ['float64', () => new Float64Array(bytes(16))],
  ['int16-offset', () => new Int16Array(bytes(16), 2)],
  ['int32', () => new Int32Array(bytes(16))],
  ['int8', () => new Int8Array(bytes(16))],
  ['uint16-offset-length', () => new Uint16Array(bytes(16), 2, 3)],
  ['uint32-offset', () => new Uint32Array(bytes(16), 4)],
  ['uint8-offset', () => new Uint8Array(bytes(16), 3)],
  ['uint8-offset-length', () => new Uint8Array(bytes(16), 3, 5)],
  ['dataview', () => new DataView(bytes(16), 1, 2)],
];

const separators = '()<>@,;:\\"/[]?={} \t';

/** @type {Map<string, (t: Scope) => unknown>} */
const subtests = new Map();

/**
 * @param {string} file there
 * @param {string} what its rule
 * @param {(t: Scope) => unknown} f throws, or rejects, where it does not hold
 */
function rule(file, what, f) {
  const name = `${file}: ${what}`;
  if (subtests.has(name)) throw new Error(`two subtests are called ${name}`);
  subtests.set(name, f);
}

// Construction
rule('constructor/001', 'needs an argument', ({ WebSocket }) =>
  throws('TypeError', () => Reflect.construct(WebSocket, [])),
);
rule('constructor', 'is not called without new', ({ WebSocket, server }) =>
  throws('TypeError', () => Reflect.apply(WebSocket, undefined, [server])),
);
rule('constructor', 'ignores what it does not know', ({ make, WebSocket, server }) =>
  equal(make(`${server}/echo`, 'echo', 'stray') instanceof WebSocket, true),
);
rule('constructor/005', 'gives an instance', ({ make, WebSocket }) =>
  equal(make() instanceof WebSocket, true),
);
rule('constructor/006', 'makes a string of the URL', ({ make, server }) =>
  equal(make({ toString: () => `${server}/echo` }).url, `${server}/echo`),
);
rule('constructor/006', 'takes a URL object', ({ make, server }) =>
  equal(make(new URL(`${server}/echo`)).url, `${server}/echo`),
);
for (const url of [
  'ws://a b/',
  'wss://a b/',
  'ftp://a.example/',
  'mailto:a@a.example',
  'about:blank',
  'data:,x',
  'blob:x',
  'ws://a.example/#',
  'ws://a.example/#b',
  '#b',
  'ws://a:99999/',
  'ws:',
  'javascript:1',
]) {
  rule('Create-invalid-urls', `refuses ${url}`, ({ make }) => throws('SyntaxError', () => make(url)));
}
rule('Create-wrong-scheme', 'refuses another scheme of the same server', ({ make, server }) =>
  throws('SyntaxError', () => make(server.replace(/^ws/, 'foo'))),
);
rule('Create-Secure-url-with-space', 'refuses a host with a space', ({ make }) =>
  throws('SyntaxError', () => make('wss://web platform.test:1/echo')),
);
for (const url of ['test', '?', '/a/../b', '//a.example/c', '', '.', null, 123, undefined]) {
  rule('Create-non-absolute-url', `takes ${JSON.stringify(url)} relative to the page`, ({ make }) =>
    equal(
      make(url).url,
      new URL(String(url), globalThis.document?.baseURI ?? location.href).href.replace(/^http/, 'ws'),
    ),
  );
}
rule('Create-valid-url-relative.tentative', "takes a document's base", ({ make }) => {
  if (!globalThis.document) return;
  const base = Object.assign(document.createElement('base'), { href: 'https://a.example/b/' });
  document.head.append(base);
  try {
    equal(make('c').url, 'wss://a.example/b/c');
  } finally {
    base.remove();
  }
});
rule('Create-http-urls', 'takes http: as ws:', ({ make, server }) => {
  equal(make('http://a.example/b?c').url, 'ws://a.example/b?c');
  equal(make('https://a.example/').url, 'wss://a.example/');
  equal(make(`${server.replace(/^ws/, 'http')}/echo`).url, `${server}/echo`);
});
rule('Create-valid-url-http.tentative', 'connects to an http: URL', async ({ make, next, server }) => {
  const ws = make(`${server.replace(/^ws/, 'http')}/echo`);
  await next(ws, 'open');
  equal((await closing(ws)).wasClean, true);
});
rule('constructor/008', 'takes the ports of HTTP', ({ make }) => {
  for (const url of [
    'ws://a.example:80/',
    'ws://a.example:443/',
    'wss://a.example:80/',
    'wss://a.example:443/',
  ])
    make(url);
});
rule('Create-verify-url-set-default-port', 'leaves out the default port', ({ make }) => {
  equal(make('wss://a.example:443/b').url, 'wss://a.example/b');
  equal(make('ws://a.example:80').url, 'ws://a.example/');
});
rule('Create-verify-url-set-non-default-port', 'keeps another port', ({ make }) => {
  equal(make('wss://a.example:80/b').url, 'wss://a.example:80/b');
  equal(make('http://a.example:443').url, 'ws://a.example:443/');
});
rule('constructor/017', 'takes too few slashes', ({ make }) =>
  equal(make('ws:a.example/echo').url, 'ws://a.example/echo'),
);
rule('constructor/019', 'takes a scheme in capitals', async ({ make, next, server }) =>
  next(make(`${server.replace(/^wss?/, (scheme) => scheme.toUpperCase())}/echo`), 'open'),
);
rule('constructor/020', 'takes a host in capitals', ({ make }) =>
  equal(make('ws://A.EXAMPLE/').url, 'ws://a.example/'),
);
rule('constructor/016', 'sends a query in UTF-8', async ({ make, next, server }) =>
  equal((await next(make(`${server}/query?åäö`), 'message')).data, '%C3%A5%C3%A4%C3%B6'),
);
rule('constructor/018', 'sends a null in the query', async ({ make, next, server }) =>
  equal((await next(make(`${server}/query?x\0y`), 'message')).data, 'x%00y'),
);
rule('Create-blocked-port', 'fails on a blocked port without throwing', async ({ make, next, server }) => {
  const ws = make(server.replace(/:\d+$/, ':25'));
  await next(ws, 'error');
});

// Subprotocols
rule('Create-valid-url-protocol-empty', 'refuses an empty subprotocol', ({ make, server }) =>
  throws('SyntaxError', () => make(`${server}/echo`, '')),
);
for (const char of [...separators]) {
  rule('Create-asciiSep-protocol-string', `refuses ${JSON.stringify(char)}`, ({ make, server }) =>
    throws('SyntaxError', () => make(`${server}/echo`, `a${char}b`)),
  );
}
rule('Create-nonAscii-protocol-string', 'refuses characters beyond ASCII', ({ make, server }) =>
  throws('SyntaxError', () => make(`${server}/echo`, 'aÿb')),
);
rule('constructor/004', 'refuses control characters and those above 7E', ({ make, server }) => {
  for (let code = 1; code < 0x100; code++) {
    if (code === 0x20) code = 0x7f;
    throws('SyntaxError', () => make(`${server}/echo`, `a${String.fromCharCode(code)}b`));
  }
});
rule('constructor/007', 'refuses a null', ({ make, server }) =>
  throws('SyntaxError', () => make(`${server}/echo`, 'a\0b')),
);
rule('Create-protocol-with-space', 'refuses a space', ({ make, server }) =>
  throws('SyntaxError', () => make(`${server}/echo`, 'ec ho')),
);
rule('Create-protocols-repeated', 'refuses one given twice', ({ make, server }) =>
  throws('SyntaxError', () => make(`${server}/echo`, ['echo', 'echo'])),
);
rule(
  'Create-protocols-repeated-case-insensitive',
  'refuses one given twice in another case',
  ({ make, server }) => throws('SyntaxError', () => make(`${server}/echo`, ['echo', 'eCho'])),
);
rule('constructor/021', 'refuses a second of three', ({ make, server }) =>
  throws('SyntaxError', () => make(`${server}/echo`, ['a', 'b', 'a'])),
);
rule('Create-valid-url', 'connects', async ({ open }) => {
  const ws = await open();
  equal(ws.readyState, 1);
  equal((await closing(ws)).wasClean, true);
});
rule('Create-valid-url-protocol', 'connects with a subprotocol', async ({ open }) =>
  equal((await open('/echo', 'echo')).protocol, 'echo'),
);
rule('Create-valid-url-array-protocols', 'connects with several', async ({ open }) =>
  equal((await open('/echo', ['echo', 'chat'])).protocol, 'echo'),
);
rule('constructor/009', 'has the subprotocol in an event', async ({ make, next, server }) => {
  const ws = make(`${server}/request`, 'foobar');
  equal(JSON.parse((await next(ws, 'message')).data).protocol, 'foobar');
  equal(ws.protocol, 'foobar');
});
rule('constructor/022', 'offers all of an array', async ({ make, next, server }) =>
  equal(
    JSON.parse(
      (await next(make(`${server}/request`, ['foobar', 'foobar2']), 'message')).data,
    ).protocol.replace(/ /g, ''),
    'foobar,foobar2',
  ),
);
rule('constructor/022', 'takes any iterable', async ({ make, next, server }) =>
  equal(
    JSON.parse((await next(make(`${server}/request`, new Set(['a', 1])), 'message')).data).protocol.replace(
      / /g,
      '',
    ),
    'a,1',
  ),
);
rule('constructor/022', 'makes a string of what is none', async ({ open }) =>
  equal((await open('/echo', null)).protocol, 'null'),
);
rule(
  'constructor/010',
  'takes no subprotocol that it did not offer',
  async ({ make, next, record, server }) => {
    const ws = make(`${server}/own-protocol`);
    const seen = record(ws);
    await Promise.any(['open', 'close'].map((type) => next(ws, type)));
    equal(seen, ['error 3', 'close 3']);
  },
);
rule('constructor/011', 'fails where the server chooses another', async ({ make, next, record, server }) => {
  const ws = make(`${server}/own-protocol`, 'other');
  const seen = record(ws);
  await Promise.any(['open', 'close'].map((type) => next(ws, type)));
  equal(seen, ['error 3', 'close 3']);
});
rule('constructor/012', 'fails where the server chooses none', async ({ make, next, record, server }) => {
  const ws = make(`${server}/no-protocol`, 'foobar');
  const seen = record(ws);
  await Promise.any(['open', 'close'].map((type) => next(ws, type)));
  equal(seen, ['error 3', 'close 3']);
});
rule('interfaces/WebSocket/protocol/001', 'has an empty protocol at first', ({ make, server }) =>
  equal(make(`${server}/echo`, 'echo').protocol, ''),
);
rule('interfaces/WebSocket/extensions/001', 'has empty extensions at first', ({ make }) =>
  equal(make().extensions, ''),
);
rule('Create-Secure-extensions-empty', 'has empty extensions where none was agreed on', async ({ open }) =>
  equal((await open()).extensions, ''),
);
rule('constructor/013', 'serves many at once', async ({ make, next }) => {
  const all = Array.from({ length: 25 }, () => make());
  await Promise.all(
    all.map(async (ws, i) => {
      await next(ws, 'open');
      const message = next(ws, 'message');
      ws.send(i);
      equal((await message).data, String(i));
      equal((await closing(ws)).wasClean, true);
    }),
  );
});
rule('constructor/014', 'connects to one server one after another, or at once', async ({ open }) => {
  await Promise.all([open(), open(), open()]);
});
rule('opening-handshake/001', 'fails where the answer is no handshake', async ({ make, record, server }) => {
  const ws = make(`${server}/refused`);
  const seen = record(ws);
  const { code, wasClean } = await new Promise((resolve) => ws.addEventListener('close', resolve));
  equal([...seen, code, wasClean], ['error 3', 'close 3', 1006, false]);
});
rule('opening-handshake/003', "sends the page's origin", async ({ make, next, server }) =>
  equal(JSON.parse((await next(make(`${server}/request`), 'message')).data).origin, location.origin),
);
rule('referrer', 'sends no Referer', async ({ make, next, server }) =>
  equal(JSON.parse((await next(make(`${server}/request`), 'message')).data).referer, undefined),
);
rule(
  'interfaces/WebSocket/events/020',
  'tells of a host that is not there by an error',
  async ({ make, next }) => equal((await next(make('wss://a.invalid/'), 'error')) instanceof Event, true),
);

// The interface
rule('idlharness', 'is an interface object', ({ WebSocket }) => {
  equal([typeof WebSocket, WebSocket.name, WebSocket.length], ['function', 'WebSocket', 1]);
  equal(Object.getPrototypeOf(WebSocket), EventTarget);
});
rule('idlharness', 'has an interface prototype object', ({ WebSocket }) => {
  const { writable, enumerable, configurable } = /** @type {PropertyDescriptor} */ (
    Object.getOwnPropertyDescriptor(WebSocket, 'prototype')
  );
  equal([writable, enumerable, configurable], [false, false, false]);
  equal(Object.getPrototypeOf(WebSocket.prototype), EventTarget.prototype);
});
rule('idlharness', 'has its constructor in the prototype', ({ WebSocket }) => {
  const { value, writable, enumerable, configurable } = /** @type {PropertyDescriptor} */ (
    Object.getOwnPropertyDescriptor(WebSocket.prototype, 'constructor')
  );
  equal(value, WebSocket);
  equal([writable, enumerable, configurable], [true, false, true]);
});
rule('idlharness', 'has a class string', ({ make, WebSocket }) => {
  equal(String(make()), '[object WebSocket]');
  const { value, writable, enumerable, configurable } = /** @type {PropertyDescriptor} */ (
    Object.getOwnPropertyDescriptor(WebSocket.prototype, Symbol.toStringTag)
  );
  equal([value, writable, enumerable, configurable], ['WebSocket', false, false, true]);
});
rule('idlharness', 'has nothing of its own in an instance', ({ make }) => equal(Reflect.ownKeys(make()), []));
for (const [name, value] of Object.entries(states)) {
  rule('idlharness', `has the constant ${name}`, ({ WebSocket }) => {
    for (const holder of [WebSocket, WebSocket.prototype]) {
      const { writable, enumerable, configurable, ...rest } = /** @type {PropertyDescriptor} */ (
        Object.getOwnPropertyDescriptor(holder, name)
      );
      equal([rest.value, writable, enumerable, configurable], [value, false, true, false]);
    }
  });
  rule('interfaces/WebSocket/constants/001', `reads ${name} from an instance`, ({ make }) =>
    equal(make()[name], value),
  );
  rule('interfaces/WebSocket/constants/003', `does not let ${name} be deleted`, ({ WebSocket, make }) => {
    equal(
      [
        Reflect.deleteProperty(WebSocket, name),
        Reflect.deleteProperty(WebSocket.prototype, name),
        make()[name],
      ],
      [false, false, value],
    );
  });
  rule('interfaces/WebSocket/constants/005', `does not let ${name} be redefined`, ({ WebSocket }) => {
    throws('TypeError', () => Object.defineProperty(WebSocket.prototype, name, { get: () => 'foo' }));
    throws('TypeError', () => Object.defineProperty(WebSocket, name, { set() {} }));
  });
  rule('interfaces/WebSocket/constants/002', `does not let ${name} be set`, ({ make }) => {
    const ws = make();
    throws('TypeError', () => {
      ws[name] = 7;
    });
    equal(ws[name], value);
  });
}
for (const [name, settable] of [
  ...['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol'].map(
    (name) => /** @type {const} */ ([name, false]),
  ),
  ...['onopen', 'onerror', 'onclose', 'onmessage', 'binaryType'].map(
    (name) => /** @type {const} */ ([name, true]),
  ),
]) {
  rule('idlharness', `has the attribute ${name}`, ({ WebSocket, make }) => {
    const { get, set, enumerable, configurable } = /** @type {PropertyDescriptor} */ (
      Object.getOwnPropertyDescriptor(WebSocket.prototype, name)
    );
    equal([get?.name, get?.length, enumerable, configurable], [`get ${name}`, 0, true, true]);
    equal([set?.name, set?.length], settable ? [`set ${name}`, 1] : [undefined, undefined]);
    for (const foreign of [{}, WebSocket.prototype, new EventTarget()]) {
      throws('TypeError', () => get?.call(foreign));
      if (set) throws('TypeError', () => set.call(foreign, null));
    }
    equal(name in make(), true);
  });
}
for (const [name, length] of Object.entries({ close: 0, send: 1 })) {
  rule('idlharness', `has the operation ${name}`, ({ WebSocket }) => {
    const { value, writable, enumerable, configurable } = /** @type {PropertyDescriptor} */ (
      Object.getOwnPropertyDescriptor(WebSocket.prototype, name)
    );
    equal([value.name, value.length, writable, enumerable, configurable], [name, length, true, true, true]);
    throws('TypeError', () => value.call({}, 1000));
    throws('TypeError', () => value.call(WebSocket.prototype, 1000));
    throws('TypeError', () => Reflect.construct(value, []));
  });
}

// url, binaryType, readyState, bufferedAmount
rule(
  'interfaces/WebSocket/url/001',
  'has its URL from the first to the last',
  async ({ make, next, server }) => {
    const ws = make(`${server}/echo`);
    equal(ws.url, `${server}/echo`);
    await next(ws, 'open');
    equal(ws.url, `${server}/echo`);
    await closing(ws);
    equal(ws.url, `${server}/echo`);
  },
);
rule('interfaces/WebSocket/url/002', 'normalizes its URL', ({ make, server }) =>
  equal(make(`${server}/a/../é b?c d`).url, `${server}/%C3%A9%20b?c%20d`),
);
rule('interfaces/WebSocket/url/004', 'does not let the URL be set', ({ make }) => {
  const ws = make();
  const { url } = ws;
  throws('TypeError', () => {
    ws.url = 'x';
  });
  Reflect.deleteProperty(ws, 'url');
  equal(ws.url, url);
});
rule('interfaces/WebSocket/url/005', 'lets a page put a getter in its place', ({ make, change }) => {
  change('url', { get: () => 'foo' });
  equal(make().url, 'foo');
});
rule('interfaces/WebSocket/url/006', 'lets a page put a setter in its place', ({ make, change }) => {
  let ran = '';
  change('url', { set: (value) => (ran = value) });
  make().url = 'x';
  equal(ran, 'x');
});
rule('Create-Secure-valid-url-binaryType-blob', 'has binaryType blob, which can be set', async ({ open }) => {
  const ws = await open();
  equal(ws.binaryType, 'blob');
  ws.binaryType = 'arraybuffer';
  equal(ws.binaryType, 'arraybuffer');
  ws.binaryType = 'blob';
  equal(ws.binaryType, 'blob');
});
rule('binaryType-wrong-value', 'ignores another binaryType', ({ make }) => {
  const ws = make();
  for (const wrong of ['', 'Blob', 'stuff', null, undefined, 1, {}]) ws.binaryType = wrong;
  equal(ws.binaryType, 'blob');
});
rule('interfaces/WebSocket/readyState/001', 'is CONNECTING at first', ({ make }) =>
  equal(make().readyState, 0),
);
rule('interfaces/WebSocket/readyState/002', 'does not let readyState be set', ({ make }) => {
  const ws = make();
  throws('TypeError', () => {
    ws.readyState = 5;
  });
  Reflect.deleteProperty(ws, 'readyState');
  equal(ws.readyState, 0);
});
rule(
  'interfaces/WebSocket/readyState/003',
  'has no readyState where a page deletes it',
  ({ make, change }) => {
    change('readyState');
    equal(make().readyState, undefined);
  },
);
rule(
  'interfaces/WebSocket/readyState/004',
  'lets a page put a getter in the place of readyState',
  ({ make, change }) => {
    change('readyState', { get: () => 'foo' });
    equal(make().readyState, 'foo');
  },
);
rule(
  'interfaces/WebSocket/readyState/006',
  'is OPEN when the open event comes',
  async ({ make, record, next }) => {
    const ws = make();
    const seen = record(ws);
    await next(ws, 'open');
    equal(seen, ['open 1']);
  },
);
rule('interfaces/WebSocket/readyState/007', 'is CLOSING after close() while CONNECTING', ({ make }) => {
  const ws = make();
  ws.close();
  equal(ws.readyState, 2);
});
rule(
  'interfaces/WebSocket/readyState/008',
  'is CLOSED when the close event comes',
  async ({ open, record }) => {
    const ws = await open();
    const seen = record(ws);
    await closing(ws);
    equal(seen, ['close 3']);
  },
);
rule(
  'interfaces/WebSocket/bufferedAmount/001',
  'has buffered nothing at first, and cannot be set',
  ({ make }) => {
    const ws = make();
    equal(ws.bufferedAmount, 0);
    throws('TypeError', () => {
      ws.bufferedAmount = 5;
    });
  },
);
rule(
  'interfaces/WebSocket/bufferedAmount/003',
  'counts bytes of UTF-8 as send() is called',
  async ({ open }) => {
    const ws = await open();
    const counts = ['x', 'å', '匶', '\ud801\udc7e'].map((text) => {
      ws.send(text);
      return ws.bufferedAmount;
    });
    equal(counts, [1, 3, 6, 10]);
  },
);
rule(
  'interfaces/WebSocket/bufferedAmount/bufferedAmount-arraybuffer',
  'counts an ArrayBuffer',
  async ({ open }) => {
    const ws = await open();
    ws.send(bytes(10));
    equal(ws.bufferedAmount, 10);
  },
);
rule('interfaces/WebSocket/bufferedAmount/bufferedAmount-blob', 'counts a Blob', async ({ open }) => {
  const ws = await open();
  ws.send(new Blob([bytes(10)]));
  equal(ws.bufferedAmount, 10);
});
rule(
  'interfaces/WebSocket/bufferedAmount/bufferedAmount-large',
  'counts 65,000 bytes, which come back',
  async ({ open, next }) => {
    const ws = await open();
    const message = next(ws, 'message');
    ws.send('x'.repeat(65_000));
    equal(ws.bufferedAmount, 65_000);
    equal((await message).data, 'x'.repeat(65_000));
  },
);
rule(
  'interfaces/WebSocket/bufferedAmount/bufferedAmount-deleting',
  'counts on where a page deletes it from an instance',
  ({ make, change }) => {
    const ws = make();
    Reflect.deleteProperty(ws, 'bufferedAmount');
    equal(ws.bufferedAmount, 0);
    change('bufferedAmount');
    equal(ws.bufferedAmount, undefined);
  },
);
rule(
  'interfaces/WebSocket/bufferedAmount/bufferedAmount-defineProperty-getter',
  'lets a page put a getter in the place of bufferedAmount',
  ({ make, change }) => {
    change('bufferedAmount', { get: () => 'foo' });
    equal(make().bufferedAmount, 'foo');
  },
);
rule(
  'interfaces/WebSocket/bufferedAmount/bufferedAmount-getting',
  'falls to nothing between events',
  async ({ open, echo }) => {
    const ws = await open();
    equal(await echo(ws, 'xyz'), 'xyz');
    equal(ws.bufferedAmount, 0);
  },
);
rule(
  'interfaces/WebSocket/send/008',
  'counts what is sent when it is closing and closed',
  async ({ open }) => {
    const ws = await open();
    const closed = closing(ws);
    const before = ws.bufferedAmount;
    equal(ws.send('abc'), undefined);
    equal(ws.bufferedAmount >= before + 3, true, 'that it grows while CLOSING');
    await closed;
    const after = ws.bufferedAmount;
    ws.send(bytes(5));
    ws.send(new Blob(['12']));
    equal(ws.bufferedAmount >= after + 7, true, 'that it grows when CLOSED');
  },
);

// send
rule('interfaces/WebSocket/send/001', 'needs data', async ({ open, make }) => {
  throws('TypeError', () => make().send());
  const ws = await open();
  throws('TypeError', () => ws.send());
});
rule('interfaces/WebSocket/send/002', 'throws while CONNECTING', ({ make }) =>
  throws('InvalidStateError', () => make().send('a')),
);
rule('interfaces/WebSocket/send/003', 'throws while CONNECTING for a lone surrogate too', ({ make }) =>
  throws('InvalidStateError', () => make().send('a\udc00')),
);
rule('Send-before-open', 'throws while CONNECTING for bytes too', ({ make }) =>
  throws('InvalidStateError', () => make().send(bytes(3))),
);
rule('interfaces/WebSocket/send/004', 'does not look at the state before the data is read', ({ make }) =>
  throws('TypeError', () => make().send(Symbol('a'))),
);
rule('interfaces/WebSocket/send/005', 'returns undefined', async ({ open }) =>
  equal((await open()).send('test'), undefined),
);
rule('interfaces/WebSocket/send/006', 'replaces lone surrogates', async ({ open, echo }) =>
  equal(await echo(await open(), 'a\udc00xb\ud800xc\udc00\ud800x'), 'a\ufffdxb\ufffdxc\ufffd\ufffdx'),
);
rule('interfaces/WebSocket/send/007', 'has no effect after close()', async ({ open, record }) => {
  const ws = await open();
  const seen = record(ws);
  const closed = closing(ws);
  equal(ws.send('test'), undefined);
  await closed;
  await moment();
  equal(seen, ['close 3']);
});
rule('interfaces/WebSocket/send/009', 'sends after a close event nothing', async ({ open, record }) => {
  const ws = await open();
  await closing(ws);
  const seen = record(ws);
  ws.send('test');
  await moment();
  equal(seen, []);
});
for (const [i, value] of [
  null,
  undefined,
  1,
  {},
  [],
  [1, 2],
  new Error('x'),
  true,
  10n,
  new String('s'),
  globalThis,
  () => {},
].entries()) {
  rule('interfaces/WebSocket/send/010', `makes a string of what is none (${i})`, async ({ open, echo }) =>
    equal(await echo(await open(), value), String(value)),
  );
}
rule('interfaces/WebSocket/send/011', 'sends all of Unicode', async ({ open, echo }) =>
  equal(await echo(await open(), 'å a\u030a \ud801\udc7e'), 'å a\u030a \ud801\udc7e'),
);
rule('interfaces/WebSocket/send/012', 'receives a text frame in pieces', async ({ open, next }) => {
  const ws = await open('/raw');
  const message = next(ws, 'message');
  ws.send('0101c38001a5');
  equal((await message).data, 'å');
});
rule('Send-0byte-data', 'sends nothing at all', async ({ open, echo }) =>
  equal(await echo(await open(), ''), ''),
);
rule('Send-65K-data', 'sends 65,000 characters', async ({ open, echo }) =>
  equal(await echo(await open(), 'c'.repeat(65_000)), 'c'.repeat(65_000)),
);
rule('Send-null', 'sends null as text', async ({ open, echo }) =>
  equal(await echo(await open(), null), 'null'),
);
rule('Send-paired-surrogates', 'sends a pair of surrogates', async ({ open, echo }) =>
  equal(await echo(await open(), '\ud801\udc07'), '\ud801\udc07'),
);
rule('extended-payload-length', "sends at the borders of the length's forms", async ({ open, echo }) => {
  const ws = await open();
  for (const length of [125, 126, 127, 0xffff, 0x10000])
    equal((await echo(ws, 'a'.repeat(length))).length, length);
});
rule('Send-binary-blob', 'sends and receives a Blob', async ({ open, echo }) => {
  const blob = await echo(await open(), new Blob([bytes(300)]));
  equal([blob instanceof Blob, blob.size, blob.type], [true, 300, '']);
  equal([...new Uint8Array(await blob.arrayBuffer())], [...new Uint8Array(bytes(300))]);
});
rule('binary/002', 'sends a File as its bytes', async ({ open, echo }) =>
  equal(await (await echo(await open(), new File(['abc'], 'name'))).text(), 'abc'),
);
rule('Send-binary-arraybuffer', 'sends and receives an ArrayBuffer', async ({ open, echo }) => {
  const ws = await open();
  ws.binaryType = 'arraybuffer';
  const buffer = await echo(ws, bytes(15));
  equal(buffer instanceof ArrayBuffer, true);
  equal([...new Uint8Array(buffer)], [...new Uint8Array(bytes(15))]);
});
rule('binary/004', 'sends 100,000 bytes', async ({ open, echo }) => {
  const ws = await open();
  ws.binaryType = 'arraybuffer';
  equal((await echo(ws, new ArrayBuffer(100_000))).byteLength, 100_000);
});
rule('binary/005', 'reads binaryType when the message comes', async ({ open, next }) => {
  const ws = await open();
  const first = next(ws, 'message');
  ws.send(bytes(3));
  ws.binaryType = 'arraybuffer';
  equal((await first).data instanceof ArrayBuffer, true);
});
for (const [name, make] of views) {
  rule(`Send-binary-arraybufferview-${name}`, 'sends what the view shows', async ({ open, echo }) => {
    const ws = await open();
    ws.binaryType = 'arraybuffer';
    const view = make();
    const sent = [...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)];
    equal([...new Uint8Array(await echo(ws, view))], sent);
  });
}
rule('Send-binary-arraybuffer', 'copies at the call', async ({ open, next }) => {
  const ws = await open();
  ws.binaryType = 'arraybuffer';
  const message = next(ws, 'message');
  const sent = new Uint8Array([1, 2, 3]);
  ws.send(sent);
  sent.fill(9);
  equal([...new Uint8Array((await message).data)], [1, 2, 3]);
});

// close
for (const code of [
  0,
  500,
  Number.NaN,
  'string',
  null,
  0x10000 + 1000,
  999,
  1001,
  1005,
  2999,
  5000,
  -1,
  {},
]) {
  rule('close-invalid', `refuses the code ${String(code)}`, async ({ make, open }) => {
    throws('InvalidAccessError', () => make().close(code));
    const ws = await open();
    throws('InvalidAccessError', () => ws.close(code));
    equal(ws.readyState, 1);
  });
}
rule('Close-Reason-124Bytes', 'refuses a reason of 124 bytes', async ({ open }) => {
  const ws = await open();
  throws('SyntaxError', () => ws.close(1000, 'x'.repeat(124)));
  throws('SyntaxError', () => ws.close(3000, 'é'.repeat(62)));
  equal(ws.readyState, 1);
});
rule('close-invalid', 'judges the code before the reason', async ({ open }) => {
  const ws = await open();
  throws('InvalidAccessError', () => ws.close(1, 'x'.repeat(124)));
});
rule('Secure-Close-1005', 'refuses a reserved code on a closed one too', async ({ open }) => {
  const ws = await open();
  await closing(ws);
  throws('InvalidAccessError', () => ws.close(1005));
  throws('SyntaxError', () => ws.close(1000, 'x'.repeat(124)));
});
for (const [file, args, seen] of /** @type {Array<[string, any[], [number, string]]>} */ ([
  ['Close-1000', [1000], [1000, '']],
  ['Close-1000-reason', [1000, 'Clean Close'], [1000, 'Clean Close']],
  ['Secure-Close-3000-reason', [3000, 'Clean Close'], [3000, 'Clean Close']],
  ['Secure-Close-4999-reason', [4999, 'x'.repeat(123)], [4999, 'x'.repeat(123)]],
  ['Close-undefined', [undefined], [1005, '']],
  ['Secure-Close-1005-verify-code', [], [1005, '']],
  ['Secure-Close-onlyReason', [undefined, ''], [1005, '']],
  ['Secure-Close-onlyReason', [undefined, 'why'], [1000, 'why']],
  ['Close-1000', ['1000'], [1000, '']],
  ['Close-reason-unpaired-surrogates', [1000, 'é\ud807'], [1000, 'é\ufffd']],
  ['Close-1000-reason', [1000, null], [1000, 'null']],
])) {
  rule(file, `closes with ${JSON.stringify(args).slice(0, 30)}`, async ({ open, server }) => {
    const id = `${Math.random()}`;
    const ws = await open(`/echo?id=${id}`);
    const closed = new Promise((resolve) => ws.addEventListener('close', resolve));
    ws.close(...args);
    const { code, reason, wasClean } = /** @type {CloseEvent} */ (await closed);
    equal([code, reason, wasClean], [...seen, true]);
    equal(await seenByServer(server, id), seen, 'what the server saw');
  });
}
rule('Secure-Close-readyState-Closing', 'is CLOSING after close()', async ({ open }) => {
  const ws = await open();
  ws.close();
  equal(ws.readyState, 2);
});
rule('Secure-Close-readyState-Closed', 'stays CLOSED after another close()', async ({ open }) => {
  const ws = await open();
  await closing(ws);
  ws.close();
  equal(ws.readyState, 3);
});
rule(
  'Secure-Close-server-initiated-close',
  'is closed by the server',
  async ({ make, next, record, server }) => {
    const ws = make(`${server}/bye?code=4321&reason=enough`);
    const seen = record(ws);
    const { code, reason, wasClean } = await next(ws, 'close');
    equal([code, reason, wasClean], [4321, 'enough', true]);
    equal(seen, ['open 1', 'close 3']);
  },
);
rule('closing-handshake/002', 'is closed by the server without a code', async ({ make, next, server }) => {
  const { code, reason, wasClean } = await next(make(`${server}/bye`), 'close');
  equal([code, reason, wasClean], [1005, '', true]);
});
rule('closing-handshake/003', 'closes without a code', async ({ open }) => {
  const { code, wasClean } = await closing(await open());
  equal([code, wasClean], [1005, true]);
});
rule('closing-handshake/004', 'drops what comes after the close', async ({ open, record, next }) => {
  const ws = await open('/raw');
  const seen = record(ws);
  ws.send(`8800${'810174'}`); // an empty close frame, then a text frame
  await next(ws, 'close');
  equal(seen, ['close 3']);
});
rule(
  'interfaces/WebSocket/close/close-basic',
  'closes while CONNECTING uncleanly',
  async ({ make, record }) => {
    const ws = make();
    const seen = record(ws);
    const event = await closing(ws);
    equal([event instanceof CloseEvent, event.wasClean, event.code, event.reason], [true, false, 1006, '']);
    equal(seen, ['error 3', 'close 3']);
  },
);
rule(
  'interfaces/WebSocket/close/close-connecting',
  'closes while the server has not answered',
  async ({ make, server, record }) => {
    const ws = make(`${server}/slow`);
    const seen = record(ws);
    await moment();
    equal(ws.readyState, 0);
    const { wasClean } = await closing(ws, 4000, 'enough');
    equal([...seen, wasClean], ['error 3', 'close 3', false]);
  },
);
rule('interfaces/WebSocket/close/close-multiple', 'closes once', async ({ make, record }) => {
  const ws = make();
  const seen = record(ws);
  const closed = closing(ws);
  ws.close();
  ws.close(3000);
  await closed;
  await moment();
  equal(seen, ['error 3', 'close 3']);
});
rule(
  'interfaces/WebSocket/close/close-nested',
  'closes once where the close event calls close()',
  async ({ make, record }) => {
    const ws = make();
    const seen = record(ws);
    ws.addEventListener('close', () => {
      ws.close();
      equal(ws.readyState, 3);
    });
    await closing(ws);
    await moment();
    equal(seen, ['error 3', 'close 3']);
  },
);
rule('interfaces/WebSocket/close/001', 'returns undefined', ({ make }) => equal(make().close(), undefined));
rule('interfaces/WebSocket/close/004', 'closes from within the open event', async ({ make, record }) => {
  const ws = make();
  const seen = record(ws);
  ws.onopen = () => ws.close(3000);
  const { code } = await new Promise((resolve) => ws.addEventListener('close', resolve));
  equal([...seen, code], ['open 1', 'close 3', 3000]);
});
rule('interfaces/WebSocket/close/005', 'closes from within the message event', async ({ open, record }) => {
  const ws = await open();
  const seen = record(ws);
  ws.onmessage = () => ws.close();
  ws.send('1');
  ws.send('2');
  await new Promise((resolve) => ws.addEventListener('close', resolve));
  equal(seen, ['message 1', 'close 3']);
});
rule('interfaces/CloseEvent/clean-close', 'was clean', async ({ open, echo }) => {
  const ws = await open();
  await echo(ws, 'x');
  equal((await closing(ws)).wasClean, true);
});
rule(
  'interfaces/CloseEvent/001',
  'was not clean where the connection breaks',
  async ({ make, next, record, server }) => {
    const ws = make(`${server}/drop`);
    const seen = record(ws);
    const { code, reason, wasClean } = await next(ws, 'close');
    equal([code, reason, wasClean], [1006, '', false]);
    equal(seen.at(-1), 'close 3');
  },
);

// Events
for (const type of types) {
  rule('interfaces/WebSocket/events/006', `has on${type}, null at first`, ({ make }) => {
    const ws = make();
    equal([`on${type}` in ws, ws[`on${type}`]], [true, null]);
  });
  rule(
    'interfaces/WebSocket/events/010',
    `takes on${type} off by undefined, null and what is no object`,
    ({ make }) => {
      const ws = make();
      for (const value of [undefined, null, 2, ';', true, Symbol('x')]) {
        const handler = () => {};
        ws[`on${type}`] = handler;
        equal(ws[`on${type}`], handler);
        ws[`on${type}`] = value;
        equal(ws[`on${type}`], null);
      }
    },
  );
  rule(
    'interfaces/WebSocket/events/013',
    `keeps an object as on${type}, and does not call it`,
    ({ make }) => {
      const ws = make();
      let called = false;
      const handler = { handleEvent: () => (called = true) };
      ws[`on${type}`] = handler;
      ws.dispatchEvent(new Event(type));
      equal([ws[`on${type}`] === handler, called], [true, false]);
    },
  );
  rule(
    'interfaces/WebSocket/events/019',
    `calls on${type} for a page's own event, and no listener that was removed`,
    ({ make }) => {
      const ws = make();
      /** @type {unknown[]} */
      const seen = [];
      const removed = () => seen.push('removed');
      ws.addEventListener(type, removed);
      ws.removeEventListener(type, removed);
      ws[`on${type}`] = function (/** @type {Event} */ event) {
        seen.push(this === ws, event.type);
      };
      ws.dispatchEvent(new Event(type));
      ws[`on${type}`] = null;
      ws.dispatchEvent(new Event(type));
      equal(seen, [true, type]);
    },
  );
  rule('interfaces/WebSocket/events/016', `keeps the place of on${type} among the listeners`, ({ make }) => {
    const ws = make();
    /** @type {number[]} */
    const seen = [];
    ws.addEventListener(type, () => seen.push(1));
    ws[`on${type}`] = () => seen.push(0);
    ws.addEventListener(type, () => seen.push(3));
    ws[`on${type}`] = () => seen.push(2);
    ws.dispatchEvent(new Event(type));
    ws[`on${type}`] = null;
    ws[`on${type}`] = () => seen.push(4);
    ws.dispatchEvent(new Event(type));
    equal(seen, [1, 2, 3, 1, 3, 4]);
  });
}
rule('interfaces/WebSocket/events/016', 'calls listeners in their order', async ({ open, next }) => {
  const ws = await open();
  /** @type {number[]} */
  const seen = [];
  for (const [type, from] of /** @type {const} */ ([
    ['message', 1],
    ['close', 4],
  ])) {
    ws.addEventListener(type, () => seen.push(from));
    ws[`on${type}`] = () => seen.push(from + 1);
    ws.addEventListener(type, () => seen.push(from + 2));
  }
  ws.send('Goodbye');
  await next(ws, 'close');
  equal(seen, [1, 2, 3, 4, 5, 6]);
});
rule('interfaces/WebSocket/events/017', 'gives events their target', async ({ make, next, server }) => {
  const ws = make(`${server}/raw`);
  /** @type {unknown[]} */
  const seen = [];
  for (const type of types) {
    ws.addEventListener(
      type,
      /** @this {unknown} */ function (/** @type {Event} */ event) {
        const { target, currentTarget, eventPhase } = event;
        seen.push(
          type,
          [this, target, currentTarget].every((each) => each === ws),
          eventPhase,
        );
      },
    );
  }
  await next(ws, 'open');
  ws.send('810474657374' + '83034c4f4c'); // a text frame, then one of a reserved opcode
  await next(ws, 'close');
  equal(
    seen,
    types.flatMap((type) => [type, true, 2]),
  );
});
rule('interfaces/WebSocket/events/018', 'gives events their interfaces', async ({ make, next, server }) => {
  const ws = make(`${server}/raw`);
  /** @type {string[]} */
  const seen = [];
  for (const type of types) {
    ws.addEventListener(type, (/** @type {Event} */ event) => {
      const { bubbles, cancelable, composed } = event;
      seen.push(`${ws.readyState} ${event} ${event.constructor.name} ${bubbles} ${cancelable} ${composed}`);
    });
  }
  await next(ws, 'open');
  ws.send('810474657374' + '83034c4f4c');
  await next(ws, 'close');
  equal(seen, [
    '1 [object Event] Event false false false',
    '1 [object MessageEvent] MessageEvent false false false',
    '3 [object Event] Event false false false',
    '3 [object CloseEvent] CloseEvent false false false',
  ]);
});
rule(
  'interfaces/WebSocket/events/002',
  "gives messages the server's origin",
  async ({ open, next, server }) => {
    const ws = await open();
    const message = next(ws, 'message');
    ws.send('x');
    const { origin, lastEventId, source, ports } = await message;
    equal([origin, lastEventId, source, ports], [server, '', null, []]);
  },
);
rule('interfaces/WebSocket/events/008', 'does not change what an event holds', async ({ open }) => {
  const event = await closing(await open(), 4000, 'why');
  throws('TypeError', () => {
    event.code = 1;
  });
  equal([event.code, event.reason, event.wasClean], [4000, 'why', true]);
});
rule(
  'interfaces/WebSocket/events/001',
  'calls what was set after construction and an await',
  async ({ make }) => {
    const ws = make();
    await undefined;
    await new Promise((resolve) => {
      ws.onopen = resolve;
    });
  },
);
rule('interfaces/WebSocket/events/003', 'goes on where a listener throws', async ({ open, next }) => {
  const ws = await open();
  /** @type {string[]} */
  const reported = [];
  const note = (/** @type {ErrorEvent} */ event) => {
    reported.push(event.error?.message);
    event.preventDefault();
  };
  globalThis.addEventListener('error', note);
  ws.addEventListener('message', () => {
    throw new Error('from a listener');
  });
  ws.onmessage = () => {
    throw new Error('from onmessage');
  };
  const message = next(ws, 'message');
  ws.send('x');
  await message;
  await moment(0);
  globalThis.removeEventListener('error', note);
  equal(reported, ['from a listener', 'from onmessage']);
  equal(ws.readyState, 1);
});

// What the engine alone can do
rule('../dom/events/Event-isTrusted', 'gives events that are trusted', async ({ make, next }) =>
  equal((await next(make(), 'open')).isTrusted, true),
);
rule('interfaces', 'is the global interface', ({ make }) =>
  equal(make() instanceof globalThis.WebSocket, true),
);

/**
 * Runs every subtest, one after another.
 *
 * @param {WebSocketClass} WebSocket
 * @param {string} server
 * @returns {Promise<Record<string, string>>} by its name, empty where it passed, else why not
 */
export async function run(WebSocket, server) {
  /** @type {Record<string, string>} */
  const results = {};
  for (const [name, f] of subtests) {
    const t = scope(WebSocket, server);
    const late = new Promise((_, reject) =>
      setTimeout(() => reject(new Error('nothing has come')), PATIENCE),
    );
    late.catch(() => {});
    try {
      await Promise.race([(async () => f(t))(), late]);
      results[name] = '';
    } catch (error) {
      results[name] = String(error);
    } finally {
      t.clean();
    }
  }
  return results;
}
