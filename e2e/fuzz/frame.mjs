/**
 * Runs programs in a frame that has the built package, with the real module, over scripted WebSockets and time. It is
 * loaded before the package's script.
 */
import { Clock } from './clock.mjs';
import { chance, kinds, Model, show } from './model.mjs';
import { realms } from './realms.mjs';
import { network, ScriptedSocket, sockets } from './socket.mjs';
import { headers, heartbeats, hostile, protocols, reconnects, sendable, thrown } from './values.mjs';

/** @import { Call, Kind, Task } from './model.mjs' */
/** @import { Callback, Field, Op, Option, Program, Turn } from './program.mjs' */

const clock = new Clock();
clock.install();
Math.random = () => chance;
globalThis.WebSocket = /** @type {any} */ (ScriptedSocket);

// The page compiles the module once for all its frames.
WebAssembly.instantiateStreaming = async (_, imports) => {
  const { module } = /** @type {any} */ (parent);
  const gojs = /** @type {any} */ (imports).gojs;
  const set = gojs['runtime.scheduleTimeoutEvent'];
  gojs['runtime.scheduleTimeoutEvent'] = (/** @type {number} */ sp) => {
    clock.goes = true;
    set(sp);
    clock.goes = false;
  };
  return /** @type {any} */ ({ module, instance: await WebAssembly.instantiate(module, imports) });
};

let warnings = 0;
console.warn = () => {
  warnings++;
};

/** @type {Run | undefined} */
let current;
const stray = (/** @type {string} */ text) => failures.push(text);
/** @type {string[]} */
const failures = []; // outside of any program
addEventListener('error', (event) => {
  event.preventDefault();
  if (current) current.model.reported(event.error);
  else stray(`${event.message} between programs`);
});
addEventListener('unhandledrejection', (event) => {
  event.preventDefault();
  if (current) current.model.unhandled(event.promise, event.reason);
  else stray(`unhandledrejection of ${show(event.reason)} between programs`);
});

/** Whether the page is online, and whether somebody sees it. */
const presence = { online: true, visible: true };
Object.defineProperty(navigator, 'onLine', { get: () => presence.online });
Object.defineProperty(document, 'visibilityState', { get: () => (presence.visible ? 'visible' : 'hidden') });

const { port1, port2 } = new MessageChannel();
/** @type {Array<() => void>} */
const turns = [];
port1.onmessage = () => turns.shift()?.();

/** Resolves in another task of the event loop: all microtasks have run by then. */
const turn = () =>
  new Promise((resolve) => {
    turns.push(() => resolve(undefined));
    port2.postMessage(0);
  });

/** Lets the module start. @type {() => void} */
let open;
const catalogs = { header: headers, protocols, reconnect: reconnects, heartbeat: heartbeats };

/** A task, as the program has it. @typedef {{ model: Task, task: any, promise: any }} Handle */

/** A run of a program. */
class Run {
  /** @type {Handle[]} */
  handles = [];
  /** @type {Map<string, (res: any) => void>} */
  functions = new Map();
  /** The event handler that runs. @type {unknown} */
  within;
  /** Whether a handler was registered by a global function: the frame keeps it. */
  tainted = false;
  first = sockets.length;

  /** @param {Program} program */
  constructor(program) {
    this.program = program;
    this.model = new Model(realms[program.realm], () => clock.now, Boolean(program.early));
    this.family = /** @type {any} */ (globalThis.connectSocket.install({}));
  }

  async run() {
    for (const [i, step] of this.program.turns.entries()) {
      if (step.ops) for (const op of step.ops) this.do(op);
      if (step.net) await this.happen(step, i);
      await this.rest();
      if (this.model.problems.length > 0) return;
    }
    await this.finish();
  }

