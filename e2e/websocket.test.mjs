/**
 * connectsocket/websocket in every engine: every rule that the engine's own WebSocket keeps, ours keeps too, in a page,
 * in a worker and over TLS; and what ours has beyond that.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { engineNames, openEngine } from './drive/engine.mjs';
import { certificate, closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { AddressInfo } from 'node:net' */
/** @import { Engine, Page } from './drive/engine.mjs' */

const patience = { timeout: 300_000 }; // what has not come by then never will

/** What only an engine can give: events that are trusted, and instances of its own global class. */
const engineOnly = [
  '../dom/events/Event-isTrusted: gives events that are trusted',
  'interfaces: is the global interface',
];

const harness = `
  import { load } from './connectsocket.mjs';
  import { WebSocket as Ours } from './websocket.mjs';
  import { run } from './subtests.mjs';
  load({ maxSockets: 100, relay: new URL(import.meta.url).searchParams.get('relay') ?? undefined });
  export { Ours };
  export const runBoth = async (server) => ({ bare: await run(WebSocket, server), ours: await run(Ours, server) });
  export const runInWorker = (server) => new Promise((resolve, reject) => {
    const worker = new Worker('harness.mjs#' + server, { type: 'module' });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  if (!globalThis.document) postMessage(await runBoth(location.hash.slice(1)));
`;

/**
 * Starts a server for the subtests, which does by the path: echo, query (sends its query), request (sends its header),
 * raw (sends what comes, in hexadecimal, as it is), bye (closes with code and reason), drop (breaks the connection),
 * slow (does not answer the handshake), refused, own-protocol, no-protocol, and seen (tells how the client of that id closed).
 *
 * @param {boolean} tls
 */
async function startSubtestServer(tls) {
  /** @type {Map<string, { promise: Promise<unknown>, resolve: (value: unknown) => void }>} */
  const closes = new Map();
  const closeOf = (/** @type {string} */ id) => {
    let resolve = (/** @type {unknown} */ _) => {};
    const promise = new Promise((f) => {
      resolve = f;
    });
    const found = closes.get(id) ?? { promise, resolve };
    closes.set(id, found);
    return found;
  };
  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  const answer = async ({ url }, response) => {
    const { searchParams } = new URL(url ?? '', 'http://server');
    const seen = await closeOf(searchParams.get('id') ?? '').promise;
    response.writeHead(200, { 'Access-Control-Allow-Origin': '*' }).end(JSON.stringify(seen));
  };
  const http = tls
    ? createHttpsServer(
        { key: readFileSync(certificate().key), cert: readFileSync(certificate().cert) },
        answer,
      )
    : createHttpServer(answer);
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: ([first], { url }) => (/protocol$/.test(String(url)) ? false : first),
  });
  server.on('headers', (header, { url }) => {
    if (url === '/own-protocol') header.push('Sec-WebSocket-Protocol: foobar');
  });
  /** @type {Set<import('node:stream').Duplex>} */
  const sockets = new Set();
  http.on('upgrade', (request, socket, head) => {
    const { pathname, searchParams, search } = new URL(String(request.url), 'http://server');
    sockets.add(socket);
    socket.on('error', () => {}); // a client that breaks off
    if (pathname === '/slow') return;
    if (pathname === '/refused') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    server.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', () => {});
      ws.on('close', (code, reason) => closeOf(searchParams.get('id') ?? '').resolve([code, `${reason}`]));
      ws.on('message', (data, isBinary) => {
        if (pathname === '/raw') socket.write(Buffer.from(`${data}`, 'hex'));
        else ws.send(data, { binary: isBinary });
        if (`${data}` === 'Goodbye') ws.close(1000);
      });
      const { origin, referer, 'sec-websocket-protocol': protocol, ...header } = request.headers;
      if (pathname === '/query') ws.send(search.slice(1));
      if (pathname === '/request') ws.send(JSON.stringify({ origin, referer, protocol, header }));
      if (pathname === '/bye')
        ws.close(Number(searchParams.get('code')) || undefined, searchParams.get('reason') ?? '');
      if (pathname === '/drop') ws.terminate();
    });
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {AddressInfo} */ (http.address());
  return {
    url: `ws${tls ? 's' : ''}://127.0.0.1:${port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      http.close();
      http.closeAllConnections();
      await once(http, 'close');
    },
  };
}

/**
 * Ours passes what the engine's own passes, all but what only an engine can.
 *
 * @param {Record<'bare' | 'ours', Record<string, string>>} results
 */
function compare({ bare, ours }) {
  const names = Object.keys(bare);
  const passed = names.filter((name) => bare[name] === '');
  assert.ok(passed.length > 240, `the engine's own passes ${passed.length} of ${names.length}`);
  const lost = passed.filter((name) => ours[name] !== '');
  assert.deepEqual(
    lost.filter((name) => !engineOnly.includes(name)).map((name) => `${name}: ${ours[name]}`),
    [],
  );
  assert.deepEqual(lost, engineOnly);
}

/**
 * What ours has beyond an engine's own: what runs in the page, with Ours, the echo server's URL and log, which gives a
 * WebSocket's events; and what it returns.
 *
 * @type {Array<[string, string, unknown]>}
 */
