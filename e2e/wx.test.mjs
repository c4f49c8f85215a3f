/** connectSocket as WeChat and uni-app have it, in every engine. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { Page } from './drive/engine.mjs' */

/** What the cases use: the two objects with the family on them, and what was reported as unhandled. */
const harness = `
  import { install, installUni } from './wx.mjs';
  globalThis.wx = install({ version: 1 });
  globalThis.uni = installUni({ version: 2 });
  globalThis.own = install({ canIUse: () => 'own' });
  globalThis.unhandled = [];
  addEventListener('unhandledrejection', ({ reason }) => unhandled.push(reason));
  globalThis.first = (task, on) => new Promise((resolve) => task[on](resolve));
`;

/**
 * The cases: what runs in the page, and what it returns.
 *
 * @type {Array<[string, (echo: string) => unknown, unknown]>}
 */
const cases = [
  [
    'wx.connectSocket returns the task itself',
    async (echo) => {
      const { wx, first, connectSocket } = /** @type {any} */ (globalThis);
      const task = wx.connectSocket({ url: `${echo}?id=wx` });
      task.onOpen(() => task.send({ data: 'hello' }));
      const { data } = await first(task, 'onMessage');
      const { tasks } = connectSocket.stats();
      task.close({ code: 4001, reason: 'enough' });
      const report = await (await fetch(`${echo.replace(/^ws/, 'http')}?report=wx`)).json();
      return [wx.version, typeof task.then, data, tasks, report.code, report.reason];
    },
    [1, 'undefined', 'hello', 1, 4001, 'enough'],
  ],
  [
    'a refused call tells its task, and nothing is reported as unhandled',
    async () => {
      const { wx, first, unhandled } = /** @type {any} */ (globalThis);
      const task = wx.connectSocket({ url: 'ftp://a.example' });
      const { errMsg } = await first(task, 'onError');
      const { code } = await first(task, 'onClose');
      await new Promise((resolve) => setTimeout(resolve));
      return [errMsg, code, unhandled];
    },
    ['connectSocket:fail invalid url "ftp://a.example"', 1006, []],
  ],
  [
    'the family is there for the newest task',
    async (echo) => {
      const { wx, first } = /** @type {any} */ (globalThis);
      wx.onSocketOpen(() => wx.sendSocketMessage({ data: 'hello' }));
      const closed = first(wx.connectSocket({ url: `${echo}?after=1&code=4002&reason=over` }), 'onClose');
      const { data } = await first(wx, 'onSocketMessage');
      return [data, await closed];
    },
    ['hello', { code: 4002, reason: 'over', wasClean: true }],
  ],
  [
    'uni.connectSocket returns a task where the option has a callback, else a promise',
    async (echo) => {
      const { uni } = /** @type {any} */ (globalThis);
      const kinds = [];
      for (const option of [
        { success() {} },
        { fail() {} },
        { complete() {} },
        {},
        { success: 'no function' },
      ]) {
        const returned = uni.connectSocket({ url: echo, ...option });
        kinds.push(returned instanceof Promise);
        returned.close();
      }
      const throws = Object.defineProperty({ url: echo }, 'success', {
        get() {
          throw new Error('no');
        },
      });
      for (const option of [undefined, throws]) {
        const { errMsg } = await uni.connectSocket(option).catch((/** @type {unknown} */ res) => res);
        kinds.push(errMsg);
      }
      return [uni.version, ...kinds];
    },
    [
      2,
      false,
      false,
      false,
      true,
      true,
      'connectSocket:fail parameter error: parameter should be Object instead of Undefined',
      'connectSocket:fail parameter error: reading parameter.success threw Error: no',
    ],
  ],
  [
    'canIUse knows the names of sockets, and stays where there is one',
    async () => {
      const { wx, uni, own } = /** @type {any} */ (globalThis);
      const names = [
        'connectSocket',
        'connectSocket.object.protocols',
        'connectSocket.success.socketTaskId',
        'sendSocketMessage.object.data',
        'closeSocket.object.code',
        'onSocketOpen.callback.header',
        'onSocketClose.callback.reason',
        'SocketTask',
        'SocketTask.onMessage',
        'SocketTask.send.object.data',
      ];
      const others = [
        'request',
        'connectSocket.object.other',
        'connectSocket.protocols',
        'SocketTask.ping',
        'xconnectSocket',
        '',
        undefined,
      ];
      return [
        names.filter((name) => !wx.canIUse(name) || !uni.canIUse(name)),
        others.filter((name) => wx.canIUse(name) || uni.canIUse(name)),
        own.canIUse('anything'),
      ];
    },
    [[], [], 'own'],
  ],
];

for (const name of engineNames) {
  describe(name, () => {
    const use = closeAfterTests();
    /** @type {Page} */
    let page;
    let echo = '';

    before(async () => {
      ({ echo } = await use(startServe));
      const site = await use(startSite, {
        '/': '<!doctype html><link rel="icon" href="data:,"><script type="module" src="harness.mjs"></script>',
        '/harness.mjs': { body: harness, type: 'text/javascript' },
      });
      const engine = await use(openEngine, name);
      page = await engine.newPage(site.url);
    });

    for (const [what, run, want] of cases) {
      test(what, async () => assert.deepEqual(await page.evaluate(run, echo), want));
    }
  });
}
