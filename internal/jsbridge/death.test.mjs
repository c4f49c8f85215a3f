/**
 * Deaths of the Go half at every moment: each call into it traps once, before or after it has had its effect, in a life that
 * makes every call. Whatever the moment, each call is settled, each task closed once, and the next module carries on.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPage, happen, ScriptedSocket, sockets, turn } from './testdata/page.mjs';
import { ENTRANCES } from './wire.js';

/** @type {any} */
const globals = globalThis;
/** @type {string[]} */
const faults = [];
const report = (/** @type {any} */ reason) => faults.push(`unhandled ${reason?.errMsg ?? reason}`);
const { random } = Math;
before(() => {
  process.on('unhandledRejection', report);
  globals.reportError = report;
  Math.random = () => 0;
});
after(() => {
  process.off('unhandledRejection', report);
  Reflect.deleteProperty(globals, 'reportError');
  Math.random = random;
});

const url = 'ws://a.example/';

/** Calls and tasks, and what became of them. */
class Ledger {
  /** @type {Array<{ name: string, settled: number, told: string[] }>} */
  calls = [];
  /** @type {Array<{ name: string, task: any, events: string[] }>} */
  tasks = [];

  /**
   * @param {string} name
   * @param {(option: object) => Promise<any>} make the call, with callbacks
   */
  call(name, make) {
    const call = { name: `${this.calls.length} ${name}`, settled: 0, told: /** @type {string[]} */ ([]) };
    this.calls.push(call);
    const tell = (/** @type {string} */ what) => () => call.told.push(what);
    const promise = make({ success: tell('success'), fail: tell('fail'), complete: tell('complete') });
    const settle = (/** @type {string} */ what) => () => {
      call.settled++;
      call.told.push(what);
    };
    promise.then(settle('resolved'), settle('rejected'));
    return promise;
  }

  /** @param {any} task @param {Record<string, () => void>} [handlers] what they do besides */
  watch(task, handlers = {}) {
    const entry = { name: `task ${this.tasks.length}`, task, events: /** @type {string[]} */ ([]) };
    this.tasks.push(entry);
    for (const kind of ['Open', 'Message', 'Error', 'Close']) {
      task[`on${kind}`](() => {
        entry.events.push(kind);
        handlers[kind]?.();
      });
    }
    return task;
  }

  /** What is wrong at the end. */
  *problems() {
    for (const { name, settled, told } of this.calls) {
      const text = told.join();
      if (settled !== 1 || !/^(success,complete,resolved|fail,complete,rejected)$/.test(text)) {
        yield `call ${name} was told ${text}`;
      }
    }
    for (const { name, task, events } of this.tasks) {
      if (events.filter((kind) => kind === 'Close').length !== 1 || events.at(-1) !== 'Close') {
        yield `${name} was told ${events}`;
      }
      if (task.readyState !== 3) yield `${name} has readyState ${task.readyState}`;
    }
    const ids = this.tasks.map(({ task }) => task.socketTaskId).filter((id) => id > 0);
    if (new Set(ids).size !== ids.length) yield `ids are used twice: ${ids}`;
  }
}

/**
 * A life in which the call of a number into the Go half is its last.
 * @param {number} last
 * @param {boolean} late whether the call has its effect before it traps
 * @returns {Promise<{ died: string, problems: string[] }>} died: where; empty if there are not so many calls
 */
