/**
 * What is measured of a contestant, in its page. Nothing here knows which one it is, or which browser runs it.
 *
 * @typedef {{ send(data: string | ArrayBuffer): void, close(): void }} Socket
 * @typedef {(url: string, onMessage: (data: any) => void) => Promise<Socket>} Connect opens a connection; the
 *   promise resolves when it is open.
 */

/**
 * Makes a payload.
 *
 * @param {number} size in bytes
 * @param {'text' | 'binary'} [type]
 */
const payload = (size, type = 'text') => (type === 'text' ? 'x'.repeat(size) : new ArrayBuffer(size));

/**
 * Counts messages.
 *
 * @returns {{ count: () => void, reach: (n: number) => Promise<void> }} reach resolves when n were counted in all;
 *   one reach at a time.
 */
function counter() {
  let counted = 0;
  let wanted = Number.POSITIVE_INFINITY;
  let resolve = () => {};
  return {
    count() {
      if (++counted >= wanted) resolve();
    },
    reach: (n) =>
      new Promise((done) => {
        wanted = n;
        resolve = done;
        if (counted >= n) done();
      }),
  };
}

/**
 * Sends messages one after the other, each when the echo of the last is there.
 *
 * @param {Connect} connect
 * @param {string} url of an echo server
 * @param {{ count?: number, size?: number }} [option]
 * @returns {Promise<{ p50: number, p99: number }>} in milliseconds
 */
export async function roundTrip(connect, url, { count = 2000, size = 64 } = {}) {
  /** @type {() => void} */
  let answered;
  const socket = await connect(url, () => answered());
  const data = payload(size);
  const warm = count / 10;
  const times = new Float64Array(count);
  await /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      let i = -warm;
      let sent = 0;
      answered = () => {
        const now = performance.now();
        if (i >= 0) times[i] = now - sent;
        if (++i === count) return resolve();
        sent = performance.now();
        socket.send(data);
      };
      sent = performance.now();
      socket.send(data);
    })
  );
  socket.close();
  times.sort();
  return { p50: times[count * 0.5], p99: times[count * 0.99] };
}

/**
 * Keeps messages under way for a time: at most 64 a socket, or 1 MiB, at least two.
 *
 * @param {Connect} connect
 * @param {string} url of an echo server
 * @param {{ size?: number, type?: 'text' | 'binary', sockets?: number, ms?: number }} [option]
 * @returns {Promise<{ rate: number, messages: number }>} messages a second, both ways counted as one, and how many
 */
export async function echo(connect, url, { size = 64, type = 'text', sockets = 1, ms = 400 } = {}) {
  const data = payload(size, type);
  const window = Math.max(2, Math.min(64, 2 ** 20 / size)) / (sockets > 1 ? 4 : 1);
  let sent = 0;
  let received = 0;
  let open = true;
  /** @type {() => void} */
  let done;
  /** @type {Socket[]} */
  const all = [];
  for (let i = 0; i < sockets; i++) {
    all.push(
      await connect(url, () => {
        received++;
        if (open) {
          sent++;
          all[i].send(data);
        } else if (received === sent) {
          done();
        }
      }),
    );
  }
  const start = performance.now();
  const end = new Promise((resolve) => {
    done = () => resolve(performance.now());
  });
  setTimeout(() => {
    open = false;
  }, ms);
  for (const socket of all) {
    for (let i = 0; i < window; i++) {
      sent++;
      socket.send(data);
    }
  }
  const elapsed = (await end) - start;
  for (const socket of all) socket.close();
  return { rate: (received / elapsed) * 1000, messages: received };
}

/**
 * Receives what a server sends as fast as it can.
 *
 * @param {Connect} connect
 * @param {string} url of a server that answers "COUNT SIZE TYPE" with that many messages
 * @param {{ count: number, size?: number, type?: 'text' | 'binary' }} option
 * @returns {Promise<{ rate: number, messages: number }>} messages a second, and how many
 */
