/**
 * The relay from the page, in every engine: what a browser alone cannot send arrives, what it hides is told, and
 * messages pass as they do without it.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { harness } from './contract.cases.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { Page } from './drive/engine.mjs' */

const messages = 1_000_000;

/**
 * What runs in the page, and what it returns.
 *
 * @type {Array<[string, string, unknown]>}
 */
const cases = [
  [
    "the document's example 1: its header arrives, its subprotocol is chosen",
    `const Taro = connectSocket.install({});
     const task = await Taro.connectSocket({
       url: echo + '?headers=1',
       header:{
         'content-type': 'application/json'
       },
       protocols: ['protocol1']
     });
     const { header, profile } = await watch(task).open;
     const seen = JSON.parse((await watch(task).message).data);
     task.close();
     await watch(task).close;
     const clocks = ['fetchStart', 'domainLookUpStart', 'domainLookUpEnd', 'connectStart', 'connectEnd', 'rtt', 'handshakeCost', 'cost'];
     return [seen['Content-Type'], task.protocol, header['Sec-Websocket-Protocol'] ?? header['Sec-WebSocket-Protocol'], clocks.filter((name) => typeof profile[name] !== 'number')];`,
    [['application/json'], 'protocol1', 'protocol1', []],
  ],
  [
    "the upstream's response header is told",
    `const task = connectSocket({ url: echo, header: { a: 1 } });
     const { header } = await watch(task).open;
     task.close();
     await watch(task).close;
     return header['Upgrade']?.toLowerCase();`,
    'websocket',
  ],
  [
    'the reason of a refused handshake is told, with its status',
    `const events = watch(connectSocket({ url: echo + '?status=401', header: { a: 1 } }));
     await events.close;
     return events.seen;`,
    ['error connectSocket:fail upstream answered 401 Unauthorized', 'close 1006  false'],
  ],
  [
    'an upstream that is not allowed is told',
    `const events = watch(connectSocket({ url: 'wss://example.com/', relay: 'always' }));
     await events.close;
     return [events.seen.length, events.seen[0].startsWith('error connectSocket:fail '), /not allowed/.test(events.seen[0]), events.seen[1]];`,
    [2, true, true, 'close 1006  false'],
  ],
  [
    'a header that cannot be sent is told',
    `const events = watch(connectSocket({ url: echo, header: { 'a b': 'x' } }));
     await events.close;
     return events.seen;`,
    ['error connectSocket:fail invalid header name "a b"', 'close 1006  false'],
  ],
  [
    "a header that is the connection's own is left out",
    `const task = connectSocket({ url: echo + '?headers=1', header: { Host: 'x', 'X-Forwarded-For': '1.2.3.4', b: 2 } });
     const seen = JSON.parse((await watch(task).message).data);
     task.close();
     await watch(task).close;
     return [seen.Host[0] === new URL(echo).host, JSON.stringify(seen).includes('1.2.3.4'), seen.B];`,
    [true, false, ['2']],
  ],
  [
    'Referer is dropped',
    `const task = connectSocket({ url: echo + '?headers=1', header: { Referer: 'x', b: 2 } });
     const seen = JSON.parse((await watch(task).message).data);
     task.close();
     await watch(task).close;
     return [seen.Referer === undefined, seen.B];`,
    [true, ['2']],
  ],
  [
    'the timeout holds',
    `const events = watch(connectSocket({ url: echo + '?delay=20s', header: { a: 1 }, timeout: 300 }));
     await events.close;
     return [events.seen.length, /timeout/.test(events.seen[0]), events.seen[1]];`,
    [2, true, 'close 1006  false'],
  ],
  [
    'abandoned while the upstream is dialled: no error, the slot is free',
    `const task = await connectSocket({ url: echo + '?delay=20s', header: { a: 1 } });
     const events = watch(task);
     await sleep(200);
     await task.close();
     await events.close;
     return [events.seen.length, task.readyState, connectSocket.stats().tasks];`,
    [1, 3, 0],
  ],
  [
    'codes and reasons pass both ways',
    `const seen = [];
     for (const code of [1000, 1001, 1005, 1006, 3000, 4999]) {
       const events = watch(connectSocket({ url: echo + '?code=' + code + (code === 1005 || code === 1006 ? '' : '&reason=r' + code), header: { a: 1 } }));
       const { code: got, reason } = await events.close;
       seen.push(got, reason);
     }
     const id = String(Math.random());
     const task = connectSocket({ url: echo + '?id=' + id, header: { a: 1 } });
     await watch(task).open;
     task.close({ code: 4321, reason: 'ende' });
     await watch(task).close;
     const { code, reason } = await (await fetch(echo.replace(/^ws/, 'http') + '?report=' + id)).json();
     return [seen, code, reason];`,
    [[1000, 'r1000', 1001, 'r1001', 1005, '', 1006, '', 3000, 'r3000', 4999, 'r4999'], 4321, 'ende'],
  ],
  [
    'tcpNoDelay and perMessageDeflate are accepted, and messages pass',
    `const answers = [];
     for (const option of [{ tcpNoDelay: true }, { tcpNoDelay: false }, { perMessageDeflate: true }]) {
       const task = connectSocket({ url: echo + '?deflate=1', ...option });
       await watch(task).open;
       task.send({ data: 'z'.repeat(10000) });
       answers.push((await watch(task).message).data.length);
       task.close();
       await watch(task).close;
     }
     return answers;`,
    [10000, 10000, 10000],
  ],
];

