/**
 * Client libraries for mini-programs, as npm has them, on connectsocket/wx: each with a real server, in every engine.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';
import { startBundledSite, startSocketIo, withPage as withPageOf } from './clients.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { startMosquitto } from './drive/mosquitto.mjs';
import { closeAfterTests, startServe } from './drive/server.mjs';

/** @import { Engine, Page } from './drive/engine.mjs' */

const patience = { timeout: 120_000 }; // what has not come by then never will

/** The page: nothing but wx, and the clients, which find it there. */
const page = `
  import { install } from 'connectsocket/wx';
  import cloudbase from '@cloudbase/adapter-wx_mp';
  import { WebSocket as LeanCloudWebSocket } from '@leancloud/platform-adapters-weapp';
  import mqtt from 'mqtt';
  import io from 'weapp.socket.io';
  import WebsocketHeartbeat from 'websocket-heartbeat-miniprogram';

  install((globalThis.wx ??= {}));
  Object.assign(globalThis, { cloudbase, LeanCloudWebSocket, mqtt, io, WebsocketHeartbeat });
`;

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Engine} */
    let engine;
    let site = '';
    const use = closeAfterTests();

    before(async () => {
      ({ url: site } = await use(startBundledSite, page));
      engine = await use(openEngine, name);
    }, patience);

    const withPage = (/** @type {(page: Page) => Promise<void>} */ f) => withPageOf(engine, site, f);

    test('mqtt, with mosquitto', patience, async () => {
      const broker = await startMosquitto();
      const native = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.mqtt}`);
      try {
        /** @type {unknown[]} */
        const up = [];
        native.on('message', (topic, payload, { qos }) => up.push([topic, String(payload), qos]));
        await native.subscribeAsync('up/#', { qos: 2 });
        const texts = ['hello', 'x'.repeat(10_000), '你好'];
        const expected = (/** @type {string} */ direction) =>
          texts.map((text, qos) => [`${direction}/${qos}`, text, qos]);

        await withPage(async (page) => {
          await page.evaluate(
            async (url, texts) => {
              const here = /** @type {any} */ (globalThis);
              here.down = [];
              here.client = await here.mqtt.connectAsync(url);
              here.client.on('message', (/** @type {any[]} */ ...[topic, payload, { qos }]) => {
                here.down.push([topic, String(payload), qos]);
              });
              await here.client.subscribeAsync('down/#', { qos: 2 });
              for (const [qos, text] of texts.entries()) {
                await here.client.publishAsync(`up/${qos}`, text, { qos });
              }
            },
            `wx://127.0.0.1:${broker.websockets}`,
            texts,
          );
          while (up.length < texts.length) await sleep(20);
          assert.deepEqual(up, expected('up'));

          for (const [qos, text] of texts.entries()) {
            await native.publishAsync(`down/${qos}`, text, { qos: /** @type {0 | 1 | 2} */ (qos) });
          }
          const down = await page.evaluate(async () => {
            const { down, client, until } = /** @type {any} */ (globalThis);
            await until(() => down.length >= 3);
            await client.endAsync();
            return down;
          });
          assert.deepEqual(down, expected('down'));
        });
      } finally {
        await native.endAsync();
        await broker.close();
      }
    });

    test('websocket-heartbeat-miniprogram survives a restart of its server', patience, async () => {
      let serve = await startServe();
      try {
        await withPage(async (page) => {
          await page.evaluate(async (url) => {
            const here = /** @type {any} */ (globalThis);
            const { WebsocketHeartbeat, wx, until } = here;
            here.seen = { opens: 0, beats: 0, closes: /** @type {number[]} */ ([]), attempts: 0 };
            here.heart = await WebsocketHeartbeat({
              miniprogram: wx,
              connectSocketParams: { url },
              pingTimeout: 50,
              pongTimeout: 60_000,
              reconnectTimeout: 50,
            });
            here.heart.onOpen = () => here.seen.opens++;
            here.heart.onMessage = (/** @type {any} */ { data }) => {
              if (data === 'heartbeat') here.seen.beats++;
            };
            here.heart.onClose = (/** @type {any} */ { code }) => here.seen.closes.push(code);
            here.heart.onReconnect = () => here.seen.attempts++;
            await until(() => here.seen.beats >= 3);
          }, serve.echo);

          await serve.close();
          // More attempts than may be live at once: each gives its slot back.
          await page.evaluate('until(() => seen.attempts >= 8)');
          serve = await startServe({ port: Number(new URL(serve.url).port) });

          const seen = await page.evaluate(async () => {
            const { seen, heart, until } = /** @type {any} */ (globalThis);
            const { beats } = seen;
            await until(() => seen.opens === 2 && seen.beats >= beats + 3);
            const { attempts } = seen;
            heart.close({ code: 4000, reason: 'enough' });
            await until(() => seen.closes.at(-1) === 4000);
            return { ...seen, since: seen.attempts - attempts };
          });
          assert.equal(seen.opens, 2);
          assert.equal(seen.since, 0);
          assert.equal(seen.closes[0], 1001);
          assert.deepEqual(new Set(seen.closes.slice(1, -1)), new Set([1006]));
        });
      } finally {
        await serve.close();
      }
    });

    test('weapp.socket.io, with socket.io', patience, async () => {
      const server = await startSocketIo();
      try {
        await withPage(async (page) => {
          const seen = await page.evaluate(async (url) => {
            const { io } = /** @type {any} */ (globalThis);
            const socket = io(url, { reconnectionDelay: 50 });
            const next = (/** @type {any} */ from, /** @type {string} */ event) =>
              new Promise((resolve) => from.once(event, resolve));
            const bytes = (/** @type {ArrayBuffer} */ buffer) => [...new Uint8Array(buffer)];

            await next(socket, 'connect');
            const { id } = socket;
            const answer = await new Promise((resolve) => {
              socket.emit('echo', { a: [1, 'ü'] }, resolve);
            });
            const said = next(socket, 'said');
            socket.emit('say', Uint8Array.of(1, 2, 255).buffer);
            const binary = bytes(/** @type {any} */ (await said));

            const news = io(`${url}/news`, { auth: { name: 'here' } });
            const headline = await next(news, 'headline');
            news.close();

            const lost = next(socket, 'disconnect');
            socket.emit('break');
            const reason = await lost;
            await next(socket, 'connect');
            const reconnected = socket.id !== id;
            socket.close();
            return { answer, binary, headline, reason, reconnected };
          }, server.url);
          assert.deepEqual(seen, {
            answer: { a: [1, 'ü'] },
            binary: [1, 2, 255],
            headline: 'here',
            reason: 'transport close',
            reconnected: true,
          });
        });
      } finally {
        await server.close();
      }
    });

    test('@leancloud/platform-adapters-weapp, with a subprotocol', patience, async () => {
      const serve = await startServe();
      try {
        await withPage(async (page) => {
          const seen = await page.evaluate(async (url) => {
            const { LeanCloudWebSocket, until } = /** @type {any} */ (globalThis);
            /** @type {unknown[]} */
            const seen = [];
            const socket = new LeanCloudWebSocket(url, 'lc.json.3');
            socket.onopen = () => {
              seen.push(socket.readyState);
              socket.send('hello');
              socket.send(Uint8Array.of(1, 255).buffer);
            };
            socket.onmessage = (/** @type {any} */ { data }) =>
              seen.push(typeof data === 'string' ? data : [...new Uint8Array(data)]);
            socket.onclose = (/** @type {any} */ { code }) => seen.push(code, socket.readyState);
            await until(() => seen.length === 3);
            socket.close();
            await until(() => seen.length === 5);

            const refused = new LeanCloudWebSocket('ftp://a.example');
            const { message } = await new Promise((resolve) => {
              refused.onerror = resolve;
            });
            return [...seen, message];
          }, serve.echo);
          assert.deepEqual(seen.slice(0, -1), [1, 'hello', [1, 255], 1000, 3]);
          assert.match(String(seen.at(-1)), /^connectSocket:fail invalid url/);
        });
      } finally {
        await serve.close();
      }
    });

    test('@cloudbase/adapter-wx_mp', patience, async () => {
      const serve = await startServe();
      try {
        await withPage(async (page) => {
          const seen = await page.evaluate(async (url) => {
            const { cloudbase, until } = /** @type {any} */ (globalThis);
            /** @type {unknown[]} */
            const seen = [];
            const { wsClass: WebSocket } = cloudbase.genAdapter({});
            const socket = new WebSocket(url);
            socket.onopen = () => {
              seen.push(socket.readyState);
              socket.send('hello');
            };
            socket.onmessage = (/** @type {any} */ { data }) => seen.push(data);
            socket.onclose = (/** @type {any} */ { code, reason }) =>
              seen.push(code, reason, socket.readyState);
            await until(() => seen.length === 2);
            socket.close(4000, 'enough');
            await until(() => seen.length === 5);
            return seen;
          }, serve.echo);
          assert.deepEqual(seen, [1, 'hello', 4000, 'enough', 3]);
        });
      } finally {
        await serve.close();
      }
    });
  });
}
