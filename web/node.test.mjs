/**
 * The built scripts in Node, each in a process of its own: as a server, or a unit test, imports them.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

// A WebSocket that never opens: Node before 22 has none.
const stub = `
  globalThis.WebSocket ??= class extends EventTarget { readyState = 0; close() {} };
`;

/**
 * The standard output of a program.
 * @param {string} program
 */
const run = (program) =>
  execFileSync(process.execPath, ['--input-type=module', '-e', stub + program], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 30_000,
  }).trim();

test('the script of pages is found as its form for Node', () => {
  assert.equal(
    run(
      `await import('connectsocket/classic'); await connectSocket.load(); console.log(connectSocket.stats().tasks);`,
    ),
    '0',
  );
});

test('a document without events', () => {
  const program = `
    globalThis.document = {};
    const { load, stats } = await import('connectsocket');
    await load();
    console.log(stats().tasks);
  `;
  assert.equal(run(program), '0');
});

test('a module that comes from no place that has others beside it', () => {
  const program = `
    import { readFileSync } from 'node:fs';
    import { load, stats } from 'connectsocket';
    const code = readFileSync('dist/connectsocket.wasm').toString('base64');
    await load({ wasm: fetch('data:application/wasm;base64,' + code) });
    console.log(stats().tasks);
  `;
  assert.equal(run(program), '0');
});

test('the class takes a URL as the string that it is', () => {
  const program = `
    import { WebSocket } from 'connectsocket/websocket';
    const url = { toString: () => 'ws://a.example/', valueOf: () => 'ws://b.example/' };
    console.log(new WebSocket(url).url);
    process.exit();
  `;
  assert.equal(run(program), 'ws://a.example/');
});
