import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { build } from 'esbuild';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { startSite } from './drive/server.mjs';

/** @import { IncomingMessage } from 'node:http' */
/** @import { AddressInfo } from 'node:net' */
/** @import { WebSocket } from 'ws' */
/** @import { Engine, Page } from './drive/engine.mjs' */

/** What the pages of client libraries share: what was thrown there and not caught, and a way to wait. */
const common = `
  import { stats } from 'connectsocket';
  globalThis.uncaught = [];
  addEventListener('error', ({ message }) => uncaught.push(message));
  addEventListener('unhandledrejection', ({ reason }) => uncaught.push(String(reason)));
  const until = async (condition) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  Object.assign(globalThis, { stats, until });
`;

/**
 * Starts a site whose page runs a module, bundled with the packages that it imports.
 *
 * @param {string} contents
 */
export async function startBundledSite(contents) {
  const { outputFiles } = await build({
    stdin: { contents: `${common}${contents}`, resolveDir: import.meta.dirname },
    bundle: true,
    format: 'esm',
    define: { global: 'globalThis', 'process.env.NODE_ENV': '"production"' },
    write: false,
  });
  return startSite({
    '/': '<!doctype html><link rel="icon" href="data:,"><script type="module" src="page.mjs"></script>',
    '/page.mjs': { body: outputFiles[0].text },
  });
}

/**
 * Runs f with a new page, in which nothing may be thrown that is not caught, and no task may be left.
 *
 * @param {Engine} engine
 * @param {string} url
 * @param {(page: Page) => Promise<void>} f
 */
export async function withPage(engine, url, f) {
  const page = await engine.newPage(url);
  try {
    await f(page);
    await page.evaluate('until(() => stats().tasks === 0)');
    assert.deepEqual(await page.evaluate('uncaught'), []);
  } finally {
    await page.close();
  }
}

/** Starts an HTTP server on a free port, for a server of WebSockets to be put on. */
export async function startHttp() {
  const http = createServer();
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {AddressInfo} */ (http.address());
  return {
    http,
    url: `ws://127.0.0.1:${port}`,
    async close() {
      http.close();
      http.closeAllConnections();
    },
  };
}

/**
 * Starts a server of WebSockets on a free port.
 *
 * @param {(server: WebSocketServer) => void} serve
 */
export async function startWebSockets(serve) {
  const { http, url, close } = await startHttp();
  const server = new WebSocketServer({ server: http });
  serve(server);
  return {
    url,
    async close() {
      for (const client of server.clients) client.terminate();
      await close();
    },
  };
}

/** Starts a server of socket.io that answers what a client says. */
export async function startSocketIo() {
  const { http, url } = await startHttp();
  const io = new Server(http, { serveClient: false });
  io.on('connection', (socket) => {
    socket.on('echo', (...args) => args.pop()(...args));
    socket.on('say', (...args) => socket.emit('said', ...args));
    socket.on('break', () => socket.conn.close());
  });
  io.of('/news').on('connection', (socket) => socket.emit('headline', socket.handshake.auth.name));
  return { url: url.replace(/^ws/, 'http'), close: () => io.close() };
}