  /** Ends every task, and listens to all that is still held. */
  async finish() {
    await this.happen({ net: 'start' }, 0);
    await this.happen({ net: 'presence', online: true, visible: true }, 0);
    await this.rest();
    await this.closeAll();
    // All slots are back: so many may connect, and no more.
    const { maxSockets, onLimit } = this.model.settings;
    const option = { fields: { url: { is: 'ws://fuzz.example/' } } };
    for (let probe = onLimit === 'replace' ? 1 : 0; probe <= maxSockets; probe++) {
      this.do({ do: 'connect', via: 'connectTask', watched: false, option });
    }
    await this.closeAll();
    for (let task = 0; task < this.handles.length; task++) {
      for (const kind of kinds) this.do({ do: 'on', task, via: 'task', kind, handler: { name: 9 } });
    }
    await this.rest();
    for (let wait = 0; wait < 100 && this.model.calls.some(({ unhandled }) => unhandled); wait++)
      await turn();
    for (const { name, unhandled, judged } of this.model.calls) {
      if (unhandled) this.model.problem(`the rejection of call ${name} was not reported as unhandled`);
      if (!judged) this.model.problem(`call ${name} still waits`);
    }
    for (const { name, pending, over } of this.model.tasks) {
      if (!over) this.model.problem(`${name} has not ended`);
      if (pending.length > 0) this.model.problem(`${name} has lost ${pending.length} events`);
    }
    const { tasks, slotsInUse } = globalThis.connectSocket.stats();
    if (tasks + slotsInUse > 0) this.model.problem(`${tasks} tasks and ${slotsInUse} slots are left`);
    const polluted = /** @type {any} */ ({}).polluted ?? Object.keys(Object.prototype)[0];
    if (polluted !== undefined) this.model.problem('Object.prototype is polluted');
  }

  /** Closes all, and those that handlers open meanwhile. */
  async closeAll() {
    for (let round = 0; round < 9 && this.handles.some(({ model }) => !model.over); round++) {
      for (let task = 0; task < this.handles.length; task++) {
        this.do({ do: 'close', task, via: 'task', watched: true, option: { whole: 'undefined' } });
      }
      await this.rest();
      for (const socket of sockets.slice(this.first)) await this.dispatch(socket, { net: 'close' });
      await this.rest();
    }
  }

  /** Waits until nothing is on its way. */
  async rest() {
    await turn();
    await this.pass(clock.now);
    for (const { model, task, promise } of this.handles) this.compare(model, task ?? promise);
    for (const socket of sockets.slice(this.first)) {
      if (!this.model.past.has(socket) && this.model.tasks.every((task) => task.socket !== socket))
        this.model.problem('a WebSocket is no task’s');
    }
    this.model.quiet(globalThis.connectSocket.stats());
  }

  /**
   * Lets time pass.
   *
   * @param {number} until
   */
  async pass(until) {
    // Calls of handlers move the clock.
    const next = () => clock.take(Math.max(until, clock.now));
    for (let timer = next(); timer; timer = next()) {
      this.model.observe();
      if (timer.deadline === undefined) this.model.catchUp();
      else this.model.fire(timer.deadline, /** @type {number} */ (timer.ms));
      timer.f();
      this.model.beginBeats();
      await turn();
      this.adopt();
    }
    clock.now = Math.max(clock.now, until);
    if (this.model.expired().length > 0) this.model.problem('an attempt has not timed out');
    if (this.model.beating().some(({ deadline }) => deadline <= clock.now))
      this.model.problem('a heartbeat has no timer');
    if (this.model.reconnecting().some(({ deadline }) => deadline <= clock.now))
      this.model.problem('a task that reconnects has no timer');
  }

  /** Tells the model of the WebSockets of new attempts. */
  adopt() {
    for (const { model, task, promise } of this.handles) {
      const { ws } = task ?? promise;
      if (model.renewal === 'dialling' && ws !== model.last) this.model.redialled(model, ws);
    }
  }

