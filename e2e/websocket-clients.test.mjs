/**
 * Libraries over WebSocket, as npm has them, on connectsocket/websocket, in every engine: each with its real server; but
 * for centrifuge and SignalR npm has none, so that theirs are the least of their protocols.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { docs, setupWSConnection } from '@y/websocket-server/utils';
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
// @ts-expect-error: it has no types
import StompServer from 'stomp-broker-js';
import { startBundledSite, startHttp, startSocketIo, startWebSockets, withPage } from './clients.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe } from './drive/server.mjs';

/** @import { WebSocketServer } from 'ws' */
/** @import { Engine, Page } from './drive/engine.mjs' */

const patience = { timeout: 120_000 }; // what has not come by then never will

/** The page: nothing but the class, and the libraries. */
const page = `
  import { WebSocket } from 'connectsocket/websocket';
  import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
  import { Client } from '@stomp/stompjs';
  import { Centrifuge } from 'centrifuge';
  import { createClient } from 'graphql-ws';
  import ReconnectingWebSocket from 'reconnecting-websocket';
  import { io, WebSocket as Transport } from 'socket.io-client';
  import { WebsocketProvider } from 'y-websocket';
  import * as Y from 'yjs';

  Object.assign(globalThis, {
    Ours: WebSocket,
    HttpTransportType, HubConnectionBuilder, LogLevel,
    Client, Centrifuge, createClient, ReconnectingWebSocket, io, Transport, WebsocketProvider, Y,
  });
`;

/** The protocol of Centrifugo in JSON: connects, subscribes, publishes to those who have subscribed, calls back. */
const startCentrifugo = () =>
  startWebSockets((server) =>
    server.on('connection', (ws) =>
      ws.on('message', (lines) => {
        for (const line of `${lines}`.split('\n').filter(Boolean)) {
          const { id, connect, subscribe, publish, rpc } = JSON.parse(line);
          const say = (/** @type {unknown} */ value) => ws.send(JSON.stringify(value));
          if (connect) say({ id, connect: { client: 'here', version: '1', ping: 25, pong: true } });
          if (subscribe) say({ id, subscribe: {} });
          if (rpc) say({ id, rpc: { data: { [rpc.method]: rpc.data } } });
          if (publish) {
            say({ id, publish: {} });
            say({ push: { channel: publish.channel, pub: { data: publish.data } } });
          }
        }
      }),
    ),
  );

/** SignalR's hub protocol in JSON: each message ends with a record separator. */
const startHub = () =>
  startWebSockets((server) =>
    server.on('connection', (ws) =>
      ws.on('message', (records) => {
        const say = (/** @type {unknown} */ value) => ws.send(`${JSON.stringify(value)}\x1e`);
        for (const record of `${records}`.split('\x1e').filter(Boolean)) {
          const { protocol, type, invocationId, target, arguments: args } = JSON.parse(record);
          if (protocol) say({});
          if (type !== 1) continue;
          if (invocationId) say({ type: 3, invocationId, result: [target, ...args] });
          else say({ type: 1, target: 'said', arguments: args });
        }
      }),
    ),
  );

/** A schema with a query and a subscription. */
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: { hello: { type: GraphQLString, resolve: () => 'world' } },
  }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      greeting: {
        type: GraphQLString,
        async *subscribe() {
          for (const greeting of ['hi', 'bonjour', '你好']) yield { greeting };
        },
      },
    },
  }),
});

