/**
 * Does with the package what pages do in their first seconds, and what they may do wrong, against a WebSocket that is driven
 * from here. What the Go half runs meanwhile is what the first part of the module needs.
 */

/** A WebSocket without a network: `opened`, `received`, `lost` and `closed` do what a peer would. */
export class DrivenWebSocket extends EventTarget {
  /** @type {DrivenWebSocket[]} */
  static all = [];
  /** The newest one. @returns {DrivenWebSocket} */
  static newest() {
    return /** @type {DrivenWebSocket} */ (DrivenWebSocket.all.at(-1));
  }
  protocol = '';
  extensions = '';
  readyState = 0;
  bufferedAmount = 0;
  binaryType = 'arraybuffer';

  /** @param {string} url @param {string[]} [protocols] */
  constructor(url, protocols = []) {
    super();
    if (protocols.includes('bad protocol')) throw new SyntaxError('bad protocol');
    this.url = String(url);
    DrivenWebSocket.all.push(this);
  }

  /** @param {string} type @param {object} [properties] */
  emit(type, properties) {
    this.dispatchEvent(Object.assign(new Event(type), properties));
  }

  opened() {
    this.readyState = 1;
    this.emit('open');
  }

  /** @param {unknown} data */
  received(data) {
    this.emit('message', { data });
  }

  closed(code = 1000, reason = '') {
    this.readyState = 3;
    this.emit('close', { code, reason, wasClean: code !== 1006 });
  }

  lost() {
    this.readyState = 3;
    this.emit('error');
    this.closed(1006);
  }

  send() {
    if (this.readyState === 0) throw new Error('still connecting');
  }

  close() {
    if (this.readyState < 2) this.readyState = 2;
  }
}

const pause = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));
const noop = () => {};
const bang = () => {
  throw new Error('thrown on purpose');
};
const url = 'ws://a.example/';

/**
 * @param {any} api what the package exports
 * @param {{ connections: number }} extent how many connections are made in the course of it
 */
export async function drive(api, { connections }) {
  api.onSocketOpen(noop);
  api.onSocketMessage(noop);
  api.onSocketError(noop);
  api.onSocketClose(noop);
  for (let i = 0; i < connections; i++) await connection(api, i);
  await atOnce(api);
  await early(api);
  await nested(api);
  await limits(api);
  await refusedOptions(api);
  await refusedCalls(api);
  await reconnects(api);
  await heartbeats(api);
  await relayed(api);
  for (let i = 0; i < 3; i++) await connection(api, i);
}

/** A connection from its call to its end, which differs from one to the next. @param {any} api @param {number} i */
async function connection({ connectSocket }, i) {
  const task = await connectSocket({ url, header: {}, success: noop, fail: noop, complete: noop });
  const ws = DrivenWebSocket.newest();
  task.onOpen(noop);
  task.onMessage(() => task.readyState);
  task.onError(noop);
  task.onClose(noop);
  ws.opened();
  for (let k = 0; k < 20; k++) {
    ws.received(k % 2 ? 'text' : new ArrayBuffer(8));
    if (k % 5 === 0) await task.send({ data: k % 2 ? 'text' : new Uint8Array(4) });
  }
  if (i === 0) for (let k = 0; k < 1000; k++) ws.received('text');
  await pause();
  if (i % 3 === 0) {
    task.close({ code: 3000 + i, reason: 'done' });
    ws.received('late');
    await pause();
    ws.closed(3000 + i, 'done');
  } else if (i % 3 === 1) ws.lost();
  else ws.closed(1001, 'going away');
  await pause();
}