  /**
   * @param {Turn} step
   * @param {number} i
   */
  async happen(step, i) {
    if (step.net === 'wait') {
      return this.pass(clock.now + (this.model.isEndless() ? Math.min(step.ms, 200_000) : step.ms));
    }
    if (step.net === 'start') {
      if (!this.model.waiting) return;
      this.model.starting = true;
      open();
      await globalThis.connectSocket.ready;
      this.model.observe();
      return;
    }
    if (step.net === 'presence') {
      Object.assign(presence, { online: step.online, visible: step.visible });
      this.model.presence(step.online, step.visible);
      dispatchEvent(new Event(step.online ? 'online' : 'offline'));
      document.dispatchEvent(new Event('visibilitychange'));
      await turn();
      return this.adopt();
    }
    const mine = sockets.slice(this.first).filter(({ readyState }) => readyState < 3);
    if (mine.length === 0) return;
    const text = `${i}:`.padEnd(step.size, 'x').slice(0, step.size);
    await this.dispatch(mine[Number(step.socket) % mine.length], { ...step, text });
  }

  /**
   * @param {ScriptedSocket} socket
   * @param {Turn} step
   */
  async dispatch(socket, step) {
    for (const event of network[String(step.net)](socket, step)) {
      this.model.event(socket, event);
      socket.dispatchEvent(event);
      this.model.beginBeats();
      await turn();
    }
  }

  /**
   * Makes a call.
   *
   * @param {Op} op
   */
  do(op) {
    try {
      this[op.do](op);
    } catch (error) {
      this.model.problem(`${op.do} threw ${show(String(error))}`);
    }
  }

  /** @param {Op} op */
  connect({ via, option = {}, watched }) {
    clock.now++; // so that no two attempts begin at once
    const { value, call: attach } = this.make(option);
    const waited = this.model.waiting;
    const handle = /** @type {Handle} */ ({});
    const before = sockets.length;
    const calls = { family: this.family.connectSocket, connectTask: globalThis.connectSocket.connectTask };
    /** @type {any} */
    const connect = calls[/** @type {keyof typeof calls} */ (via)] ?? globalThis.connectSocket;
    const returned = connect(value);
    if (via === 'connectTask') handle.task = returned;
    else handle.promise = returned;
    // Those that its getters made have tasks by now.
    const made = sockets
      .slice(before)
      .filter((socket) => this.model.tasks.every((task) => task.socket !== socket));
    const looks = Boolean(watched) && via !== 'connectTask';
    const task = this.model.connect(option, looks, handle.promise, made);
    handle.model = task;
    attach(task.call);
    if (waited && made.length === 0) {
      Object.defineProperty(task, 'socket', {
        configurable: true,
        get: () => (handle.promise ?? handle.task).ws ?? undefined,
      });
    }
    this.handles.push(handle);
    if (looks) {
      handle.promise.then(
        (/** @type {any} */ resolved) => {
          this.model.told(task.call, 'resolved', undefined);
          handle.task = resolved;
          if (resolved.then !== undefined) this.model.problem(`${task.name} is thenable`);
          this.compare(task, resolved);
        },
        (/** @type {any} */ reason) => this.model.told(task.call, 'rejected', reason),
      );
    }
    this.compare(task, returned);
  }

  /** @param {Op} op */
  send({ task, via, option = {}, watched }) {
    const target = this.target(task, via);
    if (!target) return;
    const api = via === 'family' ? 'sendSocketMessage' : 'SocketTask.send';
    const { value, call: attach, data } = this.make(option);
    const promise = via === 'family' ? this.family.sendSocketMessage(value) : target.object.send(value);
    const call = this.model.send(target.model, option, data, Boolean(watched), api);
    attach(call);
    this.watch(promise, call);
  }

  /** @param {Op} op */
  close({ task, via, option = {}, watched }) {
    const target = this.target(task, via);
    if (!target) return;
    const { value, call: attach } = this.make(option);
    const promise = via === 'family' ? this.family.closeSocket(value) : target.object.close(value);
    const call = this.model.close(target.model, option, Boolean(watched));
    attach(call);
    this.watch(promise, call);
  }

  /**
   * Whom a call is for, as things are before it.
   *
   * @param {number | undefined} task
   * @param {string | undefined} via
   */
  target(task, via) {
    if (via === 'family') {
      return {
        object: this.family,
        model: this.model.waiting ? /** @type {const} */ ('newest') : this.model.newest(),
      };
    }
    const handle = this.handles[Number(task) % this.handles.length];
    if (!handle) return undefined;
    const object = (via === 'promise' ? handle.promise : handle.task) ?? handle.promise ?? handle.task;
    return { object, model: handle.model };
  }