for (const name of engineNames) {
  describe(name, () => {
    const use = closeAfterTests();
    /** @type {Engine} */
    let engine;
    let site = '';

    before(async () => {
      ({ url: site } = await use(startBundledSite, page));
      engine = await use(openEngine, name);
    }, patience);

    /**
     * Starts a server, runs f with its URL in a new page, and compares what that returns.
     *
     * @template {{ url: string, close: () => Promise<void> }} S
     * @param {() => Promise<S>} start
     * @param {(url: string) => unknown} f
     * @param {unknown} expected
     */
    async function run(start, f, expected) {
      const server = await start();
      try {
        await withPage(engine, site, async (page) => {
          assert.deepEqual(await page.evaluate(f, server.url), expected);
        });
      } finally {
        await server.close();
      }
    }

    test('@stomp/stompjs, with stomp-broker-js', patience, () =>
      run(
        async () => {
          const { http, url, close } = await startHttp();
          new StompServer({ server: http, path: '/stomp' });
          return { url: `${url}/stomp`, close };
        },
        async (url) => {
          const { Client, Ours, until } = /** @type {any} */ (globalThis);
          /** @type {string[]} */
          const seen = [];
          const webSocketFactory = () => new Ours(url, ['v11.stomp', 'v10.stomp']);
          const [hears, says] = [1, 2].map(() => new Client({ webSocketFactory }));
          hears.onConnect = () => {
            hears.subscribe('/topic/here', (/** @type {any} */ { body }) => seen.push(body));
            says.activate();
          };
          // The broker does not give a client its own, and counts characters for bytes.
          says.onConnect = () => {
            for (const body of ['hello', 'again']) says.publish({ destination: '/topic/here', body });
          };
          hears.onWebSocketClose = (/** @type {CloseEvent} */ { wasClean }) =>
            seen.push(`closed ${wasClean}`);
          hears.activate();
          await until(() => seen.length === 2);
          await Promise.all([says.deactivate(), hears.deactivate()]);
          await until(() => seen.length === 3);
          return seen;
        },
        ['hello', 'again', 'closed true'],
      ),
    );

    test('centrifuge', patience, () =>
      run(
        startCentrifugo,
        async (url) => {
          const { Centrifuge, Ours, until } = /** @type {any} */ (globalThis);
          /** @type {unknown[]} */
          const seen = [];
          const client = new Centrifuge(url, { websocket: Ours });
          const subscription = client.newSubscription('here');
          subscription.on('publication', (/** @type {any} */ { data }) => seen.push(data));
          subscription.subscribe();
          client.connect();
          await client.ready();
          await subscription.ready();
          await subscription.publish({ text: 'hello' });
          const { data } = await client.rpc('echo', '你好');
          await until(() => seen.length === 1);
          client.disconnect();
          return [...seen, data, client.state];
        },
        [{ text: 'hello' }, { echo: '你好' }, 'disconnected'],
      ),
    );

    test('@microsoft/signalr', patience, () =>
      run(
        startHub,
        async (url) => {
          const here = /** @type {any} */ (globalThis);
          /** @type {unknown[]} */
          const seen = [];
          const connection = new here.HubConnectionBuilder()
            .withUrl(url, {
              WebSocket: here.Ours,
              skipNegotiation: true,
              transport: here.HttpTransportType.WebSockets,
            })
            .configureLogging(here.LogLevel.None)
            .build();
          connection.on('said', (/** @type {unknown} */ text) => seen.push(text));
          connection.onclose((/** @type {unknown} */ error) => seen.push(`closed ${error}`));
          await connection.start();
          seen.push(await connection.invoke('add', 1, 'ü'));
          await connection.send('say', 'hello');
          await here.until(() => seen.length === 2);
          await connection.stop();
          return [...seen, connection.state];
        },
        [['add', 1, 'ü'], 'hello', 'closed undefined', 'Disconnected'],
      ),
    );

    test('graphql-ws, with its own server', patience, () =>
      run(
        () => startWebSockets((server) => useServer({ schema }, server)),
        async (url) => {
          const { createClient, Ours } = /** @type {any} */ (globalThis);
          const closed = new Promise((resolve) => {
            const on = { closed: (/** @type {CloseEvent} */ event) => resolve([event.code, event.wasClean]) };
            Object.assign(globalThis, {
              client: createClient({ url, webSocketImpl: Ours, lazy: false, on, retryAttempts: 0 }),
            });
          });
          const { client } = /** @type {any} */ (globalThis);
          /** @type {unknown[]} */
          const seen = [];
          for (const query of ['{ hello }', 'subscription { greeting }']) {
            for await (const { data } of client.iterate({ query })) seen.push(Object.values(data)[0]);
          }
          await client.dispose();
          return [...seen, await closed];
        },
        ['world', 'hi', 'bonjour', '你好', [1000, true]],
      ),
    );

    test('reconnecting-websocket survives a restart of its server', patience, async () => {
      let serve = await startServe();
      try {
        await withPage(engine, site, async (page) => {
          await page.evaluate(async (url) => {
            const here = /** @type {any} */ (globalThis);
            here.seen = [];
            here.socket = new here.ReconnectingWebSocket(url, [], {
              WebSocket: here.Ours,
              minReconnectionDelay: 50,
              maxReconnectionDelay: 100,
            });
            here.socket.onopen = () => here.socket.send(`hello ${here.seen.length}`);
            here.socket.onmessage = (/** @type {MessageEvent} */ { data }) => here.seen.push(data);
            here.socket.onclose = (/** @type {CloseEvent} */ { code }) => here.seen.push(code);
            await here.until(() => here.seen.length === 1);
          }, serve.echo);
          await serve.close();
          // More attempts than may be live at once: each gives its slot back. Of one that failed the library says 1000.
          await page.evaluate('until(() => seen.filter((each) => each === 1000).length >= 8)');
          serve = await startServe({ port: Number(new URL(serve.url).port) });
          const seen = await page.evaluate(async () => {
            const { seen, socket, until } = /** @type {any} */ (globalThis);
            await until(() => typeof seen.at(-1) === 'string');
            socket.close(4000, 'enough');
            await until(() => seen.at(-1) === 4000);
            return seen;
          });
          assert.deepEqual([seen[0], seen[1], seen.at(-1)], ['hello 0', 1001, 4000]);
          assert.deepEqual(new Set(seen.slice(2, -2)), new Set([1000]));
        });
      } finally {
        await serve.close();
      }
    });

    test('socket.io-client, with socket.io', patience, () =>
      run(
        startSocketIo,
        async (url) => {
          const { io, Transport, Ours } = /** @type {any} */ (globalThis);
          class OurTransport extends Transport {
            /** @param {any[]} args */
            createSocket(...[uri, protocols]) {
              return protocols ? new Ours(uri, protocols) : new Ours(uri);
            }
          }
          const socket = io(url, { transports: [OurTransport], reconnectionDelay: 50 });
          const next = (/** @type {string} */ event) => new Promise((resolve) => socket.once(event, resolve));
          await next('connect');
          const { id } = socket;
          const answer = await socket.emitWithAck('echo', { a: [1, 'ü'] });
          const said = next('said');
          socket.emit('say', Uint8Array.of(1, 2, 255).buffer);
          const binary = [...new Uint8Array(/** @type {ArrayBuffer} */ (await said))];
          const lost = next('disconnect');
          socket.emit('break');
          const reason = await lost;
          await next('connect');
          const reconnected = socket.id !== id;
          socket.close();
          return [answer, binary, reason, reconnected];
        },
        [{ a: [1, 'ü'] }, [1, 2, 255], 'transport close', true],
      ),
    );

    test('y-websocket, with its own server', patience, () =>
      run(
        async () => {
          const { url, close } = await startWebSockets((server) =>
            server.on('connection', (ws, request) => setupWSConnection(ws, request)),
          );
          const end = async () => {
            await close();
            for (const doc of docs.values()) doc.destroy(); // each has a timer, and what was said there
            docs.clear();
          };
          return { url, close: end };
        },
        async (url) => {
          const { WebsocketProvider, Y, Ours, until } = /** @type {any} */ (globalThis);
          const [a, b] = [new Y.Doc(), new Y.Doc()];
          const providers = [a, b].map(
            (doc) => new WebsocketProvider(url, 'here', doc, { WebSocketPolyfill: Ours, disableBc: true }),
          );
          a.getText('text').insert(0, 'hello 你好');
          await until(() => b.getText('text').toString() === 'hello 你好');
          b.getMap('map').set('key', new Uint8Array([1, 255]));
          await until(() => a.getMap('map').has('key'));
          for (const provider of providers) provider.destroy();
          return [...a.getMap('map').get('key')];
        },
        [1, 255],
      ),
    );
  });
}
