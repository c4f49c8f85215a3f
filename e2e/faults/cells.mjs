import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';

/** @import { EngineName, Page } from '../drive/engine.mjs' */
/** @import { Faults } from './server.mjs' */

/**
 * Where the fault is: between a page and its server, between its relay and the server, or between it and its relay.
 *
 * @typedef {'direct' | 'behind the relay' | 'before the relay'} Way
 */

/**
 * What a page sees: its events, in order; or a list of such, of which any may be seen; or that by engine.
 *
 * @typedef {string | string[] | Record<EngineName, string | string[]>} Want
 */

/**
 * A cell of the matrix, without its engine and scheme.
 *
 * @typedef {object} Cell
 * @property {string} fault
 * @property {Partial<Record<Way, Want>>} want by the ways in which it is tried
 * @property {'server' | 'toxic' | 'plain' | 'refuses' | 'strange' | 'victim'} [at] what the page connects to: server by
 *   default, or toxic where there is something to do to the network
 * @property {string} [path] /echo by default
 * @property {object[]} [toxics] of toxiproxy, from the start
 * @property {object} [option] of connectSocket
 * @property {number} [size] characters of the message that the page sends, 5 by default
 * @property {(lab: Lab) => Promise<void>} [before]
 * @property {(lab: Lab) => Promise<void>} [opened] what is done when the page has its answer
 * @property {boolean} [closes] the page closes with 3000 when it has its answer
 * @property {boolean} [slow] takes seconds
 * @property {boolean} [tls] of wss: alone
 */

/**
 * @typedef {object} Lab
 * @property {Page} page
 * @property {(toxic: object) => Promise<void>} poison adds a toxic where the fault is to be
 * @property {() => Promise<void>} heal takes all toxics away
 * @property {import('./server.mjs').Victim} victim
 */

/**
 * What the cells use in the page.
 */
export function harness() {
  const page = /** @type {any} */ (globalThis);
  /** @type {string[]} */
  page.unhandled = [];
  page.addEventListener('error', (/** @type {ErrorEvent} */ e) => page.unhandled.push(e.message));
  page.addEventListener('unhandledrejection', (/** @type {PromiseRejectionEvent} */ e) =>
    page.unhandled.push(JSON.stringify(e.reason)),
  );
  page.sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
  /**
   * Connects, sends a message once that is open, and writes down each callback.
   *
   * @param {string} url
   * @param {object} option
   * @param {number} size of the message
   * @param {boolean} closes
   */
  page.meet = (url, option, size, closes) => {
    page.met?.task.close(); // of a cell that has failed
    const sent = 'hello'.repeat(size / 5);
    /** @type {string[]} */
    const seen = [];
    /** @type {string[]} */
    const told = [];
    const task = connectSocket({
      ...option,
      url,
      success: () => told.push('success'),
      fail: () => told.push('fail'),
      complete: () => told.push('complete'),
    });
    task.then(
      () => told.push('resolved'),
      () => told.push('rejected'),
    );
    task.onOpen(() => {
      seen.push('open');
      task.send({ data: sent });
    });
    /** @type {Promise<void>} */
    const answered = new Promise((resolve) => {
      task.onMessage(({ data }) => {
        if (data === 'ping') return; // the answer to a heartbeat
        seen.push(data === sent ? `text ${size}` : `changed ${data}`);
        if (closes) task.close({ code: 3000 });
        resolve();
      });
      task.onClose(() => resolve());
    });
    task.onError(({ errMsg }) => {
      const [, how] = /^connectSocket:fail (.*)$/.exec(errMsg) ?? [];
      const known = { [`WebSocket connection to "${url}" failed`]: 'failed' };
      known[`WebSocket connection to "${url}" was lost`] = 'lost';
      const plain = how.replace(`"${url}"`, 'URL').replace(/the relay "[^"]*"/, 'the relay');
      seen.push(`error: ${known[how] ?? plain.replace(/\d+ ms/, 'N ms')}`);
    });
    const closed = new Promise((resolve) => {
      task.onClose(({ code, wasClean }) => {
        seen.push(`close ${code}${wasClean ? ' clean' : ''}`);
        resolve(undefined);
      });
    });
    page.met = { task, seen, told, answered, closed };
    return page.met;
  };
}

const failed = 'error: failed, close 1006';
// Firefox gives RFC 6455's code for it; the others none, as the WebSockets Standard of the WHATWG asks.
const noTLS = { chromium: failed, firefox: 'error: failed, close 1015', webkit: failed };
const lost = 'open, text 5, error: lost, close 1006';
const violated = 'open, text 5, close 1002 clean';
const ended = 'open, text 5, close 3000 clean';
/** @param {string} why */
const told = (why) => `error: ${why}, close 1006`;
const unexplained = told('upstream closed the connection during the handshake');
const invalid = told('upstream answered with an invalid WebSocket handshake');

/**
 * @param {Want} direct
 * @param {Want} [relay]
 */
const ways = (direct, relay = direct) => ({ direct, 'behind the relay': relay });