/**
 * @param {string} echo
 * @param {number} messages
 */
async function flood(echo, messages) {
  // @ts-expect-error: of the harness
  const { watch } = globalThis;
  const task = await connectSocket({ url: echo, header: { a: 1 } });
  await watch(task).open;
  const before = connectSocket.stats();
  let [sent, seen, wrong] = [0, 0, 0];
  await new Promise((resolve) => {
    const fill = () => {
      while (sent < messages && sent - seen < 2000) task.send({ data: String(sent++).padStart(64, '.') });
    };
    task.onMessage(({ data }) => {
      if (Number(String(data).replace(/^\.+/, '')) !== seen++) wrong++;
      if (seen === messages) resolve(undefined);
      if (sent - seen < 1000) fill();
    });
    fill();
  });
  const after = connectSocket.stats();
  task.close();
  await watch(task).close;
  return {
    seen,
    wrong,
    grown: [after.slots - before.slots > 2, after.memory - before.memory, after.values - before.values > 10],
  };
}

for (const name of engineNames) {
  for (const tls of [false, true]) {
    describe(`${name}, ${tls ? 'wss' : 'ws'}`, () => {
      const use = closeAfterTests();
      /** @type {Page} */
      let page;
      let echo = '';

      before(async () => {
        const serve = await use(startServe, { tls });
        echo = serve.echo;
        const site = await use(
          startSite,
          {
            '/': `<!doctype html><link rel="icon" href="data:,"><script src="connectsocket.js" data-relay="${serve.url}/relay"></script><script src="harness.js"></script>`,
            '/harness.js': { body: harness },
          },
          { tls },
        );
        const engine = await use(openEngine, name);
        page = await engine.newPage(site.url);
        await page.evaluate(() => connectSocket.ready);
      });

      for (const [title, body, want] of cases) {
        test(title, { timeout: 30_000 }, async () => {
          assert.deepEqual(
            await page.evaluate(`(async (echo) => { ${body} })(${JSON.stringify(echo)})`),
            want,
          );
        });
      }

      if (name === 'chromium' && !tls) {
        test(`${messages.toLocaleString('en')} messages there and back, none lost, nothing grown`, {
          timeout: 300_000,
        }, async () => {
          assert.deepEqual(await page.evaluate(flood, echo, messages), {
            seen: messages,
            wrong: 0,
            grown: [false, 0, false],
          });
        });
      }
    });
  }
}
