/**
 * Object.prototype, in every engine: nothing that connectSocket is given gets there, and what a page has put there
 * breaks nothing. An option that inherits a property has it, as with any API of the browser; settings, and all that is
 * inside, do not.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { harness } from './contract.cases.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { Engine } from './drive/engine.mjs' */
/** @import { Answer } from './drive/server.mjs' */

/** Puts properties on Object.prototype, until the page calls clean. */
const pollute = (/** @type {string} */ properties) => `<script>{
  const properties = Object.entries(${properties});
  for (const [name, value] of properties) Object.prototype[name] = value;
  globalThis.clean = () => { for (const [name] of properties) delete Object.prototype[name]; };
}</script>`;

/** What was meant for others, by the names of our own options, settings, events and descriptors. */
const named = `{
  url: 1, header: 'theirs', protocols: 1, timeout: 'theirs', relay: 'ws://127.0.0.1:9/', tcpNoDelay: true, perMessageDeflate: true,
  success: 'theirs', fail: 1, complete: {}, data: 'theirs', code: 'theirs', reason: 1,
  wasm: 'theirs.wasm', onProgress: 'theirs', maxSockets: 'theirs', onLimit: 'theirs', domains: 'theirs', maxHeldBytes: 1, maxHeldMessages: 1,
  open: 1, errMsg: 1, protocol: 1, profile: 1, restart: 1, fs: 1, process: 1, path: 1, method: 'PUT', body: 'theirs', signal: 1,
}`;

// Its options have no prototype: what is inherited is theirs to judge.
const roundTrip = `async (connectSocket, url) => {
  const bare = (object) => Object.assign(Object.create(null), object);
  const task = await connectSocket(bare({ url }));
  const answer = new Promise((resolve) => task.onMessage(({ data }) => resolve(data)));
  await new Promise((resolve) => task.onOpen(resolve));
  await task.send(bare({ data: 'round trip' }));
  const data = await answer;
  task.close();
  const { code } = await new Promise((resolve) => task.onClose(resolve));
  return data + ' ' + code;
}`;

/** @type {Array<[string, string, string, unknown]>} title, page, expression, result */
const cases = [
  [
    'names of the prototype in header, options and settings pollute nothing',
    '<script type="module" src="page.mjs"></script>',
    `const hostile = (more) => JSON.parse('{"__proto__":{"polluted":1,"maxSockets":1},"constructor":{"prototype":{"polluted":1}},"prototype":{"polluted":1}}', (name, value) => value === undefined ? value : Object.assign(value, typeof value === 'object' && more));
     const header = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}');
     await api.load(hostile({ relay: location.origin.replace('http', 'ws') + '/none' }));
     const open = connectSocket(hostile({ url: echo }));
     await watch(open).open;
     const refused = await failure(connectSocket({ url: echo, header: hostile({}) }));
     const sent = await open.send(hostile({ data: 'x' }));
     const second = connectSocket(hostile({ url: echo, protocols: JSON.parse('["a"]') })); // maxSockets is not 1
     await watch(second).open;
     const third = connectSocket({ url: echo, header });
     await watch(third).close;
     const closed = [await open.close(hostile({ code: 4000 })), await second.close(hostile({}))];
     return [refused, sent.errMsg, ...closed.map(({ errMsg }) => errMsg), ({}).polluted ?? 'clean', Object.keys(Object.prototype).length, typeof ({}).constructor];`,
    [
      'no failure', // what no header can be is left out
      'sendSocketMessage:ok',
      'closeSocket:ok',
      'closeSocket:ok',
      'clean',
      0,
      'function',
    ],
  ],
  [
    'a library that extends Object.prototype',
    `${pollute('{ extend() {}, each() {}, clone: null, size: 1 }')}<script src="connectsocket.js"></script><script type="module" src="page.mjs"></script>`,
    `const results = [await (${roundTrip})(connectSocket, echo)];
     const events = watch(connectSocket({ url: echo }));
     await events.open;
     await connectSocket.install({}).closeSocket();
     await events.close;
     return [...results, ...events.seen, connectSocket.stats().tasks];`,
    ['round trip 1000', 'open', 'close 1000  true', 0],
  ],
  ...['classic', 'module'].map(
    (kind) =>
      /** @type {[string, string, string, unknown]} */ ([
        `a page that has put our names on Object.prototype: ${kind}`,
        pollute(named) +
          (kind === 'classic'
            ? '<script src="connectsocket.js"></script>'
            : '<script type="module" src="page.mjs"></script>'),
        `const connect = globalThis.connectSocket ?? api.connectSocket;
         const result = await (${roundTrip})(connect, echo);
         const { errMsg } = await new Promise((resolve) => connect({ url: echo, fail: resolve }).catch(() => {}));
         return [result, errMsg];`,
        // By the language: its header is inherited.
        [
          'round trip 1000',
          'connectSocket:fail parameter error: parameter.protocols should be Array instead of Number',
        ],
      ]),
  ),
  [
    'a page that has put names of property descriptors there',
    `${pollute('{ value: 1, writable: true, enumerable: true }')}<script src="connectsocket.js"></script>`,
    `return (${roundTrip})(connectSocket, echo);`,
    'round trip 1000',
  ],
  [
    'and of accessors',
    `${pollute('{ get: 1, set: 1 }')}<script src="connectsocket.js"></script>`,
    `return (${roundTrip})(connectSocket, echo);`,
    'round trip 1000',
  ],
];

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Engine} */
    let engine;
    let site = '';
    let echo = '';
    const use = closeAfterTests();

    before(async () => {
      ({ echo } = await use(startServe));
      /** @type {Record<string, Answer>} */
      const paths = {
        '/host.html': '<!doctype html><link rel="icon" href="data:,"><body>',
        '/page.mjs': { body: `import * as api from './connectsocket.mjs'; globalThis.api = api;` },
      };
      for (const [i, [, head, expression]] of cases.entries()) {
        // In a frame, whose Object.prototype is its own: drivers too have trouble with such a one.
        paths[`/${i}.html`] = `<!doctype html><link rel="icon" href="data:,"><script>${harness}
          const errors = [];
          addEventListener('error', ({ message }) => errors.push(message));</script>${head}
          <script type="module">
            const echo = ${JSON.stringify(echo)};
            const run = async () => { ${expression} };
            const result = await run().catch(String);
            globalThis.clean?.();
            globalThis.outcome = [result, errors];
          </script>`;
      }
      ({ url: site } = await use(startSite, paths));
      engine = await use(openEngine, name);
    });

    for (const [i, [title, , , want]] of cases.entries()) {
      test(title, { timeout: 30_000 }, async () => {
        const page = await engine.newPage(`${site}/host.html`);
        const got = await page.evaluate(async (path) => {
          const frame = document.createElement('iframe');
          frame.src = path;
          document.body.append(frame);
          const inside = () => frame.contentWindow && Reflect.get(frame.contentWindow, 'outcome');
          while (!inside()) await new Promise((resolve) => setTimeout(resolve, 10));
          return inside();
        }, `${i}.html`);
        assert.deepEqual(got, [want, []]);
        await page.close();
      });
    }
  });
}
