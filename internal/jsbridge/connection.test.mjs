/**
 * The life of connections, with the real Go half and WebSockets whose network is the test.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import {
  createPage,
  happen,
  ScriptedSocket,
  sockets,
  startPage,
  tick,
  turn,
  watch,
} from './testdata/page.mjs';

/** @type {any} */
const globals = globalThis;
const url = 'ws://a.example/';
/** @type {string[]} */
let log;
/** @type {string[]} */
let unhandled;
const note = (/** @type {any} */ reason) => unhandled.push(String(reason?.errMsg ?? reason));
beforeEach(() => {
  log = [];
  unhandled = [];
  process.on('unhandledRejection', note);
});
afterEach(() => {
  process.off('unhandledRejection', note);
  globals.WebSocket = ScriptedSocket;
  assert.deepEqual(unhandled, []);
});

/** @param {Promise<any>} promise */
const outcome = (promise) =>
  promise.then(
    (res) => `resolved ${res.errMsg}`,
    (res) => `rejected ${res.errMsg}`,
  );

/** A connection that is open, as `task`. @param {object} [settings] @param {object} [option] */
async function open(settings, option) {
  const all = await startPage(settings);
  const task = all.connectTask({ url, ...option });
  await turn();
  const socket = sockets[0];
  await happen(socket, 'accept');
  return { ...all, task, socket };
}

test('what has no handler is held, and delivered in order', async () => {
  const { task, socket, stats } = await open();
  for (const text of ['one', 'two']) await happen(socket, 'text', { text });
  assert.deepEqual(stats(), { tasks: 1, slots: 3, slotsInUse: 3 });
  watch(task, log);
  await turn();
  await happen(socket, 'text', { text: 'three' });
  await happen(socket, 'close', { code: 1001 });
  await turn();
  assert.deepEqual(log, ['open', 'message one', 'message two', 'message three', 'close 1001']);
  assert.deepEqual(stats(), { tasks: 0, slots: 3, slotsInUse: 0 });
});

test('a global handler that is registered within a handler gets the next event', async () => {
  const { task, socket, onSocketMessage } = await open();
  onSocketMessage((/** @type {any} */ { data }) => log.push(`first ${data}`));
  let once = () => onSocketMessage((/** @type {any} */ { data }) => log.push(`second ${data}`));
  task.onMessage((/** @type {any} */ { data }) => {
    log.push(`own ${data}`);
    once();
    once = () => {};
  });
  for (const text of ['one', 'two']) await happen(socket, 'text', { text });
  assert.deepEqual(log, ['own one', 'first one', 'own two', 'first two', 'second two']);
});

test('after the last handler of a kind is off, its events are held again', async () => {
  const { task, socket, onSocketMessage, offSocketMessage } = await open();
  const handler = (/** @type {any} */ { data }) => log.push(data);
  const text = (/** @type {string} */ text) => happen(socket, 'text', { text });
  task.onMessage(handler);
  await text('one');
  task.offMessage(handler);
  await text('two');
  onSocketMessage(handler);
  await turn();
  assert.deepEqual(log, ['one', 'two']);
  offSocketMessage();
  await text('three');
  assert.deepEqual(log, ['one', 'two']);
  task.onMessage(handler);
  await turn();
  assert.deepEqual(log, ['one', 'two', 'three']);
});

