/**
 * A task that an app keeps in its state, with the libraries that apps keep state with: each wraps what it is given in a way
 * of its own, and some look at all of it.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { startBundledSite, withPage } from './clients.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe } from './drive/server.mjs';

/** @import { Engine } from './drive/engine.mjs' */

/** How an app keeps a task, by what it keeps it with. Each gives what it gets back, from then on. */
const page = `
  import Alpine from 'alpinejs';
  import { connectSocket } from 'connectsocket';
  import { autorun, makeAutoObservable, observable, runInAction } from 'mobx';
  import { createPinia, defineStore } from 'pinia';
  import { createApp, h, reactive, readonly, ref, watch } from 'vue';

  const noop = () => {};
  const mount = (app) => app.mount(document.body.appendChild(document.createElement('div')));
  const shown = (task) => h('p', [task?.readyState, task?.socketTaskId, task?.protocol].join());

  const ways = {
    'data of a Vue component, watched deeply'(task) {
      const vm = mount(createApp({
        data: () => ({ task: null, all: [] }),
        watch: { task: { deep: true, handler: noop }, all: { deep: true, handler: noop } },
        render() { return shown(this.task); },
      }));
      vm.task = task;
      vm.all.push(task);
      return () => vm.all[0] === vm.task ? vm.task : vm.all[0];
    },
    'ref of Vue, watched deeply'(task) {
      const kept = ref(null);
      watch(kept, noop, { deep: true });
      kept.value = task;
      return () => kept.value;
    },
    'reactive and readonly of Vue'(task) {
      const state = reactive({ nested: {} });
      watch(state, noop, { deep: true });
      state.nested.task = task;
      return () => readonly(state).nested.task;
    },
    'a store of Pinia'(task) {
      const app = createApp({ render: () => h('p') }).use(createPinia());
      const store = defineStore('socket', { state: () => ({ task: null }) })();
      store.$subscribe(noop, { deep: true });
      store.$patch({ task });
      return () => store.task;
    },
    'a class of MobX'(task) {
      const store = makeAutoObservable(new (class { task = null; keep(task) { this.task = task; } })());
      autorun(() => shown(store.task));
      store.keep(task);
      return () => store.task;
    },
    'observable of MobX'(task) {
      const state = observable({ sockets: new Map() });
      runInAction(() => state.sockets.set('one', task));
      return () => state.sockets.get('one');
    },
    'a store of Alpine'(task) {
      Alpine.store('socket', { task: null });
      Alpine.effect(() => JSON.stringify(Object.keys(Alpine.store('socket').task ?? {})));
      Alpine.store('socket').task = task;
      return () => Alpine.store('socket').task;
    },
    'x-data of Alpine'(task) {
      document.body.insertAdjacentHTML('beforeend', '<p x-data="{ task: null }" x-text="task && task.readyState"></p>');
      const element = document.body.lastElementChild;
      Alpine.initTree(element);
      Alpine.$data(element).task = task;
      return () => Alpine.$data(element).task;
    },
  };

  globalThis.names = Object.keys(ways);
  globalThis.use = async (name, url) => {
    const kept = ways[name](await connectSocket({ url }));
    const answer = new Promise((resolve) => kept().onMessage(({ data }) => resolve(data)));
    const removed = () => answer.then(() => { throw new Error('called after offOpen'); });
    kept().onOpen(removed);
    kept().offOpen(removed);
    await new Promise((resolve) => kept().onOpen(resolve));
    const states = [kept().readyState];
    await kept().send({ data: 'kept' });
    const data = await answer;
    const closed = new Promise((resolve) => kept().onClose(({ code }) => resolve(code)));
    await kept().close({ code: 4000 });
    const code = await closed;
    return [...states, data, code, kept().readyState];
  };
`;

for (const name of engineNames) {
  describe(name, () => {
    const use = closeAfterTests();
    /** @type {Engine} */
    let engine;
    let echo = '';
    let site = '';

    before(async () => {
      ({ echo } = await use(startServe));
      ({ url: site } = await use(startBundledSite, page));
      engine = await use(openEngine, name);
    });

    test('a task does what it does, whatever it is kept in', { timeout: 60_000 }, () =>
      withPage(engine, site, async (page) => {
        const names = /** @type {string[]} */ (await page.evaluate('names'));
        assert.equal(names.length, 8);
        for (const way of names) {
          const got = await page.evaluate(`use(${JSON.stringify(way)}, ${JSON.stringify(echo)})`);
          assert.deepEqual(got, [1, 'kept', 4000, 3], way);
        }
      }),
    );
  });
}