/** @param {Want} want */
const everywhere = (want) => ({ ...ways(want), 'before the relay': want });

/**
 * A toxic in both directions.
 *
 * @param {string} type
 * @param {object} attributes
 */
const both = (type, attributes) =>
  ['upstream', 'downstream'].map((stream) => ({ name: `${type} ${stream}`, type, stream, attributes }));

const silence = both('timeout', { timeout: 0 });

const heartbeat = { interval: 500, message: 'ping', timeout: 300 };
const unanswered = 'error: the connection is lost: nothing was received after a heartbeat';

/**
 * Silences a link, without a sign to either side, and waits until the page notices: in `interval` and `timeout` of the heartbeat, and
 * some more. An eighth of `interval` is how exactly the time without a message is known; the rest is for the two requests of the
 * toxics and the driver's answers on a busy machine.
 *
 * @param {Lab} lab
 */
async function silenceIsNoticed({ page, poison }) {
  const began = Date.now();
  for (const toxic of silence) await poison(toxic);
  await page.evaluate(async () => {
    const { met, sleep } = /** @type {any} */ (globalThis);
    while (!met.seen.some((/** @type {string} */ line) => line.startsWith('error'))) await sleep(5);
  });
  const took = Date.now() - began;
  const { interval, timeout } = heartbeat;
  const most = interval + timeout + interval / 8 + 500;
  assert.ok(took >= timeout && took <= most, `noticed after ${took} ms, ${most} at most`);
}

