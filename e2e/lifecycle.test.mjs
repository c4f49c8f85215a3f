/**
 * What becomes of connections when a page leaves for the back-forward cache or is frozen, and messages as large as
 * pages send them, in every engine.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { harness } from './contract.cases.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { Engine, Page } from './drive/engine.mjs' */

// Opens one connection more than the limit leaves, so that only a slot that has come back makes the last possible.
const fill = `
  globalThis.tasks = [];
  for (let i = 0; i < 5; i++) tasks.push(await connectSocket({ url: echo }));
  for (const task of tasks) await watch(task).open;
`;
const afterwards = `
  for (const task of tasks) await watch(task).close;
  const seen = new Set(tasks.map((task) => watch(task).seen.map((line) => line.split(' ')[0]).join()));
  const next = await connectSocket({ url: echo });
  await watch(next).open;
  next.close();
  await watch(next).close;
  return [...seen, connectSocket.stats().tasks];
`;

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Engine} */
    let engine;
    /** @type {Page} */
    let page;
    let site = '';
    let echo = '';
    const use = closeAfterTests();
    /** @param {string} body */
    const run = (body) => page.evaluate(`(async () => { const echo = ${JSON.stringify(echo)}; ${body} })()`);

    before(async () => {
      ({ echo } = await use(startServe));
      const html = `<!doctype html><link rel="icon" href="data:,"><script>${harness}</script><script src="connectsocket.js"></script>`;
      // A cached page is one that may be stored.
      ({ url: site } = await use(startSite, {
        '/': { body: html, header: { 'Cache-Control': 'max-age=60' } },
        '/elsewhere.html': '<!doctype html><link rel="icon" href="data:,">',
      }));
      engine = await use(openEngine, name);
    });

    test('back-forward cache: tasks that died there say so, slots come back', {
      timeout: 60_000,
    }, async () => {
      page = await engine.newPage(`${site}/`);
      await run(`${fill} globalThis.kept = true; return 0;`);
      await page.goto(`${site}/elsewhere.html`);
      await page.back();
      const kept = await run('return globalThis.kept === true;');
      // Firefox does not keep a page that has a WebSocket: its tasks are gone with it, and it starts again.
      assert.equal(kept, name !== 'firefox');
      assert.deepEqual(
        await run(kept ? afterwards : `globalThis.tasks = []; ${afterwards}`),
        kept ? ['open,error,close', 0] : [0],
      );
      await page.close();
    });

    test('a frozen page: tasks that died say so, slots come back', { timeout: 60_000 }, async () => {
      page = await engine.newPage(`${site}/`);
      await run(`${fill} return 0;`);
      if (name === 'chromium') {
        await page.freeze();
        await page.resume();
        assert.deepEqual(await run(afterwards), ['open,error,close', 0]);
      } else {
        // The others have no command that freezes; what a freeze does to sockets, a server's loss of them does too.
        await assert.rejects(page.freeze());
        assert.deepEqual(await run(`for (const task of tasks) task.close(); ${afterwards}`), [
          'open,close',
          0,
        ]);
      }
      await page.close();
    });

    test('64 MiB of text and of a streamed Blob, there and back', { timeout: 120_000 }, async () => {
      page = await engine.newPage(`${site}/`);
      const got = await run(`
        const task = await connectSocket({ url: echo });
        await watch(task).open;
        const answer = (data) => new Promise((resolve) => { task.onMessage(function once(res) { resolve(res.data); }); task.send({ data }); });
        const block = new Uint8Array(2 ** 20).map((_, i) => (i * 31) >> 2);
        let left = 64;
        const stream = new ReadableStream({ pull(controller) { left-- > 0 ? controller.enqueue(block) : controller.close(); } });
        const blob = await new Response(stream).blob();
        const binary = new Uint8Array(await answer(blob));
        const same = binary.length === 2 ** 26 && binary.every((byte, i) => byte === block[i % block.length]);
        const other = await connectSocket({ url: echo });
        await watch(other).open;
        const text = 'connectsocket!!!'.repeat(2 ** 22);
        other.send({ data: text });
        const { data } = await watch(other).message;
        task.close();
        other.close();
        await Promise.all([watch(task).close, watch(other).close]);
        return [same, data === text, connectSocket.stats().slotsInUse];
      `);
      assert.deepEqual(got, [true, true, 0]);
      await page.close();
    });
  });
}
