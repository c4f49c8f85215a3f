/**
 * The module may die, the page may not: whatever ends the Go program, every task ends in words, and the next call
 * has a fresh module.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { harness } from './contract.cases.mjs';
import { engineNames, openEngine } from './engine.mjs';
import { startServe, startSite } from './server.mjs';

/** @import { Engine, Page } from './engine.mjs' */

/** Keeps each module that the page starts, to be broken. */
const hook = `
  globalThis.modules = [];
  for (const name of ['instantiateStreaming', 'instantiate']) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (source, imports) => {
      const result = await original.call(WebAssembly, source, imports);
      modules.push({ exports: (result.instance ?? result).exports, imports });
      return result;
    };
  }
`;

/** Ways to die, each with the newest module as its argument. */
const deaths = {
  'a panic': '({ exports }) => { try { exports.fault(); } catch {} }',
  'an exit':
    '({ exports, imports }) => { new DataView(exports.mem.buffer).setInt32(8, 1, true); imports.gojs["runtime.wasmExit"](0); }',
  'its memory overwritten': '({ exports }) => { new Uint8Array(exports.mem.buffer).fill(255); }',
};

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Engine} */
    let engine;
    let site = '';
    let echo = '';
    /** @type {Array<() => Promise<void>>} */
    const closers = [];

    before(async () => {
      const serve = await startServe();
      closers.push(serve.close);
      echo = serve.echo;
      const directory = mkdtempSync(join(tmpdir(), 'connectsocket-faulty-'));
      const wasm = join(directory, 'faulty.wasm');
      const root = new URL('..', import.meta.url);
      const { version } = JSON.parse(readFileSync(new URL('web/package.json', root), 'utf8'));
      const flags = ['-tags=faulty', `-ldflags=-X=connectsocket/internal/jsbridge.version=${version}`];
      execFileSync('go', ['build', ...flags, '-o', wasm, './cmd/wasm'], {
        cwd: root,
        env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
      });
      const started = await startSite({
        '/': `<!doctype html><link rel="icon" href="data:,"><script>${hook}${harness}</script><script src="connectsocket.js" data-wasm="faulty.wasm"></script>`,
        '/faulty.wasm': { body: readFileSync(wasm) },
      });
      rmSync(directory, { recursive: true });
      closers.push(started.close);
      site = started.url;
      engine = await openEngine(name);
      closers.push(engine.close);
    });
    after(async () => {
      for (const close of closers.reverse()) await close();
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
  });
}