  /**
   * @param {Promise<any>} promise
   * @param {Call} call
   */
  watch(promise, call) {
    if (!(promise instanceof Promise)) this.model.problem(`call ${call.name} returned no promise`);
    if (!call.watched) return;
    promise.then(
      (res) => this.model.told(call, 'resolved', res),
      (reason) => this.model.told(call, 'rejected', reason),
    );
  }

  /** @param {Op} op */
  on({ task, via, kind = 'Open', handler = {} }) {
    const target = this.target(task, via);
    if (!target) return;
    const own = via === 'family' ? undefined : /** @type {Task} */ (target.model);
    const f = handler.v === undefined ? this.handler(own, kind, handler) : hostile[handler.v][0]();
    const before = warnings;
    const returned = target.object[via === 'family' ? `onSocket${kind}` : `on${kind}`](f);
    if (returned !== undefined) this.model.problem(`on${kind} returned ${show(returned)}`);
    if (typeof f !== 'function') {
      if (warnings !== before + 1)
        this.model.problem(`a handler that is no function: ${warnings - before} warnings`);
      return;
    }
    if (warnings !== before) this.model.problem('a handler was warned of');
    this.model.on(own, kind, f, this.within);
    if (!own) this.tainted = true;
  }

  /** @param {Op} op */
  off({ task, via, kind = 'Open', handler }) {
    const target = this.target(task, via);
    if (!target) return;
    const own = via === 'family' ? undefined : /** @type {Task} */ (target.model);
    const f =
      handler?.v === undefined
        ? handler && this.handler(own, kind, { name: handler.name })
        : hostile[handler.v][0]();
    this.takeOff(own, kind, f, target.object);
  }

  /**
   * @param {Task | undefined} own
   * @param {Kind} kind
   * @param {any} f
   * @param {any} object
   */
  takeOff(own, kind, f, object) {
    const before = warnings;
    const returned = own
      ? object[`off${kind}`](f)
      : /** @type {any} */ (globalThis.connectSocket)[`offSocket${kind}`](f);
    if (returned !== undefined) this.model.problem(`off${kind} returned ${show(returned)}`);
    if (warnings !== before) this.model.problem('taking a handler off was warned of');
    this.model.off(own, kind, f);
  }

  /** @param {Op} op */
  read({ task }) {
    const target = this.target(task, 'promise');
    if (target) this.compare(/** @type {Task} */ (target.model), target.object);
  }

  /**
   * Compares what a task tells of itself.
   *
   * @param {Task} model
   * @param {any} object its task, or promise
   */
  compare(model, object) {
    const { model: judge } = this;
    const { readyState, socketTaskId, errMsg, ws, bufferedAmount, protocol } = object;
    const wanted = judge.readyStates(model);
    if (!wanted.includes(readyState))
      judge.problem(`${model.name} has readyState ${readyState} instead of ${wanted}`);
    if (!model.waiting && !model.refused && socketTaskId !== judge.identify(model, socketTaskId)) {
      judge.problem(`${model.name} has socketTaskId ${socketTaskId} instead of ${model.id}`);
    }
    if (!model.refused && errMsg !== model.errMsg) judge.problem(`${model.name} has errMsg ${show(errMsg)}`);
    if ((ws ?? undefined) !== model.socket) judge.problem(`${model.name} has another WebSocket`);
    if (bufferedAmount !== 0 || protocol !== (model.socket?.protocol ?? '')) {
      judge.problem(`${model.name} has bufferedAmount ${bufferedAmount} and protocol ${show(protocol)}`);
    }
    if (`${object.CONNECTING}${object.OPEN}${object.CLOSING}${object.CLOSED}` !== '0123')
      judge.problem('constants');
  }

