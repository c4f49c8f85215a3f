/**
 * A component that mounts and unmounts a great many times, with handlers of a task that stays or with a task of its own,
 * leaves nothing behind, in every engine: no task, slot, timer or listener, no value that Go refers to, no memory of the
 * module, and no handler, and no task that cannot be collected.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { census } from './census.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

/** @import { Page } from './drive/engine.mjs' */

const mounts = 1000;

/** What the page has before the package, beside the census. */
function collector() {
  const page = /** @type {any} */ (globalThis);
  page.sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
  /** @type {WeakRef<object>[]} */
  const refs = [];
  page.mark = (/** @type {object} */ object) => refs.push(new WeakRef(object));
  /** Makes the engine collect until it has kept at most so many of what was marked, or for long; tells how many it has kept. */
  page.kept = async (/** @type {number} */ most) => {
    const count = () => refs.filter((ref) => ref.deref()).length;
    for (let tries = 0; count() > most && tries < 100; tries++) {
      page.garbage = Array.from({ length: 300_000 }, () => ({ text: `${Math.random()}` }));
      page.garbage = undefined;
      await page.sleep(50);
    }
    return count();
  };
}

/** The two components, and calls that are refused. */
function components() {
  const page = /** @type {any} */ (globalThis);
  const wx = /** @type {any} */ (connectSocket.install({}));
  const { offSocketOpen, offSocketMessage, offSocketError, offSocketClose } = /** @type {any} */ (
    connectSocket
  );

  page.refused = async (/** @type {number} */ calls) => {
    const heartbeat = { interval: 60_000, message: 'ping' };
    for (let n = 0; n < calls; n++) {
      await connectSocket({ url: 'ftp://x', reconnect: true, heartbeat }).catch(() => {});
    }
  };

  /** Its handlers are those of a task that stays, and global ones. */
  page.mountHandlers = async (
    /** @type {number} */ mounts,
    /** @type {any} */ task,
    /** @type {boolean} */ off,
  ) => {
    let called = 0;
    for (let n = 0; n < mounts; n++) {
      const f = () => called++;
      const g = () => called++;
      for (const on of ['onOpen', 'onMessage', 'onError', 'onClose']) task[on](f);
      for (const on of ['onSocketOpen', 'onSocketMessage', 'onSocketError', 'onSocketClose']) wx[on](g);
      if (!off) continue;
      for (const each of ['offOpen', 'offMessage', 'offError', 'offClose']) task[each](f);
      for (const each of [offSocketOpen, offSocketMessage, offSocketError, offSocketClose]) each(g);
    }
    await new Promise((resolve) => {
      task.onMessage(resolve);
      task.send({ data: 'x' });
    });
    await null; // for the global handlers, which come last
    return called;
  };

  /** Its task is closed while it connects, when it is open, and when it has an answer, by turns; five are there at a time. */
  page.mountTasks = async (/** @type {number} */ mounts, /** @type {string} */ url) => {
    const option = { url, reconnect: true, heartbeat: { interval: 60_000, message: 'ping' } };
    let begun = 0;
    const mountOne = async (/** @type {number} */ n) => {
      const task = connectSocket(option);
      page.mark(await task);
      const closed = new Promise((resolve) => task.onClose(resolve));
      if (n % 3 > 0) await new Promise((resolve) => task.onOpen(resolve));
      if (n % 3 > 1) {
        task.send({ data: 'x' });
        await new Promise((resolve) => task.onMessage(resolve));
      }
      task.close();
      await closed;
    };
    const place = async () => {
      while (begun < mounts) await mountOne(begun++);
    };
    await Promise.all(Array.from({ length: 5 }, place));
  };
}

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Page} */
    let page;
    let echo = '';
    const use = closeAfterTests();

    before(async () => {
      ({ echo } = await use(startServe));
      const { url } = await use(startSite, {
        '/': `<!doctype html><link rel="icon" href="data:,"><script>(${census})(); (${collector})();</script><script src="connectsocket.js"></script><script>(${components})();</script>`,
      });
      const engine = await use(openEngine, name);
      page = await engine.newPage(url);
      await page.evaluate(
        '(async () => { await connectSocket.load(); while (!connectSocket.stats().restJoined) await sleep(20); })()',
      );
    });

    /** @returns {Promise<Record<string, any>>} what may not grow */
    const look = () => page.evaluate('({ ...connectSocket.stats(), ...census() })');

    test('with handlers of a task that stays', { timeout: 60_000 }, async () => {
      await page.evaluate(
        `(async () => { globalThis.task = await connectSocket({ url: ${JSON.stringify(echo)} }); await new Promise((resolve) => task.onOpen(resolve)); })()`,
      );
      const then = await look();
      assert.equal(await page.evaluate(`mountHandlers(${mounts}, task, true)`), 0);
      assert.deepEqual(await look(), then);
      // Those that are not taken off are called.
      assert.equal(await page.evaluate('mountHandlers(10, task, false)'), 20);
      await page.evaluate('new Promise((resolve) => { task.onClose(resolve); task.close(); })');
    });

    test('with a task of its own', { timeout: 120_000 }, async () => {
      // Go gives its values back when it collects. Calls that are refused make it do so, some 12,000 of them each time; what there
      // is before it first collects is the most that there may ever be, but for little.
      const collect = (/** @type {number} */ times) =>
        page.evaluate((calls) => /** @type {any} */ (globalThis).refused(calls), times * 13_000);
      await collect(2);
      const then = await look();
      await page.evaluate((...args) => /** @type {any} */ (globalThis).mountTasks(...args), mounts, echo);
      // Each engine collects in its own time, and Firefox not at all while it waits for that; but if one of the three ways to end
      // kept its tasks, a third of all would stay.
      const most = mounts / 4;
      const kept = name === 'firefox' ? 0 : await page.evaluate(`kept(${most})`);
      await collect(1);
      const now = await look();
      const { tasks, slots, slotsInUse, timers, listeners } = now;
      assert.deepEqual(
        { tasks, slotsInUse, timers, listeners },
        { tasks: 0, slotsInUse: 0, timers: 0, listeners: then.listeners },
      );
      assert.ok(now.mostTimers >= 2, 'the timers of the package are not counted');
      assert.ok(now.ofSockets >= 4 * mounts, 'the listeners of the package are not counted');
      assert.ok(slots <= 25, `${slots} slots`); // five tasks with an event of each kind, and a message
      assert.ok(now.values - then.values < mounts / 2, `values: ${then.values}, then ${now.values}`);
      assert.ok(now.memory - then.memory <= 2 ** 20, `memory: ${then.memory}, then ${now.memory}`);
      assert.ok(kept <= most, `${kept} of ${mounts} tasks were kept`);
    });
  });
}