test('the time while the module loads is part of the timeout', async () => {
  const all = createPage();
  /** @type {any} */
  const promise = all.connectSocket({
    ...{ url, timeout: 100 },
    fail: (/** @type {any} */ res) => log.push(`fail ${res.errMsg}`),
    complete: (/** @type {any} */ res) => log.push(`complete ${res.errMsg}`),
  });
  watch(promise, log);
  const sent = outcome(promise.send({ data: 'x' }));
  const closing = outcome(promise.close());
  tick(99);
  assert.equal(promise.readyState, 0);
  tick(1);
  assert.deepEqual([promise.readyState, sockets[0].closes], [3, [[undefined, undefined]]]);
  const text = 'connectSocket:fail timeout';
  assert.equal(await outcome(promise), `rejected ${text}`);
  assert.equal(await sent, 'rejected SocketTask.send:fail SocketTask.readyState is not OPEN');
  assert.equal(await closing, 'resolved closeSocket:ok');
  await turn();
  assert.deepEqual(log, [`fail ${text}`, `complete ${text}`, `error ${text}`, 'close 1006']);
  all.page.start();
  await turn();
  assert.deepEqual([sockets.length, log.length, all.stats().tasks], [1, 4, 0]);
});

test('a timeout that runs on when the module comes counts from the call', async () => {
  const all = createPage();
  const task = all.connectTask({ url, timeout: 100 });
  watch(task, log);
  tick(60);
  all.page.start();
  for (let i = 0; i < 20; i++) await undefined;
  assert.equal(all.stats().tasks, 1);
  tick(39);
  assert.deepEqual(log, []);
  tick(1);
  assert.deepEqual(log, ['error connectSocket:fail timeout', 'close 1006']);
});

test('a connection that is open in time meets no timeout, though the module comes later', async () => {
  const all = createPage();
  const task = all.connectTask({ url, timeout: 100 });
  watch(task, log);
  const socket = sockets[0];
  socket.readyState = 1;
  socket.dispatchEvent(new Event('open'));
  tick(1000);
  assert.deepEqual([task.readyState, socket.closes], [0, []]);
  all.page.start();
  await turn();
  assert.deepEqual([task.readyState, log], [1, ['open']]);
});

for (const [limit, settings] of Object.entries({
  messages: { maxHeldMessages: 3 },
  bytes: { maxHeldBytes: 6 }, // two for each UTF-16 unit
})) {
  test(`a server that floods while the module loads meets the limit of held ${limit}`, async () => {
    const all = createPage(settings);
    const task = all.connectTask({ url, reconnect: true });
    watch(task, log);
    const [socket] = sockets;
    await happen(socket, 'accept');
    for (const text of ['1', '2', '3']) await happen(socket, 'text', { text });
    assert.deepEqual(socket.closes, []);
    await happen(socket, 'text', { text: '4' });
    assert.deepEqual(socket.closes, [[4008, undefined]]);
    await happen(socket, 'text', { text: '5' });
    all.page.start();
    await turn();
    await happen(socket, 'drop'); // the close frame is lost; that is no reason to reconnect
    await turn();
    const text = 'connectSocket:fail too many messages without an onMessage handler, closed with 4008';
    assert.deepEqual(log, ['open', 'message 1', 'message 2', 'message 3', `error ${text}`, 'close 1006']);
    assert.deepEqual([sockets.length, all.stats().tasks, all.stats().slotsInUse], [1, 0, 0]);
  });
}

test('a flood and its loss while the module loads are no reason to reconnect', async () => {
  const all = createPage({ maxHeldMessages: 1 });
  const task = all.connectTask({ url, reconnect: true });
  await happen(sockets[0], 'accept');
  for (const text of ['1', '2']) await happen(sockets[0], 'text', { text });
  await happen(sockets[0], 'drop', { tells: true });
  all.page.start();
  watch(task, log);
  await turn();
  assert.deepEqual(log.slice(-1), ['close 1006']);
});

test('sockets that are opened early are counted while they are early', async () => {
  const all = createPage({ maxSockets: 2 });
  const connect = () => all.connectTask({ url, timeout: 100 });
  const tasks = [connect(), connect(), connect()];
  assert.equal(sockets.length, 2);
  tasks[0].close(); // is judged with the call, and frees nothing yet
  connect();
  assert.equal(sockets.length, 2);
  tick(100);
  connect();
  connect();
  connect();
  assert.equal(sockets.length, 4);
  all.page.start();
  await turn();
  assert.equal(all.stats().tasks, 2);
  assert.equal(sockets.length, 4);
});

