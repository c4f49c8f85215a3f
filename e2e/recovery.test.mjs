/**
 * The module may die, the page may not: however the Go program ends, every task ends with a reason, and the next call
 * has a fresh module.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { harness } from './contract.cases.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { Engine, Page } from './drive/engine.mjs' */

/** Keeps each module that the page starts, to be broken; the first few die at their start where the URL says so. */
const hook = `
  globalThis.modules = [];
  const query = new URLSearchParams(location.search);
  globalThis.stillborn = Number(query.get('stillborn'));
  for (const name of ['instantiateStreaming', 'instantiate']) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (source, imports) => {
      const result = await original.call(WebAssembly, source, imports);
      const { exports } = result.instance ?? result;
      modules.push({ exports, imports });
      if (stillborn-- <= 0) return result;
      const run = () => {
        if (query.get('by') === 'trap') throw new WebAssembly.RuntimeError('unreachable');
        new DataView(exports.mem.buffer).setInt32(8, 1, true);
        imports.gojs['runtime.wasmExit'](0);
      };
      const instance = Object.create(WebAssembly.Instance.prototype, { exports: { value: { ...exports, run } } });
      return result.instance ? { module: result.module, instance } : instance;
    };
  }
`;

/** Ways to die, each with the newest module as its argument. */
const deaths = {
  'a panic': '({ exports }) => { try { exports.fault(); } catch {} }',
  'an exit':
    '({ exports, imports }) => { new DataView(exports.mem.buffer).setInt32(8, 1, true); imports.gojs["runtime.wasmExit"](0); }',
  'its memory exhausted': '({ exports }) => { try { exports.exhaust(); } catch {} }',
  'its memory overwritten': '({ exports }) => { new Uint8Array(exports.mem.buffer).fill(255); }',
};

const died = 'connectSocket:fail the module has died';
const ending = [`error ${died}`, 'close 1006  false'];

/**
 * Moments to die at: what runs in the page, and what it returns.
 * @type {Array<[string, string, string, unknown]>} title, query, expression, result
 */
