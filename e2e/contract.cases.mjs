// @ts-nocheck: that calls are wrong, and how they fail, is the point of many cases.

/** What the cases use in the page. */
export const harness = `
  // The events of a task, in order, and promises of its first of each kind.
  const watched = new WeakMap();
  globalThis.watch = (task) => {
    if (!watched.has(task)) watched.set(task, watchOnce(task));
    return watched.get(task);
  };
  const watchOnce = (task) => {
    const seen = [];
    const first = (on, name, show) => new Promise((resolve) => task[on]((res) => { seen.push(show(res)); resolve(res); }));
    const show = ({ data }) => typeof data === 'string' ? 'text ' + data.slice(0, 20) : data instanceof ArrayBuffer ? 'binary ' + data.byteLength : String(data);
    return {
      seen,
      open: first('onOpen', 'open', () => 'open'),
      message: first('onMessage', 'message', show),
      error: first('onError', 'error', ({ errMsg }) => 'error ' + errMsg),
      close: first('onClose', 'close', ({ code, reason, wasClean }) => ['close', code, reason, wasClean].join(' ').trim()),
    };
  };
  globalThis.failure = (promise) => promise.then(() => 'no failure', ({ errMsg }) => errMsg);
  globalThis.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;

/**
 * The cases: what runs in the page, and what it returns.
 *
 * @type {Array<[string, (echo: string) => unknown, unknown]>}
 */
export const cases = [
  [
    'echoes text and binary, and closes with the code and reason given',
    async (echo) => {
      const id = `${Math.random()}`;
      const task = await connectSocket({ url: `${echo}?id=${id}` });
      const events = watch(task);
      await events.open;
      task.send({ data: 'hello' });
      await events.message;
      task.send({ data: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) });
      while (events.seen.length < 3) await sleep(1);
      task.close({ code: 4001, reason: 'ende – 終' });
      await events.close;
      const { code, reason } = await (await fetch(`${echo.replace(/^ws/, 'http')}?report=${id}`)).json();
      return [...events.seen, code, reason, task.readyState];
    },
    ['open', 'text hello', 'binary 2', 'close 4001 ende – 終 true', 4001, 'ende – 終', 3],
  ],
  [
    "tells the server's code and reason",
    async (echo) => {
      const seen = [];
      for (const [code, reason] of [
        [1000, ''],
        [1001, 'away'],
        [1011, 'oops'],
        [3000, 'r'.repeat(123)],
        [4999, ''],
      ]) {
        const events = watch(connectSocket({ url: `${echo}?code=${code}&reason=${reason}` }));
        await events.close;
        seen.push(events.seen.join().replace(/r{123}/, 'rrr'));
      }
      return seen;
    },
    [
      'open,close 1000  true',
      'open,close 1001 away true',
      'open,close 1011 oops true',
      'open,close 3000 rrr true',
      'open,close 4999  true',
    ],
  ],
  [
    'tells of a connection that drops with one error, then 1006; of an empty close frame with 1005',
    async (echo) => {
      const task = connectSocket({ url: `${echo}?code=1006&after=1` });
      task.onOpen(() => task.send({ data: 'x' }));
      const dropped = watch(task);
      await dropped.close;
      const empty = watch(connectSocket({ url: `${echo}?code=1005` }));
      await empty.close;
      return [dropped.seen.map((s) => s.split(' ')[0]), dropped.seen[3], empty.seen];
    },
    [['open', 'text', 'error', 'close'], 'close 1006  false', ['open', 'close 1005  true']],
  ],
  [
    'tells of a refused handshake and of a refused port with one error, then 1006',
    async (echo) => {
      const all = [];
      for (const url of [`${echo}?status=403`, 'ws://127.0.0.1:9/']) {
        if (location.protocol === 'https:' && url.startsWith('ws:')) continue;
        const events = watch(connectSocket({ url }));
        await events.close;
        await sleep(50);
        all.push(events.seen.length, events.seen[0], events.seen[1]);
      }
      return all.slice(0, 3).map((s) => String(s).replace(/"ws.*"/, 'URL'));
    },
    ['2', 'error connectSocket:fail WebSocket connection to URL failed', 'close 1006  false'],
  ],
  [
    'gives up after its timeout',
    async (echo) => {
      const events = watch(connectSocket({ url: `${echo}?delay=20s`, timeout: 200 }));
      await events.close;
      return [...events.seen, connectSocket.stats().tasks];
    },
    ['error connectSocket:fail timeout', 'close 1006  false', 0],
  ],
  [
    'abandons an attempt without an error',
    async (echo) => {
      const task = await connectSocket({ url: `${echo}?delay=20s` });
      const events = watch(task);
      const { errMsg } = await task.close();
      const state = task.readyState;
      await events.close;
      return [errMsg, state, events.seen, (await task.close({ code: 1 })).errMsg];
    },
    ['closeSocket:ok', 2, ['close 1006  false'], 'closeSocket:ok'],
  ],
  [
    'holds what comes before its handler, and replays it in order, also after the close',
    async (echo) => {
      const early = await connectSocket({ url: `${echo}?push=50` });
      const late = await connectSocket({ url: `${echo}?push=50&code=4002&reason=done` });
      await sleep(500);
      const collect = (task, n) =>
        new Promise((resolve) => {
          const all = [];
          task.onMessage(
            ({ data }) => all.push(Number.parseInt(data, 10)) === n && resolve(all.every((v, i) => v === i)),
          );
        });
      const result = [await collect(early, 50), await collect(late, 50), late.readyState];
      result.push((await watch(late).close).code, connectSocket.stats().slotsInUse);
      early.close();
      await new Promise((resolve) => early.onClose(resolve));
      return result;
    },
    [true, true, 3, 4002, 1], // the open event of the first, which has no handler
  ],
  [
    'allows five connections, and each way of ending gives its slot back once',
    async (echo) => {
      const connect = (query) => connectSocket({ url: echo + query });
      const open = [];
      for (let i = 0; i < 5; i++) open.push(await connect(''));
      const messages = [await failure(connect(''))];
      open[0].close();
      open.push(await connect('?code=4000'));
      messages.push(await failure(connect('')));
      await watch(open[5]).close;
      open.push(await connect('?status=500'));
      await watch(open[6]).close;
      await failure(connectSocket({ url: echo, protocols: ['a', 'a'] }));
      open.push(await connect(''));
      messages.push(await failure(connect('')));
      for (const task of open) task.close();
      await Promise.all(open.map((task) => watch(task).close));
      return [...new Set(messages), messages.length, connectSocket.stats().tasks];
    },
    ['connectSocket:fail exceed max concurrent count 5', 3, 0],
  ],
  [
    'refuses bad input through fail, complete and the promise, each once and in this order',
    async (echo) => {
      const seen = [];
      const inputs = [
        undefined,
        null,
        [],
        'x',
        1n,
        () => {},
        {},
        { url: 1 },
        { url: 'ftp://x' },
        { url: 'wss://' },
      ];
      for (const input of inputs) seen.push(await failure(connectSocket(input)));
      const order = [];
      await connectSocket({
        url: `${echo}#fragment`.replace('#fragment', ''),
        protocols: ['a b'],
        success: () => order.push('success'),
        fail: ({ errMsg }) => order.push(`fail ${errMsg.split(':').slice(0, 2).join(':')}`),
        complete: () => order.push('complete'),
      }).catch(() => order.push('rejected'));
      return [seen, order];
    },
    [
      [
        ...['Undefined', 'Null', 'Array', 'String', 'BigInt', 'Function'].map(
          (type) => `connectSocket:fail parameter error: parameter should be Object instead of ${type}`,
        ),
        'connectSocket:fail parameter error: parameter.url should be String instead of Undefined',
        'connectSocket:fail parameter error: parameter.url should be String instead of Number',
        'connectSocket:fail invalid url "ftp://x"',
        'connectSocket:fail invalid url "wss://"',
      ],
      ['fail connectSocket:fail SyntaxError', 'complete', 'rejected'],
    ],
  ],
  [
    'refuses each option of a wrong type, in words, and takes the others as not given',
    async (echo) => {
      const inputs = [
        ...['x', 1, [], { url: null }],
        ...[1, {}, [1], ['a', {}]].map((protocols) => ({ url: echo, protocols })),
        ...['a: b', 1, true, [['a', 'b']]].map((header) => ({ url: echo, header })),
        ...['true', 1, [], () => {}].map((reconnect) => ({ url: echo, reconnect })),
        ...['retries', 'minDelay', 'maxDelay', 'factor', 'jitter'].map((name) => ({
          url: echo,
          reconnect: { [name]: '1' },
        })),
        ...[{ option: {} }, { option: 'x' }, { whileHidden: 1 }].map((reconnect) => ({
          url: echo,
          reconnect,
        })),
        ...[true, 'ping', 1, [], {}, { message: null }, { message: {} }].map((heartbeat) => ({
          url: echo,
          heartbeat,
        })),
        ...['interval', 'timeout'].map((name) => ({ url: echo, heartbeat: { message: '', [name]: '1' } })),
      ];
      const seen = [];
      for (const input of inputs) {
        const errMsg = await failure(connectSocket(input));
        seen.push(errMsg.replace('connectSocket:fail parameter error: parameter', ''));
      }
      const task = connectSocket({
        url: echo,
        timeout: '1',
        relay: 1,
        tcpNoDelay: 'x',
        perMessageDeflate: {},
        forceCellularNetwork: 1,
        success: 1,
        fail: 'x',
        complete: {},
      });
      await watch(task).open;
      task.close();
      await watch(task).close;
      return [seen, connectSocket.stats().tasks];
    },
    [
      [
        ...['String', 'Number', 'Array'].map((type) => ` should be Object instead of ${type}`),
        '.url should be String instead of Null',
        '.protocols should be Array instead of Number',
        '.protocols should be Array instead of Object',
        '.protocols[0] should be String instead of Number',
        '.protocols[1] should be String instead of Object',
        ...['String', 'Number', 'Boolean', 'Array'].map(
          (type) => `.header should be Object instead of ${type}`,
        ),
        ...['String', 'Number', 'Array', 'Function'].map(
          (type) => `.reconnect should be Boolean or Object instead of ${type}`,
        ),
        ...['retries', 'minDelay', 'maxDelay', 'factor', 'jitter'].map(
          (name) => `.reconnect.${name} should be Number instead of String`,
        ),
        '.reconnect.option should be Function instead of Object',
        '.reconnect.option should be Function instead of String',
        '.reconnect.whileHidden should be Boolean instead of Number',
        ...['Boolean', 'String', 'Number', 'Array'].map(
          (type) => `.heartbeat should be Object instead of ${type}`,
        ),
        ...['Undefined', 'Null', 'Object'].map(
          (type) => `.heartbeat.message should be String, ArrayBuffer or Function instead of ${type}`,
        ),
        '.heartbeat.interval should be Number instead of String',
        '.heartbeat.timeout should be Number instead of String',
      ],
      0,
    ],
  ],
  [
    'gives a refused call methods that tell why',
    async () => {
      const task = connectSocket({ url: 5, fail() {} });
      const events = watch(task);
      await events.close;
      return [
        events.seen,
        await failure(task.send({ data: 'x' })),
        (await task.close()).errMsg,
        task.readyState,
      ];
    },
    [
      [
        'error connectSocket:fail parameter error: parameter.url should be String instead of Number',
        'close 1006  false',
      ],
      'SocketTask.send:fail SocketTask.readyState is not OPEN',
      'closeSocket:ok',
      3,
    ],
  ],
  [
    'refuses what cannot be sent',
    async (echo) => {
      const task = await connectSocket({ url: echo });
      const results = [await failure(task.send({ data: 'too early' }))];
      await watch(task).open;
      for (const data of [5, null, undefined, {}, [1], Symbol('x'), 1n])
        results.push(await failure(task.send({ data })));
      task.close();
      results.push(await failure(task.send({ data: 'too late' })));
      await watch(task).close;
      return results;
    },
    [
      'SocketTask.send:fail SocketTask.readyState is not OPEN',
      ...['Number', 'Null', 'Undefined', 'Object', 'Array', 'Symbol', 'BigInt'].map(
        (type) =>
          `SocketTask.send:fail parameter error: parameter.data should be String or ArrayBuffer instead of ${type}`,
      ),
      'SocketTask.send:fail SocketTask.readyState is not OPEN',
    ],
  ],
  [
    'refuses codes and reasons that a page may not close with, and stays',
    async (echo) => {
      const task = await connectSocket({ url: echo });
      const events = watch(task);
      await events.open;
      const refused = [];
      for (const code of [999, 1001, 2999, 5000, 1.5, Number.NaN, '1000']) {
        refused.push((await failure(task.close({ code }))).startsWith('closeSocket:fail '));
      }
      refused.push((await failure(task.close({ reason: 'ü'.repeat(62) }))).startsWith('closeSocket:fail '));
      const state = task.readyState;
      task.close({ code: 3000, reason: `ü`.repeat(61) });
      const { code, reason } = await events.close;
      return [refused.every(Boolean), state, code, reason.length];
    },
    [true, 1, 3000, 61],
  ],
  [
    'negotiates a subprotocol',
    async (echo) => {
      const task = await connectSocket({ url: `${echo}?protocol=last`, protocols: ['one', 'two'] });
      const { header } = await watch(task).open;
      task.close();
      await watch(task).close;
      return [task.protocol, header];
    },
    ['two', { 'Sec-WebSocket-Protocol': 'two' }],
  ],
  [
    'carries empty messages, lone surrogates, 4 MiB and a Blob',
    async (echo) => {
      const task = await connectSocket({ url: echo });
      await watch(task).open;
      const answers = [];
      let wake = () => {};
      task.onMessage(({ data }) => {
        answers.push(data);
        wake();
      });
      const echoed = async (data) => {
        const n = answers.length;
        task.send({ data });
        while (answers.length === n)
          await new Promise((resolve) => {
            wake = resolve;
          });
        return answers[n];
      };
      const text = 'ä€𝄞x'.repeat(4 * 2 ** 17);
      const binary = new Uint8Array(4 * 2 ** 20).map((_, i) => (i * 7919) >> 3);
      const same = (a, b) => a.byteLength === b.byteLength && new Uint8Array(a).every((v, i) => v === b[i]);
      const result = [
        await echoed(''),
        (await echoed(new ArrayBuffer(0))).byteLength,
        await echoed('\ud800'),
        (await echoed(text)) === text,
        same(await echoed(binary), binary),
        same(await echoed(new Blob([binary])), binary),
      ];
      task.close();
      await watch(task).close;
      return result;
    },
    ['', 0, '\ufffd', true, true, true],
  ],
  [
    'isolates handlers that throw, and lets handlers call back in',
    async (echo) => {
      const thrown = [];
      const listener = (event) => {
        thrown.push(event.message.replace(/^Uncaught /, ''));
        event.preventDefault();
      };
      addEventListener('error', listener);
      const task = await connectSocket({
        url: echo,
        success() {
          throw new Error('in success');
        },
      });
      const order = [];
      const { close } = watch(task);
      task.onOpen(() => {
        throw new Error('in onOpen');
      });
      task.onOpen(() => {
        order.push('open');
        for (let i = 0; i < 3; i++) task.send({ data: `${i}` });
      });
      const done = new Promise((resolve) => {
        task.onMessage(async ({ data }) => {
          order.push(data);
          if (data !== '2') return;
          task.close({ code: 3333 });
          const other = await connectSocket({ url: `${echo}?code=4321` });
          other.onClose(({ code }) => {
            order.push(code);
            resolve();
          });
        });
        task.onClose(({ code }) => order.push(code));
      });
      await done;
      await close;
      removeEventListener('error', listener);
      return [order.slice(0, 4), order.slice(4).sort(), thrown];
    },
    [
      ['open', '0', '1', '2'],
      [3333, 4321],
      ['Error: in success', 'Error: in onOpen'],
    ],
  ],
  [
    'survives hostile options',
    async (echo) => {
      const throwing = (value) => ({
        get url() {
          throw value;
        },
      });
      const cyclic = {};
      cyclic.self = cyclic;
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      const inputs = [
        throwing(1),
        throwing(Symbol('s')),
        throwing(
          new Proxy(
            {},
            {
              get: () => {
                throw 1;
              },
            },
          ),
        ),
        new Proxy(
          {},
          {
            get() {
              throw new Error('trap');
            },
          },
        ),
        proxy,
        { url: Symbol('u') },
        { url: 1n },
        { url: echo, header: 1 },
        { url: echo, protocols: { length: -1 } },
        { url: echo, protocols: [Symbol('p')] },
      ];
      const results = [];
      for (const input of inputs)
        results.push(
          (await failure(connectSocket(input))).startsWith('connectSocket:fail parameter error: '),
        );
      // A value that cannot be sent is left out.
      for (const header of [cyclic, { a: Symbol('v') }]) {
        const task = connectSocket({ url: echo, header });
        await watch(task).open;
        task.close();
        await watch(task).close;
      }
      const task = await connectSocket({
        url: echo,
        success: 1,
        fail: {},
        complete: 'x',
        header: { ['__proto__']: 1 },
      });
      await watch(task).open;
      task.close();
      await watch(task).close;
      return [results.every(Boolean), results.length, connectSocket.stats().tasks, {}.polluted];
    },
    [true, 10, 0, undefined],
  ],
  [
    'holds at most so much, then says so and closes with 4008',
    async (echo) => {
      const id = `${Math.random()}`;
      const task = await connectSocket({ url: `${echo}?push=10050&id=${id}` });
      while (task.readyState !== 3) await sleep(10);
      const { code } = await (await fetch(`${echo.replace(/^ws/, 'http')}?report=${id}`)).json();
      let messages = 0;
      task.onMessage(() => messages++);
      const events = watch(task);
      await events.close;
      return [
        code,
        messages,
        events.seen.filter((s) => s.startsWith('error')),
        connectSocket.stats().slotsInUse,
      ];
    },
    [
      4008,
      10000,
      ['error connectSocket:fail too many messages without an onMessage handler, closed with 4008'],
      0,
    ],
  ],
  [
    'binds the global functions to the newest live task',
    async (echo) => {
      const wx = connectSocket.install({});
      const none = [await failure(wx.sendSocketMessage({ data: 'x' })), await failure(wx.closeSocket())];
      const seen = [];
      wx.onSocketOpen(() => seen.push('open'));
      wx.onSocketMessage(({ data }) => seen.push(data));
      wx.onSocketClose(({ code }) => seen.push(code));
      const old = await wx.connectSocket({ url: echo });
      await watch(old).open;
      const task = await wx.connectSocket({ url: echo });
      await watch(task).open;
      const sent = (await wx.sendSocketMessage({ data: 'hello' })).errMsg;
      await watch(task).message;
      const closed = (await wx.closeSocket({ code: 3001 })).errMsg;
      await watch(task).close;
      await wx.sendSocketMessage({ data: 'older' });
      await watch(old).message;
      wx.closeSocket();
      await watch(old).close;
      return [none, seen, sent, closed, Object.keys(wx).length];
    },
    [
      ['sendSocketMessage:fail WebSocket is not connected', 'closeSocket:fail WebSocket is not connected'],
      ['open', 'open', 'hello', 3001, 'older', 1000],
      'sendSocketMessage:ok',
      'closeSocket:ok',
      7,
    ],
  ],
];
