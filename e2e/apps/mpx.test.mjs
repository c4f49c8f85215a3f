/**
 * Mpx's own packages with ours by the `custom` of its api-proxy, as examples/mpx does it, with and without Mpx's
 * promises. A page of it shows what it sees of Mpx's own connectSocket, and of ours.
 */
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startServe } from '../drive/server.mjs';
import { patience, useApp } from './app.mjs';

/** @import { Column, Table } from './app.mjs' */

const { directory, run, compare } = useApp('mpx', ['.vite']);

/** @type {Awaited<ReturnType<typeof startServe>>} */
let server;

before(async () => {
  await run('vite', ['build']);
  server = await startServe({ dir: join(directory, 'dist') });
}, patience);

after(() => server?.close());

/** @type {Table} */
const table = {
  'what a call returns': { stock: 'the task', ours: 'the task' },
  'close({code, reason}) reaches the server': { stock: '1005', ours: '4001 enough' },
  'onClose gets {code, reason}': { stock: '{code,reason}', ours: '{code,reason,wasClean}' },
  'binary arrives as ArrayBuffer': { stock: 'Blob', ours: 'ArrayBuffer' },
  'onOpen gets {header}': { stock: 'an Event', ours: '{header,profile}' },
  'the global functions': { stock: '1005', ours: 'open, message first, 4004' },
};

/** @type {Table} */
const withPromises = {
  ...table,
  'what a call returns': {
    stock: 'a promise of {errMsg}',
    ours: 'a promise of {errMsg,socketTaskId}',
  },
};

for (const column of /** @type {Column[]} */ (['stock', 'ours'])) {
  const query = column === 'stock' ? 'stock' : '';
  test(column, patience, () => compare(table, column, `${server.url}/?${query}`, column));
  test(`${column}, usePromise`, patience, () =>
    compare(withPromises, column, `${server.url}/?${query}&promise`, `${column}, usePromise`),
  );
}
