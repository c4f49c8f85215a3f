import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { atExit, requireExecutable } from './processes.mjs';

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { AddressInfo } from 'node:net' */

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The built package, or what CONNECTSOCKET_DIST names in its place. */
export const dist = process.env.CONNECTSOCKET_DIST ?? join(root, 'web/dist');

/**
 * The hash of a file of the package as `make package` prints it.
 *
 * @param {string} file
 */
export function integrity(file) {
  return `sha384-${createHash('sha384')
    .update(readFileSync(join(dist, file)))
    .digest('base64')}`;
}

/** @type {{ key: string, cert: string } | undefined} */
let pair;

/** Files of a self-made certificate for 127.0.0.1 and its key; they go when this process does. */
export function certificate() {
  if (!pair) {
    const directory = mkdtempSync(join(tmpdir(), 'connectsocket-tls-'));
    atExit(() => rmSync(directory, { recursive: true, force: true }));
    pair = { key: join(directory, 'key.pem'), cert: join(directory, 'cert.pem') };
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
    const files = ['-keyout', pair.key, '-out', pair.cert];
    requireExecutable('/usr/bin/openssl', 'openssl');
    execFileSync(
      '/usr/bin/openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files],
      {
        stdio: 'pipe',
      },
    );
  }
  return pair;
}

/**
 * Starts the development server, built as bin/serve.
 *
 * @param {{ tls?: boolean, dir?: string, port?: number }} [option] tls serves https and wss; dir is what it serves as
 *   files; port is a free one by default
 * @returns {Promise<{ url: string, echo: string, close: () => Promise<void> }>} echo is the WebSocket URL of its echo
 *   server; close resolves when the process has ended
 */
export async function startServe({ tls = false, dir = dist, port = 0 } = {}) {
  const { key, cert } = tls ? certificate() : { key: '', cert: '' };
  const child = spawn(
    join(root, 'bin/serve'),
    [`-addr=127.0.0.1:${port}`, `-dir=${dir}`, `-tls-cert=${cert}`, `-tls-key=${key}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const forget = atExit(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const line = await Promise.race([once(createInterface(child.stdout), 'line'), exited]);
  const url = /^listening on (\S+)$/.exec(String(line[0]))?.[1];
  if (!url) throw new Error(`bin/serve did not start: ${line[0]}`);
  return {
    url,
    echo: `${url.replace(/^http/, 'ws')}/echo`,
    async close() {
      child.kill('SIGTERM');
      await exited;
      forget();
    },
  };
}

/** Finds a port that nothing listens on, for a program that cannot find one itself. */
export async function freePort() {
  const server = createHttpServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Gives the tests of a describe, or of a file, what they need: whatever is started by way of the function that this
 * returns is closed after them, the last first.
 *
 * @returns {<A extends any[], T extends { close: () => Promise<void> }>(
 *   start: (...args: A) => Promise<T>, ...args: A) => Promise<T>} calls start with args, and returns what that starts
 */
export function closeAfterTests() {
  /** @type {Array<{ close: () => Promise<void> }>} */
  const started = [];
  after(async () => {
    for (const each of started.reverse()) await each.close();
  });
  return async (start, ...args) => {
    const each = await start(...args);
    started.push(each);
    return each;
  };
}

const types = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript'],
  ['.mjs', 'text/javascript'],
  ['.wasm', 'application/wasm'],
]);

/**
 * What a path of a site answers: a body as HTML, or more exactly.
 *
 * @typedef {string | { body?: string | Buffer, type?: string, status?: number, header?: Record<string, string> }} Answer
 */

/**
 * Starts a site of test pages on a free port: the given paths, and the built package for all others.
 *
 * @param {Record<string, Answer>} paths
 * @param {{ tls?: boolean }} [option]
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function startSite(paths, { tls = false } = {}) {
  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  const answer = (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    const found = paths[pathname] ?? {};
    const { status = 200, header = {}, ...given } = typeof found === 'string' ? { body: found } : found;
    const type = given.type ?? types.get(extname(pathname)) ?? types.get('.html');
    try {
      const body = given.body ?? readFileSync(join(dist, pathname));
      response
        .writeHead(status, { 'Content-Type': String(type), 'Cache-Control': 'no-store', ...header })
        .end(body);
    } catch {
      response.writeHead(404).end();
    }
  };
  const server = tls
    ? createHttpsServer(
        { key: readFileSync(certificate().key), cert: readFileSync(certificate().cert) },
        answer,
      )
    : createHttpServer(answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {AddressInfo} */ (server.address());
  return {
    url: `http${tls ? 's' : ''}://127.0.0.1:${port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