async function live(last, late) {
  let count = 0;
  let died = '';
  let over = false;
  faults.length = 0;
  const all = createPage(
    { maxSockets: 2, onLimit: 'replace' },
    {
      wrap:
        (f, name) =>
        (...args) => {
          if (over || count++ !== last) return f(...args);
          died = name;
          if (late) f(...args);
          throw new WebAssembly.RuntimeError('unreachable');
        },
      onBegin: ({ start }) => setImmediate(start),
    },
  );
  const { connectSocket, connectTask, sendSocketMessage, closeSocket, onSocketMessage, offSocketMessage } =
    all;
  const ledger = new Ledger();
  /** @param {object} [rest] */
  const connect = (rest) =>
    ledger.watch(
      ledger.call('connectSocket', (callbacks) => connectSocket({ url, ...callbacks, ...rest })),
      {
        Message: () =>
          ledger.call('send in a handler', (option) => sendSocketMessage({ data: 'x', ...option })),
        Error: () => ledger.call('refused in a handler', (option) => closeSocket({ code: 5, ...option })),
      },
    );
  const each = async (/** @type {string} */ what, detail = {}) => {
    for (const socket of [...sockets]) await happen(socket, what, detail);
  };
  const onMessage = () => {};
  onSocketMessage(onMessage);

  // While the module loads, and as it starts.
  const early = connect();
  ledger.call('early send', (option) => early.send({ data: 'x', ...option }));
  ledger.call('early sendSocketMessage', (option) => sendSocketMessage({ data: 'x', ...option }));
  await each('accept');
  await each('text', { text: 'one' });
  await turn();
  // A refusal, a constructor that throws, one more than the limit allows, and one that reconnects.
  ledger.call('refused', (option) => connectSocket({ url: 'ftp://a.example', ...option }));
  ledger.call('thrown', (option) => connectSocket({ url, protocols: ['a', 'a'], ...option }));
  const second = connect({
    reconnect: { minDelay: 0, jitter: 0, option: () => ({ url }) },
    heartbeat: { message: 'x' },
  });
  const third = ledger.watch(connectTask({ url }), { Close: () => connect() });
  await turn();
  await each('accept');
  ledger.call('send', (option) => second.send({ data: 'x', ...option }));
  ledger.call('send', (option) => third.send({ data: 'x', ...option }));
  await each('text', { text: 'two' });
  second.onMessage(onMessage);
  second.offMessage(onMessage);
  offSocketMessage(onMessage);
  await each('drop');
  await turn();
  await each('accept');
  for (const task of [early, second, third]) task.readyState;
  ledger.call('close', (option) => second.close({ code: 4000, ...option }));
  ledger.call('closeSocket', (option) => closeSocket(option));
  const late2 = connect();
  await turn();
  ledger.call('close', (option) => late2.close(option));
  await each('close');
  await turn();

  // Whatever has happened, the next module serves.
  over = true;
  for (let i = 0; i < 5 && all.stats().tasks > 0; i++) {
    for (const { task } of ledger.tasks) task.close();
    await each('close');
    await turn();
  }
  const before = sockets.length;
  const next = ledger.watch(ledger.call('the last', (option) => connectSocket({ url, ...option })));
  for (let i = 0; i < 5 && next.readyState === 0; i++) {
    await turn();
    for (const socket of sockets.slice(before)) await happen(socket, 'accept');
  }
  const problems = [];
  if (died && all.page.begun < 2) problems.push('nobody has noticed the death');
  if (next.readyState !== 1) problems.push(`the last task has readyState ${next.readyState}`);
  next.close();
  await each('close');
  await turn();
  problems.push(...ledger.problems(), ...faults);
  const { tasks, slotsInUse } = all.stats();
  if (tasks + slotsInUse > 0) problems.push(`${tasks} tasks and ${slotsInUse} slots are left`);
  const open = sockets.filter(({ readyState }) => readyState < 2).length;
  if (open > 0) problems.push(`${open} WebSockets are left`);
  return { died, problems };
}

for (const late of [false, true]) {
  test(`a trap ${late ? 'after' : 'before'} the effect of each call`, async () => {
    assert.equal(globals.WebSocket, ScriptedSocket);
    const died = new Set();
    let last = 0;
    for (; last < 1000; last++) {
      const result = await live(last, late);
      assert.deepEqual(result.problems, [], `call ${last}, of ${result.died}`);
      if (result.died === '') break;
      died.add(result.died);
    }
    assert.ok(last < 1000);
    assert.deepEqual(
      [...died].sort(),
      [...ENTRANCES.split(' '), 'close', 'configure', 'connect', 'renew'].sort(),
    );
  });
}