/** As many connections as there may be, and what comes of one more. @param {any} api */
async function atOnce({ connectSocket, closeSocket, sendSocketMessage }) {
  const tasks = [];
  for (let i = 0; i < 5; i++) tasks.push(await connectSocket({ url }));
  await connectSocket({ url }).catch(noop);
  const sockets = DrivenWebSocket.all.slice(-5);
  for (const ws of sockets) ws.opened();
  await sendSocketMessage({ data: 'to the newest' });
  for (const ws of sockets) for (let k = 0; k < 30; k++) ws.received('held');
  for (const task of tasks) task.onMessage(noop);
  await pause();
  await closeSocket({ code: 1000 });
  for (const task of tasks) task.close();
  for (const task of tasks) await task.close();
  for (const ws of sockets) ws.closed();
  await pause();
  await closeSocket({}).catch(noop);
  await sendSocketMessage({ data: 'to nobody' }).catch(noop);
}

/** Events before there is a handler, in every order; handlers that go. @param {any} api */
async function early({ connectSocket }) {
  const task = connectSocket({ url });
  const ws = DrivenWebSocket.newest();
  ws.opened();
  for (let k = 0; k < 60; k++) ws.received('held');
  ws.lost();
  await task;
  await pause();
  task.onClose(noop);
  task.onError(noop);
  task.onMessage(noop);
  task.onOpen(noop);
  await pause();
  task.offMessage?.();
  const unseen = await connectSocket({ url });
  DrivenWebSocket.newest().lost();
  await pause();
  unseen.close();
  const abandoned = await connectSocket({ url });
  abandoned.close();
  DrivenWebSocket.newest().lost();
  await pause();
  await connectSocket({ url, timeout: 5 });
  await pause(20);
  DrivenWebSocket.newest().lost();
}

/** Handlers that call, cause events, and throw. @param {any} api */
async function nested({ connectSocket }) {
  const task = await connectSocket({ url });
  const ws = DrivenWebSocket.newest();
  let left = 40;
  task.onMessage(() => {
    if (left-- > 0) {
      ws.received('one');
      ws.received('two');
    }
    task.send({ data: 'from a handler' });
    throw new Error('thrown on purpose');
  });
  task.onOpen(bang);
  task.onClose(() => connectSocket({ url }).onOpen(bang));
  ws.opened();
  ws.received('go');
  await pause();
  ws.closed();
  await pause();
  DrivenWebSocket.newest().opened();
  DrivenWebSocket.newest().closed();
  await pause();
}

/** A task that holds more than it may. @param {any} api */
async function limits({ connectSocket }) {
  const task = await connectSocket({ url });
  const ws = DrivenWebSocket.newest();
  ws.opened();
  for (let k = 0; k < 10_100; k++) ws.received('held');
  await pause();
  ws.closed(1006);
  task.onMessage(noop);
  task.onError(noop);
  await pause();
}

/** @param {any} api */
async function refusedOptions({ connectSocket }) {
  const hostile = new Proxy({}, { get: bang });
  for (const option of [
    undefined,
    null,
    1,
    'text',
    [],
    {},
    hostile,
    { url: 1 },
    { url: 'ftp://a.example/' },
    { url: 'http://a.example/' },
    { url: '/relative' },
    { url: 'ws://a.example/#fragment' },
    { url: 'no url' },
    { url: 'wss://unlisted.example/' },
    { url, protocols: ['bad protocol'] },
    { url, protocols: [1] },
    { url, protocols: 1 },
    { url, header: 1 },
    { url, header: { a: {} } },
    { url, header: hostile },
    { url, timeout: 'long' },
    { url, timeout: -1 },
    { url, timeout: 1e12 },
    { url, reconnect: 1 },
    { url, reconnect: hostile },
    { url, reconnect: { retries: -1 } },
    { url, reconnect: { factor: 0.5 } },
    { url, reconnect: { jitter: 2 } },
    { url, reconnect: { minDelay: 10, maxDelay: 1 } },
    { url, reconnect: { minDelay: -1 } },
    { url, reconnect: { maxDelay: 1e12 } },
    { url, success: bang, fail: bang, complete: bang },
    Object.defineProperty({}, 'url', { get: bang }),
    Object.defineProperty({ url }, 'success', { get: bang }),
  ]) {
    const before = DrivenWebSocket.all.length;
    await connectSocket(option).catch(noop);
    for (const ws of DrivenWebSocket.all.slice(before)) ws.lost();
    await pause();
  }
}

