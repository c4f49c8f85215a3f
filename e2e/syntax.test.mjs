/** The built scripts as old engines and other minifiers read them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createContext, Script } from 'node:vm';
import { tools } from './drive/project.mjs';
import { dist } from './drive/server.mjs';

const acorn = tools('acorn');
const swc = tools('@swc/core');

/** The scripts, with the edition of ECMAScript that each keeps to. @type {Array<[string, number, 'script' | 'module']>} */
const scripts = [
  ['connectsocket.js', 2018, 'script'],
  ['connectsocket.bridge.js', 2018, 'script'],
  ['cjs/connectsocket.js', 2018, 'script'],
  ['cjs/classic.js', 2018, 'script'],
  ['cjs/wx.js', 2018, 'script'],
  ['connectsocket.mjs', 2020, 'module'],
  ['wx.mjs', 2020, 'module'],
];
const read = (/** @type {string} */ file) => readFileSync(join(dist, file), 'utf8');

for (const [file, ecmaVersion, sourceType] of scripts) {
  test(`${file} is of ES${ecmaVersion}`, () => {
    acorn.parse(read(file), { ecmaVersion, sourceType });
  });

  // SWC 1.15.3 breaks a destructuring assignment to properties of an object that it takes apart.
  test(`${file} minified by an old SWC still parses`, () => {
    const module = sourceType === 'module';
    for (const compress of [true, { passes: 3, unsafe: true }]) {
      const { code } = swc.minifySync(read(file), { compress, mangle: true, module });
      acorn.parse(code, { ecmaVersion: 'latest', sourceType });
    }
  });
}

describe('in an engine that lacks what came later', () => {
  /** What the floor has: Chrome 75, Firefox 79, Safari 15; and not `globalThis`, for engines below it. */
  const floor = () => ({
    ...{ URL, TextEncoder, TextDecoder, performance, crypto, console, setTimeout, clearTimeout },
    location: { href: 'https://app.example/' },
    fetch: async () => ({
      ok: true,
      url: 'https://app.example/connectsocket.wasm',
      headers: new Map(),
      arrayBuffer: async () => readFileSync(join(dist, 'connectsocket.wasm')),
    }),
    // A server that sends back what it is sent.
    WebSocket: class extends EventTarget {
      readyState = 0;
      constructor() {
        super();
        setTimeout(() => {
          this.readyState = 1;
          this.dispatchEvent(new Event('open'));
        });
      }
      /** @param {string} data */
      send(data) {
        setTimeout(() => this.dispatchEvent(Object.assign(new Event('message'), { data })));
      }
      close(code = 1005, reason = '') {
        this.readyState = 3;
        setTimeout(() =>
          this.dispatchEvent(Object.assign(new Event('close'), { code, reason, wasClean: true })),
        );
      }
    },
  });

  /** What JavaScript itself has had only since. */
  const later = `
    delete globalThis.globalThis; // for engines below the floor, which are to get as far as the fallback
    delete Array.fromAsync;
    for (const name of ['at', 'findLast', 'findLastIndex', 'toReversed', 'toSorted', 'toSpliced', 'with'])
      delete Array.prototype[name];
    delete Object.groupBy;
    delete Object.hasOwn;
    delete Promise.allSettled;
    delete Promise.any;
    delete Promise.withResolvers;
    for (const name of ['at', 'matchAll', 'replaceAll', 'isWellFormed', 'toWellFormed']) delete String.prototype[name];
    for (const name of ['AggregateError', 'FinalizationRegistry', 'WeakRef']) delete self[name];`;

  /** Runs the script, then code for a promise. @param {object} globals @param {string} code */
  function evaluate(globals, code) {
    const context = createContext(globals);
    new Script(`var self = this; ${later}`).runInContext(context);
    new Script(read('connectsocket.js')).runInContext(context);
    return new Script(code).runInContext(context);
  }

  test('a connection', { timeout: 20_000 }, async () => {
    const lines = await evaluate(
      floor(),
      `new Promise(function (resolve) {
        var lines = [];
        var task = connectSocket({ url: 'wss://a.example/', success: function (res) { lines.push(res.errMsg); } });
        task.onOpen(function () { task.send({ data: 'hello' }); });
        task.onMessage(function (res) { lines.push(res.data); task.close({ code: 3000, reason: 'done' }); });
        task.onError(function (res) { lines.push(res.errMsg); });
        task.onClose(function (res) { lines.push(res.code + ' ' + res.reason); resolve(lines); });
      })`,
    );
    assert.deepEqual([...lines], ['connectSocket:ok', 'hello', '3000 done']);
  });

  test('without WebAssembly a call fails in words', { timeout: 20_000 }, async () => {
    const words = await evaluate(
      { ...floor(), WebAssembly: undefined },
      `new Promise(function (resolve) {
        connectSocket({ url: 'wss://a.example/', fail: function (res) { resolve(res.errMsg); } });
      })`,
    );
    assert.equal(words, 'connectSocket:fail this page has no WebAssembly');
  });
});