const cases = [
  [
    'an error says why',
    `const events = await log(new Ours(echo + '?delay=20s', [], { timeout: 200 }));
     return events.map(({ type, errMsg, code }) => [type, errMsg, code].join(' ').trim());`,
    ['error connectSocket:fail timeout', 'close  1006'],
  ],
  [
    'a refused call leaves time to add listeners',
    `const ws = new Ours(echo, [], { reconnect: 'often' });
     await undefined;
     await undefined;
     return [ws.readyState, ...(await log(ws)).map(({ type, errMsg }) => [type, errMsg].join(' ').trim())];`,
    [
      0,
      'error connectSocket:fail parameter error: parameter.reconnect should be Boolean or Object instead of String',
      'close',
    ],
  ],
  [
    'an option reaches the server, and the open event has its header',
    `const ws = new Ours(echo + '?headers=1', 'chat', { header: { 'X-Token': 'secret' } });
     ws.onmessage = () => ws.close(4000, 'enough');
     const [open, message, close] = await log(ws);
     return [open.header.Upgrade, typeof open.profile.cost, JSON.parse(message.data)['X-Token'], message.origin, ws.protocol, close.code, close.reason];`,
    ['websocket', 'number', ['secret'], 'ORIGIN', 'chat', 4000, 'enough'],
  ],
  [
    'with() gives a class of its own, whose options a third argument overrides',
    `const Theirs = Ours.with({ header: { a: '1', b: '1' } }).with({ relay: 'always' });
     const ws = new Theirs(echo + '?headers=1', [], { header: { b: '2' } });
     ws.onmessage = () => ws.close();
     const [, { data }, { code }] = await log(ws);
     const { A, B } = JSON.parse(data);
     return [A, B, code, ws instanceof Ours, ws instanceof Theirs, Theirs.name, Theirs.OPEN, String(ws)];`,
    [null, ['2'], 1005, true, true, 'WebSocket', 1, '[object WebSocket]'],
  ],
  [
    'with reconnect an error is no end',
    `const ws = new Ours(echo + '?code=1006&after=1', [], { reconnect: { minDelay: 1, maxDelay: 1 } });
     const seen = [];
     let opens = 0;
     for (const type of ['open', 'message', 'error', 'close']) {
       ws.addEventListener(type, (event) => {
         seen.push([type, ws.readyState, event.reconnected].join(' ').trim());
         if (type === 'open' && ++opens < 3) ws.send('drop');
         else if (type === 'open') ws.close();
       });
     }
     await new Promise((resolve) => ws.addEventListener('close', resolve));
     return seen.filter((each) => !each.startsWith('message'));`,
    ['open 1', 'error 0', 'open 1 1', 'error 0', 'open 1 2', 'close 3'],
  ],
  [
    'with reconnect send throws between two connections, and close ends the waiting',
    `const ws = new Ours(echo + '?code=1006&after=1', [], { reconnect: { minDelay: 1e6, jitter: 0 } });
     ws.onopen = () => ws.send('drop');
     await new Promise((resolve) => (ws.onerror = resolve));
     let name = '';
     try {
       ws.send('x');
     } catch (error) {
       name = error.name;
     }
     const closed = new Promise((resolve) => (ws.onclose = resolve));
     ws.close();
     const { code } = await closed;
     return [name, code, ws.readyState];`,
    ['InvalidStateError', 1006, 3],
  ],
];

/** What the cases use: the events of a WebSocket until it is closed, without its messages but the first. */
const log = `const log = (ws) => new Promise((resolve) => {
  const events = [];
  for (const type of ['open', 'message', 'error', 'close']) ws.addEventListener(type, (event) => events.push(event));
  ws.addEventListener('close', () => resolve(events));
});`;

const site = {
  '/': '<!doctype html><link rel="icon" href="data:,">',
  '/harness.mjs': { body: harness },
  '/subtests.mjs': { body: readFileSync(join(import.meta.dirname, 'websocket.subtests.mjs')) },
};

for (const name of engineNames) {
  describe(name, () => {
    const use = closeAfterTests();
    /** @type {Engine} */
    let engine;

    before(async () => {
      engine = await use(openEngine, name);
    }, patience);

    for (const [where, tls, run] of /** @type {const} */ ([
      ['in a page', false, 'runBoth'],
      ['in a worker, over TLS', true, 'runInWorker'],
    ])) {
      test(`keeps the rules of the engine's own ${where}`, patience, async () => {
        const server = await startSubtestServer(tls);
        const { url, close } = await startSite(site, { tls });
        try {
          const page = await engine.newPage(url);
          compare(await page.evaluate(`(await import('./harness.mjs')).${run}('${server.url}')`));
          await page.close();
        } finally {
          await close();
          await server.close();
        }
      });
    }

    describe("beyond the engine's own", () => {
      /** @type {Page} */
      let page;
      let echo = '';

      before(async () => {
        let url = '';
        ({ echo, url } = await use(startServe));
        page = await engine.newPage((await use(startSite, site)).url);
        await page.evaluate(async (relay) => {
          Object.assign(globalThis, await import(`./harness.mjs?relay=${relay}`));
        }, `${url}/relay`);
      }, patience);

      for (const [what, body, want] of cases) {
        test(what, patience, async () => {
          const origin = echo.replace('/echo', '');
          assert.deepEqual(
            await page.evaluate(`(async (echo) => { ${log}\n${body} })('${echo}')`),
            JSON.parse(JSON.stringify(want).replace('ORIGIN', origin)),
          );
        });
      }
    });
  });
}