test('nothing goes out early that the settings may refuse', async () => {
  const all = createPage({ domains: ['ws://a.example'] });
  for (const refused of [
    ...[
      { url: 'ws://b.example' },
      { url: 'wss://a.example' },
      { url: 'ws://a.example:8080' },
      { url: 'ftp://a.example' },
    ],
    ...[
      { url, reconnect: { retries: -1 } },
      { url, reconnect: 1 },
      { url, protocols: 1 },
      { url, header: 1 },
    ],
  ]) {
    all.connectTask(refused);
    assert.equal(sockets.length, 0);
  }
  all.connectTask({ url: 'HTTP://A.example:80', reconnect: true });
  assert.deepEqual([sockets.length, sockets[0].url], [1, url]);
});

test('ids are not used again after a death, and an ended task is not another one', async () => {
  const { task: old, socket, page, connectTask } = await open();
  old.close();
  await happen(socket, 'close');
  old.onClose(() => log.push('old close'));
  await turn();
  page.kill();
  const next = connectTask({ url });
  page.start();
  await turn();
  assert.deepEqual([old.socketTaskId, next.socketTaskId], [1, 2]);
  await happen(sockets[1], 'accept');
  old.onMessage(() => log.push('old message'));
  old.offMessage();
  for (const text of ['one', 'two']) await happen(sockets[1], 'text', { text });
  watch(next, log);
  await turn();
  await happen(sockets[1], 'text', { text: 'three' });
  assert.deepEqual(log, ['old close', 'open', 'message one', 'message two', 'message three']);
});

/** A WebSocket that is another one inside, as libraries make them: its listeners get no `this` and no target. */
class Wrapped {
  /** @param {string} url @param {string[]} protocols */
  constructor(url, protocols) {
    this.inner = new ScriptedSocket(url, protocols);
  }
  get readyState() {
    return this.inner.readyState;
  }
  get protocol() {
    return this.inner.protocol;
  }
  get bufferedAmount() {
    return 0;
  }
  /** @param {string} type @param {(event: object) => void} f */
  addEventListener(type, f) {
    this.inner.addEventListener(type, (/** @type {any} */ event) => {
      const { data, code, reason, wasClean } = event;
      f.call(undefined, { data, code, reason, wasClean });
    });
  }
  /** @param {any} data */
  send(data) {
    this.inner.send(data);
  }
  /** @param {number} [code] @param {string} [reason] */
  close(code, reason) {
    this.inner.close(code, reason);
  }
}

test('the WebSocket may be a wrapped one', async () => {
  globals.WebSocket = Wrapped;
  const { task, socket } = await open({}, { reconnect: { minDelay: 0, jitter: 0 } });
  socket.binaryType = 'arraybuffer';
  watch(task, log);
  await turn();
  task.send({ data: 'hello' });
  await happen(socket, 'text', { text: 'one' });
  await happen(socket, 'drop');
  await turn();
  await happen(sockets[1], 'accept');
  await happen(sockets[1], 'close');
  assert.deepEqual(socket.sent, ['hello']);
  assert.deepEqual(log, [
    ...['open', 'message one', `error connectSocket:fail WebSocket connection to "${url}" was lost`],
    ...['open again 1', 'close 1000'],
  ]);
});

/** A WebSocket that reports what nobody listens to, as Node's own does. */
class Reporting extends ScriptedSocket {
  /** @param {Event} event */
  dispatchEvent(event) {
    if (event.type === 'error' && this.listening <= 0) log.push('an error that nobody listens to');
    return super.dispatchEvent(event);
  }
  listening = 0;
  /** @param {string} type @param {any} f @param {any} [options] */
  addEventListener(type, f, options) {
    super.addEventListener(type, f, options);
    if (type === 'error') this.listening++;
    if (options?.once || options?.signal) throw new Error('it may be gone before the close');
  }
  /** @param {string} type @param {any} f */
  removeEventListener(type, f) {
    super.removeEventListener(type, f);
    if (type === 'error') this.listening--;
  }
}