/** @param {any} api */
async function refusedCalls({ connectSocket }) {
  const task = await connectSocket({ url });
  const ws = DrivenWebSocket.newest();
  await task.send({ data: 'too early' }).catch(noop);
  ws.opened();
  const throwing = Object.defineProperty({}, 'code', { get: bang });
  for (const data of [1, null, undefined, {}, Symbol('text')]) await task.send({ data }).catch(noop);
  await task.send(undefined).catch(noop);
  const reason = 'long '.repeat(50);
  for (const code of [999, 1001, 1.5, 5000, 1e12, Number.NaN, 'text', null])
    await task.close({ code }).catch(noop);
  for (const option of [{ reason }, { reason: 1 }, throwing]) await task.close(option).catch(noop);
  await task.close({ code: 4999, reason: 'done' });
  await task.send({ data: 'too late' }).catch(noop);
  ws.closed(4999, 'done');
  await pause();
  await task.close();
  await task.send({ data: 'too late' }).catch(noop);
}

/** Connections that come back, give up, or are closed in between. @param {any} api */
async function reconnects({ connectSocket }) {
  const option = { retries: 4, minDelay: 1, maxDelay: 4, factor: 2, jitter: 0.5 };
  for (const end of ['closed by the page', 'refused', 'given up', 'closed while it waits']) {
    const task = await connectSocket({ url, reconnect: option });
    task.onMessage(noop);
    for (let i = 0; i < 6; i++) {
      const ws = DrivenWebSocket.newest();
      if (ws.readyState === 3) break;
      if (end !== 'given up') {
        ws.opened();
        ws.received('text');
      }
      if (i === 3 && end === 'refused') ws.closed(1008);
      else if (i % 2) ws.lost();
      else ws.closed(1001);
      if (i === 3 && end === 'closed while it waits') task.close();
      await pause(15);
    }
    task.close();
    const ws = DrivenWebSocket.newest();
    if (ws.readyState !== 3) ws.closed();
    await pause();
  }
  const always = await connectSocket({ url, reconnect: true });
  DrivenWebSocket.newest().lost();
  await pause();
  always.close();
  await pause();
}

/** Connections that ask whether the peer is there: it answers, it does not, and one that comes back after that. @param {any} api */
async function heartbeats({ connectSocket }) {
  const heartbeat = { interval: 5, message: 'ping', timeout: 5 };
  for (const option of [{ heartbeat }, { heartbeat, reconnect: { retries: 1, minDelay: 1 } }]) {
    const task = await connectSocket({ url, ...option });
    const ws = DrivenWebSocket.newest();
    ws.opened();
    await pause(8);
    ws.received('pong');
    await pause(30);
    const next = DrivenWebSocket.newest();
    if (next.readyState === 0) next.opened();
    task.close();
    for (const each of [ws, next]) if (each.readyState !== 3) each.closed();
    await pause();
  }
  const fresh = await connectSocket({
    url,
    reconnect: { minDelay: 1, option: async () => ({ url: 'ws://b.example/' }), whileHidden: true },
  });
  DrivenWebSocket.newest().lost();
  await pause(20);
  fresh.close();
  DrivenWebSocket.newest().lost();
  await pause();
}

/** Connections through the relay: opened, refused, and with an answer that makes no sense. @param {any} api */
async function relayed({ connectSocket }) {
  for (const answer of [
    { open: true, protocol: '', header: { Server: 'upstream' } },
    { open: false, errMsg: 'connectSocket:fail refused', status: 403 },
    'nonsense',
  ]) {
    const task = await connectSocket({ url, header: { Authorization: 'secret' } });
    const ws = DrivenWebSocket.newest();
    task.onOpen(noop);
    task.onMessage(noop);
    ws.protocol = 'connectsocket.relay.v1';
    ws.opened();
    await pause();
    ws.received(JSON.stringify(answer));
    await pause();
    if (ws.readyState === 1) ws.received('text');
    ws.closed(1006);
    await pause();
    task.close();
    await pause();
  }
}
