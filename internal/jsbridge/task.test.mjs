/**
 * Every member of a task, however the task is wrapped: frameworks put what an app keeps behind a Proxy.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reactive, readonly, ref, shallowReadonly } from '@vue/reactivity';
import { family, taskMembers } from '../../e2e/members.mjs';
import { createPage, happen, sockets, startPage, turn } from './testdata/page.mjs';

const url = 'ws://a.example/';

/**
 * A membrane: an object that is reached through it is behind one too.
 * @param {any} target
 * @param {boolean} [keepsThis] whether a getter sees the membrane as its `this`
 * @returns {any}
 */
const membrane = (target, keepsThis = true) =>
  new Proxy(target, {
    get(object, key, receiver) {
      const value = keepsThis ? Reflect.get(object, key, receiver) : object[key];
      return typeof value === 'object' && value !== null ? membrane(value, keepsThis) : value;
    },
  });

/** @type {Record<string, (task: any) => any>} */
const ways = {
  'as it is': (task) => task,
  'by reactive of Vue': (task) => reactive({ task }).task,
  'by reactive of Vue, itself': (task) => reactive(task),
  'by readonly of Vue': (task) => readonly({ task }).task,
  'by shallowReadonly of Vue': (task) => shallowReadonly({ task }).task,
  'by ref of Vue': (task) => ref(task).value,
  'by a Proxy': (task) => new Proxy(task, {}),
  'by a Proxy of a Proxy': (task) => new Proxy(new Proxy(task, {}), {}),
  'by a membrane': (task) => membrane(task),
  'by a membrane whose getters see the task': (task) => membrane(task, false),
  'by a membrane around what holds it': (task) => membrane({ state: { task } }).state.task,
  'by nothing, frozen': (task) => Object.freeze(task),
  'by a membrane, frozen': (task) => membrane(Object.freeze(task)),
  'by a membrane, sealed': (task) => membrane(Object.seal(task)),
  'by an object that inherits from it': (task) => Object.create(task),
};

/**
 * What each member does on a task that is open.
 * @type {Record<string, (task: any, socket: import('../../e2e/fuzz/socket.mjs').ScriptedSocket) => unknown>}
 */
const members = {
  readyState: (task) => assert.equal(task.readyState, 1),
  CONNECTING: (task) => assert.equal(task.CONNECTING, 0),
  OPEN: (task) => assert.equal(task.OPEN, 1),
  CLOSING: (task) => assert.equal(task.CLOSING, 2),
  CLOSED: (task) => assert.equal(task.CLOSED, 3),
  socketTaskId: (task) => assert.equal(task.socketTaskId, 1),
  errMsg: (task) => assert.equal(task.errMsg, 'connectSocket:ok'),
  protocol: (task) => assert.equal(task.protocol, 'chat'),
  bufferedAmount: (task) => assert.equal(task.bufferedAmount, 0),
  ws: (task, socket) => assert.equal(task.ws.url, socket.url),
  async send(task, socket) {
    assert.deepEqual(await task.send({ data: 'hello' }), { errMsg: 'sendSocketMessage:ok' });
    assert.deepEqual(socket.sent, ['hello']);
  },
  async onOpen(task) {
    assert.equal(await count(task, 'Open'), 1); // it was held
  },
  async offOpen(task) {
    assert.equal(await count(task, 'Open'), 0);
  },
  async onMessage(task, socket) {
    assert.equal(await count(task, 'Message', () => happen(socket, 'text', { text: 'one' })), 1);
  },
  async offMessage(task, socket) {
    await happen(socket, 'text', { text: 'two' });
    assert.equal(await count(task, 'Message'), 1); // it was held again
  },
  offError: (task) => off(task, 'Error'),
  offClose: (task) => off(task, 'Close'),
  async close(task, socket) {
    assert.deepEqual(await task.close({ code: 4000, reason: 'bye' }), { errMsg: 'closeSocket:ok' });
    assert.deepEqual([socket.closes, task.readyState], [[[4000, 'bye']], 2]);
  },
  async onError(task, socket) {
    assert.equal(await count(task, 'Error', () => happen(socket, 'drop')), 1);
  },
  async onClose(task) {
    assert.equal(await count(task, 'Close'), 1);
    assert.equal(task.readyState, 3);
  },
};

/**
 * How often a handler is called that is registered for a while.
 * @param {any} task
 * @param {string} kind
 * @param {() => unknown} [meanwhile]
 */
async function count(task, kind, meanwhile = () => {}) {
  let calls = 0;
  const handler = () => {
    calls++;
  };
  task[`on${kind}`](handler);
  await turn();
  await meanwhile();
  task[`off${kind}`](handler);
  return calls;
}

/** Registers handlers that are never called. @param {any} task @param {string} kind */
function off(task, kind) {
  const never = () => assert.fail(`on${kind} after off${kind}`);
  task[`on${kind}`](never);
  task[`on${kind}`](() => never());
  task[`off${kind}`](never);
  task[`off${kind}`]();
}

test('every member of a task is in this test', () => {
  assert.deepEqual(Object.keys(members).sort(), taskMembers.toSorted());
});

for (const [way, wrap] of Object.entries(ways)) {
  test(`a task that is wrapped ${way}`, async () => {
    const { connectTask } = await startPage();
    const task = wrap(connectTask({ url, protocols: ['chat'] }));
    await happen(sockets[0], 'accept', { negotiates: true });
    for (const [name, check] of Object.entries(members)) {
      try {
        await check(task, sockets[0]);
      } catch (/** @type {any} */ error) {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      }
    }
    assert.equal(task.then, undefined);
  });
}

test('a task and its promise have the members that the types have, and no other', () => {
  const { connectSocket, connectTask } = createPage();
  /** @param {object} object */
  const names = (object) => {
    const found = [];
    for (const name in object) found.push(name);
    return found.sort();
  };
  assert.deepEqual(names(connectTask({ url })), taskMembers.toSorted());
  assert.deepEqual(names(connectSocket({ url })), taskMembers.toSorted());
});

test('install puts the family that the types have, and no other', () => {
  const { bridge } = createPage();
  assert.deepEqual(Object.keys(bridge.install({})).sort(), family.toSorted());
});