const moments = [
  ...['exit', 'trap'].flatMap(
    (by) =>
      /** @type {Array<[string, string, string, unknown]>} */ ([
        [
          `at its start, twice, by ${by}: calls wait for the third`,
          `stillborn=2&by=${by}`,
          `const events = watch(connectSocket({ url: echo }));
         await events.open;
         return [events.seen, modules.length];`,
          [['open'], 3],
        ],
        [
          `at its start, twice, by ${by}: whoever only loads has the third`,
          `stillborn=2&by=${by}`,
          'await connectSocket.load(); await connectSocket.ready; return modules.length;',
          3,
        ],
        [
          `at every start, by ${by}: calls fail after three restarts`,
          `stillborn=9&by=${by}`,
          `const task = connectSocket({ url: echo });
         const sent = failure(task.send({ data: 'x' }));
         const seen = [await failure(task), await sent, await failure(connectSocket({ url: echo })), modules.length];
         const events = watch(task);
         await events.close;
         return [...seen, events.seen, task.ws.readyState > 1, performance.now() >= 700];`,
          [died, 'SocketTask.send:fail the module has died', died, 4, ending, true, true],
        ],
      ]),
  ),
  [
    'while a task connects',
    '',
    `const task = await connectSocket({ url: echo + '?delay=20s' });
     const events = watch(task);
     kill();
     const next = watch(connectSocket({ url: echo }));
     await Promise.all([events.close, next.open]);
     return [events.seen, next.seen, task.readyState, task.ws.readyState > 1, modules.length];`,
    [ending, ['open'], 3, true, 2],
  ],
  [
    'in a handler of a message, while another task holds messages',
    '',
    `const silent = await connectSocket({ url: echo + '?push=3' });
     while (silent.readyState !== 1) await sleep(5);
     const task = connectSocket({ url: echo });
     const events = watch(task);
     task.onMessage(kill);
     await events.open;
     await task.send({ data: 'x' });
     await events.close;
     const late = watch(silent);
     await late.close;
     const next = watch(connectSocket({ url: echo }));
     await next.open;
     const { slotsInUse } = connectSocket.stats();
     return [events.seen, late.seen, silent.ws.readyState > 1, task.ws.readyState > 1, next.seen, slotsInUse, modules.length];`,
    [['open', 'text x', ...ending], ending, true, true, ['open'], 0, 2],
  ],
  [
    'at its start again, while calls wait for it',
    'by=trap',
    `const task = await connectSocket({ url: echo });
     const events = watch(task);
     await events.open;
     kill();
     stillborn = 1;
     const call = connectSocket({ url: echo });
     const next = watch(call);
     const sent = next.open.then(() => call.send({ data: 'y' }));
     const global = failure(connectSocket.sendSocketMessage({ data: 1 }));
     await Promise.all([events.close, next.message]);
     return [events.seen, next.seen, (await sent).errMsg, await global, modules.length];`,
    [
      ['open', ...ending],
      ['open', 'text y'],
      'sendSocketMessage:ok',
      'sendSocketMessage:fail parameter error: parameter.data should be String or ArrayBuffer instead of Number',
      3,
    ],
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
      const directory = mkdtempSync(join(tmpdir(), 'connectsocket-faulty-'));
      const wasm = join(directory, 'faulty.wasm');
      const root = new URL('..', import.meta.url);
      const { version } = JSON.parse(readFileSync(new URL('web/package.json', root), 'utf8'));
      const flags = ['-tags=faulty', `-ldflags=-X=connectsocket/internal/jsbridge.version=${version}`];
      execFileSync('go', ['build', ...flags, '-o', wasm, './cmd/wasm'], {
        cwd: root,
        env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
      });
      ({ url: site } = await use(startSite, {
        '/': `<!doctype html><link rel="icon" href="data:,"><script>${hook}${harness}</script><script src="connectsocket.js" data-wasm="faulty.wasm"></script>`,
        '/faulty.wasm': { body: readFileSync(wasm) },
      }));
      rmSync(directory, { recursive: true });
      engine = await use(openEngine, name);
    });

    for (const [title, kill] of Object.entries(deaths)) {
      test(`${title}: tasks end in words, and the next call has a fresh module`, {
        timeout: 60_000,
      }, async () => {
        const page = await engine.newPage(site);
        const result = await page.evaluate(`(async (echo) => {
          const seen = [];
          const ids = [];
          for (let round = 0; round < 3; round++) {
            const task = await connectSocket({ url: echo });
            const events = watch(task);
            const silent = await connectSocket({ url: echo + '?push=3' }); // has no handlers yet
            await events.open;
            while (silent.readyState !== 1) await sleep(5);
            ids.push(task.socketTaskId, silent.socketTaskId);
            (${kill})(modules.at(-1));
            if (task.readyState !== 3) await task.send({ data: 'x' }).catch(() => {});
            await events.close;
            const late = watch(silent);
            await late.close;
            seen.push([events.seen.map((line) => line.replace(/died: .*/, 'died')), late.seen.at(-1), task.readyState, silent.ws.readyState > 1]);
            const after = await failure(task.send({ data: 'x' }));
            if (!after.startsWith('SocketTask.send:fail')) seen.push(after);
          }
          const task = await connectSocket({ url: echo });
          const events = watch(task);
          await events.open;
          task.send({ data: 'alive' });
          await events.message;
          task.close();
          await events.close;
          return { seen, last: events.seen, modules: modules.length, ids: new Set(ids).size, stats: connectSocket.stats().tasks };
        })(${JSON.stringify(echo)})`);
        const ending = [
          ['open', 'error connectSocket:fail the module has died', 'close 1006  false'],
          'close 1006  false',
          3,
          true,
        ];
        assert.deepEqual(result, {
          seen: [ending, ending, ending],
          last: ['open', 'text alive', 'close 1000  true'],
          modules: 4,
          ids: 6,
          stats: 0,
        });
        if (title === 'its memory exhausted') {
          const told = (await page.console()).map(({ text }) => text).join('\n');
          assert.equal(told.match(/fatal error: out of memory/g)?.length, 3, told);
        }
        await page.close();
      });
    }

    test('after three restarts calls fail, and say why', { timeout: 60_000 }, async () => {
      const page = await engine.newPage(site);
      const result = await page.evaluate(`(async (echo) => {
        for (let i = 0; i < 4; i++) {
          const task = await connectSocket({ url: echo });
          await watch(task).open;
          try { modules.at(-1).exports.fault(); } catch {}
          await task.send({ data: 'x' }).catch(() => {});
          await watch(task).close;
        }
        return [await failure(connectSocket({ url: echo })), await failure(connectSocket.install({}).closeSocket()), modules.length];
      })(${JSON.stringify(echo)})`);
      assert.match(String(result[0]), /^connectSocket:fail the module has died: /);
      assert.match(String(result[1]), /^closeSocket:fail the module has died: /);
      assert.equal(result[2], 4);
      await page.close();
    });

    for (const [title, query, expression, want] of moments) {
      test(title, { timeout: 60_000 }, async () => {
        const page = await engine.newPage(`${site}/?${query}`);
        const seen = await page.evaluate(`(async (echo) => {
          const kill = () => { try { modules.at(-1).exports.fault(); } catch {} };
          ${expression}
        })(${JSON.stringify(echo)})`);
        assert.deepEqual(JSON.parse(JSON.stringify(seen).replaceAll(/has died: [^"]*/g, 'has died')), want);
        await page.close();
      });
    }
  });
}
