/**
 * The built package in Node: what becomes of a module that cannot be fetched, and of one that exits.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { network, ScriptedSocket, sockets } from '../e2e/fuzz/socket.mjs';
import { moduleExports } from '../e2e/members.mjs';

/** @type {any} */
const globals = globalThis;
// As in a page: the module is fetched, not read from the disk.
Object.assign(process, { getBuiltinModule: undefined });
/** @type {string[]} */
const fetched = [];
let online = false;
/** @type {Array<{ exports: any, imports: any }>} */
const started = [];
const { instantiate } = WebAssembly;
Object.assign(WebAssembly, {
  /** @param {any} source @param {any} imports */
  async instantiate(source, imports) {
    const result = /** @type {any} */ (await instantiate(source, imports));
    const { exports } = result.instance ?? result;
    if (exports.event) started.push({ exports, imports }); // not the rest
    return result;
  },
});
Object.assign(globals, {
  WebSocket: ScriptedSocket,
  async fetch(/** @type {URL} */ url) {
    const name = String(url).split('/').at(-1) ?? '';
    if (name === 'connectsocket.wasm') fetched.push(String(url));
    if (!online) throw new TypeError('Failed to fetch');
    return response(name);
  },
});
/** Of a type that is not streamed, so that instantiate, above, is called. */
const response = (/** @type {string} */ name) =>
  new Response(readFileSync(new URL(`dist/${name}`, import.meta.url)), {
    headers: { 'content-type': 'application/octet-stream' },
  });

/** Has the program of the newest module exit. */
function exit() {
  const { exports, imports } = /** @type {typeof started[0]} */ (started.at(-1));
  new DataView(exports.mem.buffer).setInt32(8, 1, true);
  imports.gojs['runtime.wasmExit'](0);
}

const url = 'ws://a.example/';
const api = await import(String(new URL('dist/connectsocket.mjs', import.meta.url)));
const { connectSocket, load, ready } = api;

after(() => {
  // Node waits for the timeouts of attempts.
  for (const socket of sockets) for (const event of network.accept(socket, {})) socket.dispatchEvent(event);
});

test('the exports are those that the types have', () => {
  assert.deepEqual(Object.keys(api).sort(), moduleExports.toSorted());
});

test('a module that cannot be fetched is tried again by the next call, and by the next load', async () => {
  const offline = 'the module could not be fetched: Failed to fetch';
  const first = connectSocket({ url });
  const second = connectSocket({ url });
  for (const promise of [first, second]) {
    await assert.rejects(promise, ({ errMsg }) => errMsg.startsWith(`connectSocket:fail ${offline}`));
  }
  assert.equal(fetched.length, 1);
  for (const promise of [load(), ready]) {
    await assert.rejects(promise, ({ message }) => message.startsWith(offline));
  }
  assert.equal(fetched.length, 2);
  online = true;
  const task = await connectSocket({ url });
  assert.equal(task.errMsg, 'connectSocket:ok');
  await load();
  await load({ wasm: 'elsewhere.wasm' });
  assert.deepEqual(fetched.slice(2), [String(new URL('dist/connectsocket.wasm', import.meta.url))]);
});

test('a module that exits is followed by another, which uses no id again', async () => {
  const old = await connectSocket({ url });
  const closed = new Promise((resolve) => old.onClose(resolve));
  exit();
  assert.deepEqual(await closed, { code: 1006, reason: '', wasClean: false });
  const next = await connectSocket({ url });
  assert.equal(next.socketTaskId, old.socketTaskId + 1);
  assert.equal(started.length, 2);
  assert.equal(fetched.length, 3);
  assert.equal(sockets.at(-1), next.ws);
});