  /**
   * Makes an option.
   *
   * @param {Option} option
   * @returns {{ value: any, data: any, call: (call: Call) => void }} call is for the callbacks to know whose they are
   */
  make({ whole, shape, fields = {} }) {
    /** @type {Call | undefined} */
    let call;
    const attach = (/** @type {Call} */ its) => {
      call = its;
    };
    if (whole !== undefined) return { value: hostile[whole][0](), data: undefined, call: attach };
    const reads = !this.model.waiting;
    /** @type {PropertyDescriptorMap} */
    const properties = {};
    let data;
    for (const [name, field] of Object.entries(fields)) {
      const value =
        field.f === undefined
          ? this.value(name, field)
          : this.callback(name, field.f, () => /** @type {Call} */ (call));
      if (name === 'data') data = value;
      const { ops, throws } = field;
      const enumerable = true;
      properties[name] =
        ops || throws !== undefined
          ? {
              enumerable,
              get: () => {
                if (reads) for (const op of ops ?? []) this.do(op);
                if (throws !== undefined) throw thrown[throws][0]();
                return value;
              },
            }
          : { enumerable, value };
    }
    const object = Object.defineProperties(shape === 'null prototype' ? Object.create(null) : {}, properties);
    if (shape === 'frozen') Object.freeze(object);
    const shaped = { proxy: () => new Proxy(object, {}), inherited: () => Object.create(object) };
    return { value: shaped[/** @type {keyof typeof shaped} */ (shape)]?.() ?? object, data, call: attach };
  }

  /**
   * @param {string} name
   * @param {Field} field
   */
  value(name, { is, number, v }) {
    if (number !== undefined) return Number(number);
    if (v === undefined) return is;
    const catalog = catalogs[/** @type {keyof typeof catalogs} */ (name)] ?? hostile;
    return name === 'data' && Object.hasOwn(sendable, v) ? sendable[v]() : catalog[v][0]();
  }

  /**
   * @param {string} name
   * @param {Callback} callback
   * @param {() => Call} call
   */
  callback(name, callback, call) {
    const act = this.act(callback);
    return (/** @type {any} */ res) => {
      this.model.told(call(), name, res);
      act();
    };
  }

  /**
   * Gives the function of that name: the same for a task and kind.
   *
   * @param {Task | undefined} own
   * @param {Kind} kind
   * @param {Callback} callback
   */
  handler(own, kind, callback) {
    const key = `${own?.call.name} ${kind} ${callback.name}`;
    const known = this.functions.get(key);
    if (known) return known;
    const act = this.act(callback);
    const handle = this.handles.find(({ model }) => model === own);
    const f = (/** @type {any} */ res) => {
      this.model.handlerCalled(own, kind, f, res);
      const { within } = this;
      this.within = f;
      try {
        if (callback.once) this.takeOff(own, kind, f, handle?.task ?? handle?.promise);
        act();
      } finally {
        this.within = within;
        this.model.handlerReturned();
      }
    };
    this.functions.set(key, f);
    return f;
  }

  /**
   * What a callback does: its calls once, and throw.
   *
   * @param {Callback} callback
   */
  act({ ops = [], throws }) {
    let left = ops;
    return () => {
      const now = left;
      left = [];
      for (const op of now) this.do(op);
      if (throws === undefined) return;
      const error = thrown[throws][0]();
      this.model.throws(error);
      throw error;
    };
  }
}

/**
 * Runs a program. A frame has one realm, and runs one early program, as its first.
 *
 * @param {Program} program
 * @returns {Promise<{ problems: string[], spent: boolean, stats: import('../../web/connectsocket.js').Stats }>} spent:
 *   the frame is not as it was
 */
async function run(program) {
  const { load, ready, stats } = globalThis.connectSocket;
  const wasm = new Promise((resolve) => {
    open = () => resolve(new Response('', { headers: { 'Content-Type': 'application/wasm' } }));
  });
  load({ ...realms[program.realm], wasm });
  if (!program.early) {
    open();
    await ready;
  }
  current = new Run(program);
  await current.run();
  const { problems } = current.model;
  problems.push(...failures);
  const spent = current.tainted || problems.length > 0;
  current = undefined;
  sockets.length = 0;
  clock.timers.clear();
  return { problems, spent, stats: stats() };
}

Object.assign(globalThis, { run });