/** @type {Cell[]} */
export const cells = [
  // While the handshake is made.
  {
    fault: 'reset before the handshake',
    toxics: both('reset_peer', { timeout: 0 }),
    want: {
      ...ways(failed, unexplained),
      'before the relay': told('the relay could not be reached after N ms; URL was not asked'),
    },
  },
  { fault: 'reset in place of the answer', path: '/hostile?fault=reset', want: ways(failed, unexplained) },
  {
    fault: 'reset within the answer',
    path: '/hostile?fault=half',
    want: ways(failed, [unexplained, told('upstream gave no valid HTTP response')]),
  },
  { fault: 'end in place of the answer', path: '/hostile?fault=drop', want: ways(failed, unexplained) },
  {
    fault: 'silence while connecting, given 300 ms',
    toxics: silence,
    option: { timeout: 300 },
    want: {
      direct: told('timeout'),
      // The relay's clock may be first, if the page's timer is late.
      'behind the relay': [told('timeout: the relay has not answered for URL'), told('timeout')],
      'before the relay': told('timeout: the relay could not be reached after N ms; URL was not asked'),
    },
  },
  ...[200, 301, 401, 404, 500, 503].map((status) => ({
    fault: `HTTP ${status}`,
    path: `/hostile?status=${status}`,
    want: ways(
      // WebKitGTK goes where a redirection leads.
      {
        chromium: failed,
        firefox: failed,
        webkit: status === 301 ? 'open, text 5, close 1000 clean' : failed,
      },
      told(`upstream answered ${status} ${STATUS_CODES[status]}`),
    ),
  })),
  { fault: 'wrong Sec-WebSocket-Accept', path: '/hostile?fault=accept', want: ways(failed, invalid) },
  {
    fault: 'subprotocol that is none of those offered',
    path: '/hostile?fault=protocol',
    option: { protocols: ['known'] },
    want: ways(failed, told('upstream chose a protocol that was not offered')),
  },
  {
    fault: 'subprotocol where none was offered',
    path: '/hostile?fault=protocol',
    want: ways(
      { chromium: failed, firefox: 'open, text 5, close 1000 clean', webkit: failed },
      told('upstream chose a protocol that was not offered'),
    ),
  },
  {
    fault: 'extension that was not offered',
    path: '/hostile?fault=extension',
    want: ways(failed, told('upstream compresses in a way that was not offered')),
  },
  {
    fault: 'TLS: the server speaks none',
    at: 'plain',
    tls: true,
    want: ways(noTLS, told('upstream does not speak TLS')),
  },
  {
    fault: 'TLS: the server refuses it',
    at: 'refuses',
    tls: true,
    want: ways(noTLS, told("upstream's TLS: remote error: tls: internal error")),
  },
  {
    fault: "TLS: the server's certificate is not trusted",
    at: 'strange',
    tls: true,
    want: {
      'behind the relay': told(
        "upstream's TLS: tls: failed to verify certificate: x509: certificate signed by unknown authority",
      ),
    },
  },

  // Once it is made.
  {
    fault: 'reset right after the handshake',
    path: '/hostile?fault=open-reset',
    want: ways([failed, 'open, error: lost, close 1006'], ['open, error: lost, close 1006', unexplained]),
  },
  { fault: 'reset', path: '/hostile?fault=hello-reset', want: ways(lost) },
  { fault: 'reset within a message', path: '/hostile?fault=message-reset', want: ways(lost) },
  { fault: 'end without a close frame', path: '/hostile?fault=hello-drop', want: ways(lost) },
  { fault: 'end within a message', path: '/hostile?fault=message-drop', want: ways(lost) },
  { fault: 'reserved bits', path: '/hostile?fault=reserved-bits', want: ways(lost, violated) },
  { fault: 'unknown opcode', path: '/hostile?fault=opcode', want: ways(lost, violated) },
  {
    fault: 'masked frame',
    path: '/hostile?fault=masked',
    want: ways(
      { chromium: lost, firefox: 'open, text 5, changed no, close 1000 clean', webkit: lost },
      violated,
    ),
  },
  { fault: 'control frame of 126 bytes', path: '/hostile?fault=control-size', want: ways(lost, violated) },
  { fault: 'text that is not UTF-8', path: '/hostile?fault=bad-utf8', want: ways(lost) },
  {
    fault: 'close frame without a code',
    path: '/hostile?fault=empty-close',
    want: ways('open, text 5, close 1005 clean'),
  },
  {
    fault: 'close frame of one byte',
    path: '/hostile?fault=short-close',
    want: ways({ chromium: lost, firefox: 'open, text 5, close 1005 clean', webkit: lost }, violated),
  },
  // RFC 6455 section 7.4: these are not for the wire.
  ...[1004, 1005, 1006, 1015].map((code) => ({
    fault: `close frame with ${code}`,
    path: `/hostile?close=${code}`,
    want: ways([lost, `open, text 5, close ${code} clean`], violated),
  })),
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999].map((code) => ({
    fault: `close frame with ${code}`,
    path: `/hostile?close=${code}`,
    want: ways(`open, text 5, close ${code} clean`),
  })),
  // Registered after RFC 6455; WebKitGTK takes them for an error.
  ...[1012, 1013, 1014].map((code) => {
    const clean = `open, text 5, close ${code} clean`;
    return {
      fault: `close frame with ${code}`,
      path: `/hostile?close=${code}`,
      want: ways({ chromium: clean, firefox: clean, webkit: lost }),
    };
  }),
  {
    fault: 'server killed',
    at: 'victim',
    before: ({ victim }) => victim.start(),
    opened: ({ victim }) => victim.kill(),
    want: ways(lost),
  },
  {
    fault: 'server down',
    at: 'victim',
    before: ({ victim }) => victim.kill(),
    want: ways(failed, told('upstream refused the connection')),
  },
  {
    fault: 'server started again',
    at: 'victim',
    before: ({ victim }) => victim.start(),
    closes: true,
    want: ways(ended),
  },

  // A network that is bad, but good enough.
  {
    fault: 'every packet in slices of some 5 bytes',
    toxics: both('slicer', { average_size: 5, size_variation: 2, delay: 10 }),
    size: 4000,
    closes: true,
    want: everywhere('open, text 4000, close 3000 clean'),
  },
  {
    fault: 'latency of 2 s',
    toxics: [{ type: 'latency', attributes: { latency: 2000 } }],
    closes: true,
    slow: true,
    want: everywhere(ended),
  },
  {
    fault: '20 KB/s',
    toxics: both('bandwidth', { rate: 20 }),
    size: 40_000,
    closes: true,
    slow: true,
    want: everywhere('open, text 40000, close 3000 clean'),
  },
  {
    fault: 'silence, with a heartbeat',
    toxics: [],
    option: { heartbeat },
    opened: silenceIsNoticed,
    want: everywhere(`open, text 5, ${unanswered}, close 1006`),
  },
  {
    fault: 'silence for a while, with a heartbeat and reconnect',
    toxics: [],
    option: { heartbeat, reconnect: { minDelay: 1000, jitter: 0 } }, // the silence is over by then
    async opened(lab) {
      await silenceIsNoticed(lab);
      await lab.heal();
      await lab.page.evaluate(async () => {
        const { met, sleep } = /** @type {any} */ (globalThis);
        while (met.seen.filter((/** @type {string} */ line) => line === 'text 5').length < 2) await sleep(5);
        met.task.close({ code: 3000 });
      });
    },
    want: everywhere(`open, text 5, ${unanswered}, open, text 5, close 3000 clean`),
  },
  // Nothing can be known of it, but close() ends it: the slot is back at once, and the rest in the engine's own time.
  {
    fault: 'silence, then close()',
    toxics: [],
    async opened({ page, poison }) {
      for (const toxic of silence) await poison(toxic);
      const states = await page.evaluate(async () => {
        const { met, sleep } = /** @type {any} */ (globalThis);
        met.task.send({ data: 'into nothing' });
        await sleep(1000);
        const before = met.task.readyState;
        met.task.close({ code: 3001 });
        const url = location.origin.replace('http', 'ws');
        const others = Array.from({ length: 5 }, () => connectSocket({ url }));
        const free = await Promise.allSettled(others);
        for (const other of others) other.close();
        return [before, met.task.readyState, free.filter(({ status }) => status === 'fulfilled').length];
      });
      assert.deepEqual(states, [1, 2, 5]);
    },
    slow: true,
    want: everywhere(lost),
  },
];