test('every error of a WebSocket has a listener, to the end', async () => {
  globals.WebSocket = Reporting;
  const { connectTask, page } = await startPage();
  const ended = [
    connectTask({ url, timeout: 1 }),
    connectTask({ url }),
    connectTask({ url, reconnect: true }),
    connectTask({ url }),
  ];
  ended[1].close();
  await turn();
  tick(1);
  assert.equal(ended[0].readyState, 3);
  await happen(sockets[2], 'accept');
  await happen(sockets[2], 'close', { code: 1011 }); // it reconnects
  page.kill();
  for (const socket of [...sockets]) socket.dispatchEvent(new Event('error'));
  assert.deepEqual(log, []);
});

test('a shim over connectSocket that is the global WebSocket does not call itself', async () => {
  for (const early of [true, false]) {
    const all = early ? createPage() : await startPage();
    let made = 0;
    class Shim {
      /** @param {string} url @param {string[]} protocols */
      constructor(url, protocols) {
        made++;
        this.task = all.connectTask({ url, protocols });
      }
    }
    globals.WebSocket = Shim;
    const shim = new Shim(url, ['chat']);
    if (early) all.page.start();
    await turn();
    assert.deepEqual([sockets.length, sockets[0].url, sockets[0].offers], [1, url, ['chat']]);
    await happen(sockets[0], 'accept');
    assert.equal(shim.task.readyState, 1);
    new Shim(url, []);
    await turn();
    assert.deepEqual([sockets.length, made], [2, 3]); // it is asked once
    globals.WebSocket = ScriptedSocket;
    all.connectTask({ url });
    await turn();
    assert.equal(sockets.length, 3);
  }
});

test('a WebSocket that throws is told, and costs no slot', async () => {
  const { connectSocket, connectTask, stats } = await startPage({ maxSockets: 1 });
  const text = 'connectSocket:fail SyntaxError: The subprotocol';
  assert.ok((await outcome(connectSocket({ url, protocols: ['a', 'a'] }))).startsWith(`rejected ${text}`));
  globals.WebSocket = undefined;
  assert.match(await outcome(connectSocket({ url })), /^rejected connectSocket:fail TypeError: /);
  globals.WebSocket = ScriptedSocket;
  assert.equal(connectTask({ url }).readyState, 0);
  assert.equal(stats().tasks, 1);
});

test('a failed try refuses the calls that wait for it, and the next call tries again', async () => {
  const all = createPage();
  const { module } = all.bridge;
  /** @type {any} */
  const first = all.connectSocket({ url });
  const sent = outcome(all.sendSocketMessage({ data: 'x' }));
  first.onError((/** @type {any} */ { errMsg }) => log.push(errMsg));
  module.fail('offline');
  assert.equal(await outcome(first), 'rejected connectSocket:fail offline');
  assert.equal(await sent, 'rejected sendSocketMessage:fail offline');
  assert.equal(await outcome(first.send({ data: 'x' })), 'rejected SocketTask.send:fail offline');
  const second = all.connectSocket({ url });
  assert.equal(all.page.begun, 2);
  all.page.start();
  assert.equal(await outcome(second), 'resolved connectSocket:ok');
  assert.deepEqual([log, all.stats().tasks], [['connectSocket:fail offline'], 1]);
});

test('while Go waits for the rest of its code no WebSocket is opened for a call that it may refuse', async () => {
  const { connectTask, bridge } = await startPage({ maxSockets: 1 });
  connectTask({ url });
  /** @type {string[]} */
  const log = [];
  bridge.module.pause(() => watch(connectTask({ url }), log));
  assert.equal(sockets.length, 1);
  await turn();
  assert.equal(sockets.length, 1);
  assert.deepEqual(log, ['error connectSocket:fail exceed max concurrent count 1', 'close 1006']);
});