export async function flood(connect, url, { count, size = 64, type = 'text' }) {
  const { count: onMessage, reach } = counter();
  const socket = await connect(url, onMessage);
  const start = performance.now();
  socket.send(`${count} ${size} ${type}`);
  await reach(count);
  const elapsed = performance.now() - start;
  socket.close();
  return { rate: (count / elapsed) * 1000, messages: count };
}

/**
 * Opens a connection that floods the page again and again.
 *
 * @param {Connect} connect
 * @param {string} url as of flood
 * @returns {Promise<(count: number) => Promise<void>>} receives as many messages of 64 B
 */
export async function floods(connect, url) {
  const { count: onMessage, reach } = counter();
  const socket = await connect(url, onMessage);
  let asked = 0;
  return (count) => {
    socket.send(`${count} 64 text`);
    asked += count;
    return reach(asked);
  };
}

/**
 * Sends large binary messages, one after the other.
 *
 * @param {Connect} connect
 * @param {string} url of an echo server
 * @param {{ count: number, size?: number }} option
 */
export async function large(connect, url, { count, size = 2 ** 20 }) {
  const { count: onMessage, reach } = counter();
  const socket = await connect(url, onMessage);
  for (let i = 1; i <= count; i++) {
    socket.send(payload(size, 'binary'));
    await reach(i);
  }
  socket.close();
}

/** A WebSocket without a network: it is open at once, sends nowhere, and receives what a test gives it. */
export class FakeWebSocket extends EventTarget {
  /** The newest one. @type {FakeWebSocket} */
  static newest;
  binaryType = 'blob';
  protocol = '';
  bufferedAmount = 0;
  readyState = 0;

  constructor() {
    super();
    FakeWebSocket.newest = this;
    setTimeout(() => {
      this.readyState = 1;
      this.dispatchEvent(new Event('open'));
    });
  }

  // Handlers by property, as the DOM has them, for those who use them.
  /** @param {(event: any) => void} f */
  set onopen(f) {
    this.addEventListener('open', f);
  }
  /** @param {(event: any) => void} f */
  set onmessage(f) {
    this.addEventListener('message', f);
  }
  /** @param {(event: any) => void} f */
  set onerror(f) {
    this.addEventListener('error', f);
  }
  /** @param {(event: any) => void} f */
  set onclose(f) {
    this.addEventListener('close', f);
  }

  send() {}

  close() {
    this.readyState = 3;
    this.dispatchEvent(new CloseEvent('close', { code: 1000, wasClean: true }));
  }
}

/**
 * Measures what receiving and sending costs where the network costs nothing. A message is a real event, made and
 * dispatched by the browser as that of a real WebSocket is.
 *
 * @param {Connect} connect
 * @param {{ count?: number }} [option]
 * @returns {Promise<{ receive: number, send: number }>} nanoseconds a message
 */
export async function fake(connect, { count = 100_000 } = {}) {
  const real = globalThis.WebSocket;
  globalThis.WebSocket = /** @type {any} */ (FakeWebSocket);
  try {
    const { count: onMessage, reach } = counter();
    const socket = await connect('ws://fake', onMessage);
    const { newest } = FakeWebSocket;
    const data = payload(64);
    let received = 0;
    /** @param {number} n */
    const receive = async (n) => {
      const start = performance.now();
      for (let i = 0; i < n; i++) newest.dispatchEvent(new MessageEvent('message', { data }));
      received += n;
      await reach(received);
      return ((performance.now() - start) / n) * 1e6;
    };
    /** @param {number} n */
    const send = async (n) => {
      let spent = 0;
      // In parts: promises are settled between tasks.
      for (let sent = 0; sent < n; sent += 1000) {
        const start = performance.now();
        for (let i = 0; i < 1000; i++) socket.send(data);
        await undefined;
        spent += performance.now() - start;
        await new Promise((resolve) => setTimeout(resolve));
      }
      return (spent / n) * 1e6;
    };
    await receive(count / 5);
    const result = { receive: await receive(count), send: 0 };
    await send(count / 5);
    result.send = await send(count);
    socket.close();
    return result;
  } finally {
    globalThis.WebSocket = real;
  }
}
