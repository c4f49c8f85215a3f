/**
 * The contract of connectSocket, as a judge that watches a program run. It learns of every call when it has returned,
 * of every event of a WebSocket before it is dispatched, and of every callback, and says what is wrong with it.
 */
import { refusal } from './socket.mjs';
import { headers, heartbeats, hostile, protocols, reconnects, sendable, thrown } from './values.mjs';

/** @import { Field, Option } from './program.mjs' */
/** @import { ScriptedSocket } from './socket.mjs' */
/** @import { Plan } from './values.mjs' */
/** @import { Settings } from '../../web/connectsocket.js' */

/** The kinds of event, in the order in which a task goes through them. */
export const kinds = /** @type {const} */ (['Open', 'Message', 'Error', 'Close']);

/** @typedef {typeof kinds[number]} Kind */

/**
 * An event that is to be delivered.
 *
 * @typedef {object} Pending
 * @property {Kind} kind
 * @property {any} res
 * @property {number} size
 * @property {boolean} kept since the task ended: for its own handlers, when it is over
 */

/**
 * What a WebSocket or a clock tells, on its way to be judged.
 *
 * @typedef {object} Raw
 * @property {'open' | 'message' | 'error' | 'failure' | 'close' | 'stable'} type
 * @property {any} [res]
 * @property {number} [size]
 * @property {number} [code] of a close, and of the error before it
 */

/**
 * A task, accepted or not.
 *
 * @typedef {object} Task
 * @property {string} name in problems
 * @property {Option} option
 * @property {Call} call
 * @property {string} errMsg
 * @property {Promise<unknown> | undefined} promise where its rejection would be reported
 * @property {boolean} waiting for the module
 * @property {Array<() => void>} calls of its methods that wait for its own call to be judged
 * @property {boolean} refused
 * @property {number} id
 * @property {ScriptedSocket | undefined} socket
 * @property {number} began the attempt
 * @property {number} order in which the timers of attempts were set
 * @property {string | undefined} url
 * @property {string[]} offers
 * @property {Plan | undefined} plan of a task that reconnects
 * @property {number} tries attempts in a row, with the loss before them
 * @property {number} pause before the next attempt, without jitter
 * @property {boolean} down it pauses before the next attempt
 * @property {boolean} deaf its WebSocket was let go of
 * @property {number} redials since it was open
 * @property {number} opens
 * @property {'' | 'asking' | 'dialling'} renewal what an attempt does before it has a WebSocket
 * @property {ScriptedSocket | undefined} last the WebSocket of the attempt before
 * @property {Timer | undefined} timer of the pause, of a connection that lasts, or of the end between two attempts
 * @property {Timer | undefined} ticket when reconnect.option settles
 * @property {boolean} opened
 * @property {Beat | undefined} beat its heartbeat, once it is open
 * @property {boolean} left closed by the page
 * @property {boolean} abandoned closed by the page while it connected
 * @property {boolean} failed an error was delivered
 * @property {boolean} shed too much was held
 * @property {boolean} flooded too much was held while it was early
 * @property {boolean} over its close event is here, its slot is free
 * @property {boolean} ended and that is delivered or kept
 * @property {boolean} early its events wait until whoever awaits the promise has the task
 * @property {Raw[]} raw
 * @property {Pending[]} pending
 * @property {Record<Kind, unknown[]>} handlers
 * @property {Set<Kind>} fresh kinds whose first handler was registered by a handler of this very turn
 * @property {unknown[]} sent
 * @property {Array<[number | undefined, string | undefined]>} closes
 */

/**
 * A heartbeat: what it is in, and its next tick.
 *
 * @typedef {object} Beat
 * @property {number} interval in milliseconds
 * @property {number} timeout in milliseconds
 * @property {boolean} heard a message came since the last tick
 * @property {number} quiet milliseconds without a message
 * @property {boolean} asked its message was sent
 * @property {number} waited milliseconds since then
 * @property {boolean} doubted it was sent again after a late tick
 * @property {number} began when the timer of the next tick was set
 * @property {number} pause its delay
 * @property {number} order of its setting
 */

/**
 * A timer.
 *
 * @typedef {object} Timer
 * @property {number} deadline
 * @property {number} ms its delay
 * @property {number} order of its setting
 * @property {() => void} fires
 */

/**
 * A call that has yet to end.
 *
 * @typedef {object} Call
 * @property {string} name in problems
 * @property {string[]} tells what is still to come, in order
 * @property {any} res what they are called with; undefined until it is known
 * @property {boolean} ok
 * @property {boolean} judged
 * @property {Promise<unknown> | undefined} unhandled one whose rejection is to be reported
 * @property {string[]} given callbacks
 * @property {boolean} watched whether the program looks at the promise
 */

const lostClose = { code: 1006, reason: '', wasClean: false };
/** Milliseconds after which a connection has lasted. */
const uptime = 5000;
/** What is random in a pause before an attempt; no pause is 2000, as the loader's timer is: see clock.mjs. */
export const chance = 0.25;
const silent = 'connectSocket:fail the connection is lost: nothing was received after a heartbeat';
const heldTooMuch = 'connectSocket:fail too many messages without an onMessage handler, closed with 4008';

/**
 * Whether two results say the same; the data of messages has to be the very value.
 *
 * @param {any} got
 * @param {any} want
 * @returns {boolean}
 */
function same(got, want) {
  if (typeof want !== 'object' || want === null || Object.getPrototypeOf(want) !== Object.prototype) {
    return Object.is(got, want);
  }
  if (typeof got !== 'object' || got === null) return false;
  const names = Object.keys(want);
  return Object.keys(got).length === names.length && names.every((name) => same(got[name], want[name]));
}

/**
 * Whether an errMsg is a wanted one, of which an engine may have words of its own behind a ….
 *
 * @param {string} got
 * @param {string} want
 */
const says = (got, want) =>
  want.endsWith('…') ? typeof got === 'string' && got.startsWith(want.slice(0, -1)) : got === want;

/**
 * A value in words, for problems.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function show(value) {
  try {
    return (
      JSON.stringify(value, (_, each) =>
        each instanceof ArrayBuffer ? `binary ${each.byteLength}` : each,
      ) ?? String(value)
    );
  } catch {
    return typeof value;
  }
}

/**
 * The URL that goes out for one that was given.
 *
 * @param {string} text
 */
function targetOf(text) {
  const base = document.baseURI;
  return URL.canParse(text, base) ? new URL(new URL(text, base).href.replace(/^http/, 'ws')) : undefined;
}

/**
 * The subprotocols of an option that has no faults: those of its header join its own.
 *
 * @param {Option} option
 * @returns {string[]}
 */
function offersOf({ fields: { protocols: own, header } = {} }) {
  const offers = [(own?.v === undefined ? undefined : protocols[own.v][0]()) ?? []].flat();
  const added = header?.v === undefined ? [] : (headers[header.v][2] ?? []);
  return [...offers, ...added.filter((offer) => !offers.includes(offer))];
}

/** The callbacks of an option that are functions and can be read. @param {Option} option */
const callbacks = ({ fields = {} }) =>
  ['success', 'fail', 'complete'].filter((name) => fields[name]?.f !== undefined);

/**
 * What is wrong with a value that should be an object, and with those of its fields that cannot be read.
 *
 * @param {Option} option
 * @returns {string[]}
 */
function unreadable({ whole, fields = {} }) {
  if (whole !== undefined) {
    const [, type] = hostile[whole];
    if (whole === 'revoked proxy') return ['reading parameter threw TypeError…'];
    if (whole === 'throwing proxy') return ['reading parameter.success threw Error: trap'];
    return objects.includes(type) ? [] : [`parameter should be Object instead of ${type}`];
  }
  return Object.entries(fields).flatMap(([name, { throws }]) =>
    throws === undefined || name === 'forceCellularNetwork' // which nobody reads
      ? []
      : [`reading parameter.${name} threw ${thrown[throws][1]}`],
  );
}

const objects = ['Object', 'Date', 'Map', 'Promise'];

/**
 * The type of a field's value, as an errMsg calls it.
 *
 * @param {Field | undefined} field
 */
function typeOf(field) {
  if (field?.v !== undefined) return hostile[field.v][1];
  if (field?.number !== undefined) return 'Number';
  if (field?.is === undefined) return 'Undefined';
  if (field.is === null) return 'Null';
  return typeof field.is === 'string' ? 'String' : 'Number';
}

/** @param {Field | undefined} field */
const isAbsent = (field) => ['Undefined', 'Null'].includes(typeOf(field));

/** A judge of one program. */
export class Model {
  /** @type {string[]} */
  problems = [];
  /** @type {Task[]} in the order of their ids */
  tasks = [];
  /** @type {Call[]} */
  calls = [];
  /** @type {Record<Kind, unknown[]>} handlers of the global functions */
  handlers = { Open: [], Message: [], Error: [], Close: [] };
  /** @type {{ task: Task, event: Pending, rest: unknown[] } | undefined} an event on its way through its handlers */
  round;
  running = false;
  /** How many timers were set. */
  timers = 0;
  /** Whether the page is online, and whether somebody sees it. */
  online = true;
  visible = true;
  /** @type {Task[]} those whose pause ends when it is, in their order */
  awaitOnline = [];
  /** @type {Task[]} */
  awaitVisible = [];
  /** @type {Set<ScriptedSocket>} of attempts that are over */
  past = new Set();
  /** @type {unknown[]} errors of callbacks that are to be reported */
  errors = [];
  /** @type {Array<() => void> | undefined} calls that wait for the module */
  waiting;
  /** Whether the module may start. */
  starting = false;

  /**
   * @param {Settings} settings
   * @param {() => number} now
   * @param {boolean} early whether the module is yet to run
   */
  constructor(settings, now, early) {
    this.settings = { maxSockets: 5, maxHeldMessages: 10_000, maxHeldBytes: 16 << 20, ...settings };
    this.now = now;
    if (early) this.waiting = [];
  }

  /** @param {string} text */
  problem(text) {
    this.problems.push(text);
  }

  /**
   * @param {string} name
   * @param {Option} option
   * @param {boolean} watched
   * @returns {Call}
   */
  call(name, option, watched) {
    const call = {
      ...{ name: `${this.calls.length} ${name}`, tells: [], res: undefined, ok: false, judged: false },
      ...{ unhandled: undefined, given: callbacks(option), watched },
    };
    this.calls.push(call);
    return call;
  }

  /**
   * Says how a call ends.
   *
   * @param {Call} call
   * @param {boolean} ok
   * @param {any} res an errMsg may be one of several
   */
  judge(call, ok, res) {
    call.judged = true;
    call.ok = ok;
    call.res = res;
    call.tells = [ok ? 'success' : 'fail', 'complete'].filter((name) => call.given.includes(name));
    if (call.watched) call.tells.push(ok ? 'resolved' : 'rejected');
  }

  /** The module runs: what waited for it is judged, in order. */
  start() {
    const { waiting } = this;
    this.waiting = undefined;
    for (const judge of waiting ?? []) judge();
  }

  /** Called with everything the page tells: the module may have started just before. */
  observe() {
    if (this.waiting && this.starting) this.start();
  }

  /**
   * A connectSocket has returned.
   *
   * @param {Option} option
   * @param {boolean} watched
   * @param {Promise<unknown> | undefined} promise where its rejection would be reported
   * @param {ScriptedSocket[]} made in the call
   * @returns {Task}
   */
  connect(option, watched, promise, made) {
    const call = this.call('connectSocket', option, watched);
    /** @type {Task} */
    const task = {
      ...{ name: `task of call ${call.name}`, option, call, errMsg: 'connectSocket:ok', promise },
      ...{ waiting: true, calls: [], refused: false, id: 0, socket: made[0], began: this.now() },
      ...{ order: ++this.timers, url: /** @type {string} */ (option.fields?.url?.is), offers: [] },
      ...{ plan: undefined, tries: 0, pause: 0, down: false, deaf: false, redials: 0, opens: 0 },
      ...{ renewal: /** @type {''} */ (''), last: undefined, timer: undefined, ticket: undefined },
      ...{
        opened: false,
        beat: undefined,
        left: false,
        abandoned: false,
        failed: false,
        shed: false,
        flooded: false,
      },
      ...{ over: false, ended: false, early: false, raw: [], pending: [], fresh: new Set() },
      ...{ handlers: { Open: [], Message: [], Error: [], Close: [] }, sent: [], closes: [] },
    };
    if (this.faults(option).length === 0) {
      task.offers = offersOf(option);
      task.plan = reconnects[option.fields?.reconnect?.v ?? '']?.[2];
      task.pause = task.plan?.minDelay ?? 0;
    }
    if (made.length > 1) this.problem(`${task.name} made ${made.length} WebSockets`);
    if (this.waiting) {
      task.early = true;
      const before = this.tasks.filter((each) => each.waiting && each.socket).length;
      const opens = before < this.settings.maxSockets && this.isPlain(option);
      if (made.length !== Number(opens)) {
        this.problem(`${task.name} opened ${made.length} WebSockets before it was judged`);
      }
      this.waiting.push(() => this.admit(task));
    }
    this.tasks.push(task);
    if (!this.waiting) this.admit(task);
    return task;
  }

  /**
   * Whether a call opens its WebSocket before the module runs: it is sure to be accepted, for all but the limit.
   *
   * @param {Option} option
   */
  isPlain(option) {
    const { reconnect, heartbeat } = option.fields ?? {};
    if (this.faults(option).length > 0 || thrownBy(option)) return false;
    const given = [reconnects[reconnect?.v ?? '']?.[0](), heartbeats[heartbeat?.v ?? '']?.[0]()];
    // Numbers are the Go half's to judge.
    return given.flatMap((each) => Object.values(each ?? {})).every((value) => !(value >= 0));
  }

  /**
   * What is wrong with an option, each a whole errMsg.
   *
   * @param {Option} option
   */
  faults(option) {
    const { fields = {} } = option;
    const faults = unreadable(option);
    const { url, header, protocols: offers, reconnect, heartbeat } = fields;
    const read = option.whole === undefined || faults.length === 0;
    if (read && url?.throws === undefined && typeOf(url) !== 'String') {
      faults.push(`parameter.url should be String instead of ${typeOf(url)}`);
    }
    if (header?.v !== undefined) faults.push(headers[header.v][1]);
    if (offers?.v !== undefined) faults.push(protocols[offers.v][1]);
    if (reconnect?.v !== undefined) faults.push(reconnects[reconnect.v][1]);
    if (heartbeat?.v !== undefined) faults.push(heartbeats[heartbeat.v][1]);
    const texts = faults.filter(Boolean).map((fault) => `connectSocket:fail parameter error: ${fault}`);
    if (typeof url?.is === 'string') {
      const { protocol, host } = targetOf(url.is) ?? { protocol: '', host: '' };
      const { domains } = this.settings;
      if (protocol !== 'ws:' && protocol !== 'wss:') {
        // Go's strings are UTF-8.
        texts.push(
          `connectSocket:fail invalid url "${new TextDecoder().decode(new TextEncoder().encode(url.is))}"`,
        );
      } else if (domains && !domains.includes(`${protocol}//${host}`)) {
        texts.push('connectSocket:fail url not in domain list');
      }
    }
    return texts;
  }

  /** @param {Task} task */
  admit(task) {
    if (!task.waiting) return;
    const { maxSockets, onLimit } = this.settings;
    const { option, early } = task;
    const faults = this.faults(option);
    const live = this.live();
    if (live.length >= maxSockets && onLimit !== 'replace') {
      faults.push(`connectSocket:fail exceed max concurrent count ${maxSockets}`);
    }
    const error = faults.length === 0 && thrownBy(option);
    if (error) faults.push(`connectSocket:fail ${error.name}: ${error.message}`);
    if (!early && faults.length > 0 !== !task.socket) {
      this.problem(`${task.name} opened ${task.socket ? 'a' : 'no'} WebSocket`);
    }
    if (faults.length > 0) {
      this.refuse(task, faults);
      return;
    }
    task.waiting = false;
    this.checkTarget(task);
    if (live.length >= maxSockets) this.leave(live[0], 1000, undefined);
    task.id = Number.NaN; // any above those before: what comes says which
    this.judge(task.call, true, { errMsg: 'connectSocket:ok', socketTaskId: task });
    for (const judge of task.calls.splice(0)) judge();
  }

  /** @param {Task} task */
  checkTarget(task) {
    const { url, offers } = task.socket ?? {};
    if (url !== targetOf(String(task.url))?.href || show(offers) !== show(task.offers)) {
      this.problem(`${task.name} connects to ${url} with ${show(offers)}`);
    }
  }

  /** @param {Task} task */
  checkSocket({ name, socket, sent, closes }) {
    if (!socket) return;
    if (socket.sent.length !== sent.length || !socket.sent.every((data, i) => Object.is(data, sent[i]))) {
      this.problem(`${name} has sent ${show(socket.sent)} instead of ${show(sent)}`);
    }
    if (show(socket.closes) !== show(closes)) {
      this.problem(`${name} has closed with ${show(socket.closes)} instead of ${show(closes)}`);
    }
  }

  /**
   * A call fails.
   *
   * @param {Task} task
   * @param {string[]} faults its errMsg is one of these
   */
  refuse(task, faults) {
    const { call, promise } = task;
    if (task.socket && !this.isClosing(task)) task.closes.push([undefined, undefined]);
    this.judge(call, false, faults);
    Object.assign(task, { waiting: false, refused: true, over: true, ended: true, early: false, raw: [] });
    if (promise && !call.watched && !call.given.includes('fail') && !call.given.includes('complete')) {
      call.unhandled = promise;
    }
    // Its errMsg is one of several until it is delivered.
    this.arrive(task, 'Error', { errMsg: faults });
    this.arrive(task, 'Close', lostClose);
    for (const judge of task.calls.splice(0)) judge();
  }

  /** The tasks that hold a slot, oldest first. */
  live() {
    return this.tasks.filter((task) => !task.waiting && !task.left && !task.over);
  }

  /** The task that the global functions are for. */
  newest() {
    return this.live().at(-1);
  }

  /**
   * @param {Task} task
   * @param {number | undefined} code
   * @param {string | undefined} reason
   */
  leave(task, code, reason) {
    task.abandoned = !task.opened;
    task.left = true;
    if (!this.isClosing(task)) task.closes.push([code, reason]);
    if (!this.isBetween(task)) return;
    // No WebSocket will report the close.
    task.ticket = undefined;
    task.deaf = true;
    this.forget(task);
    this.setTimer(task, 'timer', 0, () => this.take(task, { type: 'close', res: lostClose, code: 1006 }));
  }

  /** Whether it has no WebSocket, between two attempts. @param {Task} task */
  isBetween = ({ down, renewal }) => down || renewal !== '';

  /**
   * @param {Task} task
   * @param {'timer' | 'ticket'} which
   * @param {number} ms
   * @param {() => void} f
   */
  setTimer(task, which, ms, f) {
    const fires = () => {
      task[which] = undefined;
      f();
    };
    task[which] = { deadline: this.now() + ms, ms, order: ++this.timers, fires };
  }

  /**
   * A task gets an event.
   *
   * @param {Task} task
   * @param {Raw} raw
   */
  take(task, raw) {
    task.raw.push(raw);
    this.pump(task);
  }

  /**
   * Whether a task reconnects after a close with this code, or does already.
   *
   * @param {Task} task
   * @param {number} code
   */
  retries(task, code) {
    if (!task.plan || task.left || task.shed) return false;
    if (task.down) return true;
    if (code === 1000 || code === 1008 || code >= 4000 || task.tries >= task.plan.retries) return false;
    task.tries++;
    Object.assign(task, { down: true, opened: false, beat: undefined });
    return true;
  }

  /**
   * A task pauses before its next attempt.
   *
   * @param {Task} task
   * @param {any} close
   */
  retry(task, { code, reason, wasClean }) {
    const { maxDelay, factor, jitter } = /** @type {Plan} */ (task.plan);
    const delay = this.online ? Math.trunc(task.pause * (1 - jitter * chance)) : maxDelay;
    task.pause = Math.min(maxDelay, task.pause * factor);
    this.setTimer(task, 'timer', delay, () => this.endPause(task));
    this.awaitOnline.push(task);
    const how = `was closed with ${code} ${reason}`.trim();
    if (wasClean) task.raw.push({ type: 'error', res: this.lossError(task, how) });
  }

  /**
   * @param {Task} task
   * @param {string} how
   */
  lossError = ({ url }, how) => ({ errMsg: `connectSocket:fail WebSocket connection to "${url}" ${how}` });

  /**
   * The page is online or offline, visible or hidden.
   *
   * @param {boolean} online
   * @param {boolean} visible
   */
  presence(online, visible) {
    Object.assign(this, { online, visible });
    if (online) for (const task of this.awaitOnline.splice(0)) this.endPause(task);
    if (visible) for (const task of this.awaitVisible.splice(0)) this.endPause(task);
  }

  /** The pause is over, if somebody sees the page. @param {Task} task */
  endPause(task) {
    if (!this.visible && !task.plan?.whileHidden) {
      if (!this.awaitVisible.includes(task)) this.awaitVisible.push(task);
      return;
    }
    task.timer = undefined;
    this.forget(task);
    this.dial(task);
  }

  /** A task does not wait for the page any more. @param {Task} task */
  forget(task) {
    this.awaitOnline = this.awaitOnline.filter((each) => each !== task);
    this.awaitVisible = this.awaitVisible.filter((each) => each !== task);
  }

  /** @param {Task} task */
  dial(task) {
    const { renew, late } = /** @type {Plan} */ (task.plan);
    Object.assign(task, { down: false, failed: false, began: this.now(), order: ++this.timers });
    task.last = task.socket;
    task.renewal = 'dialling';
    if (!renew) return;
    task.renewal = 'asking';
    const option = renew(++task.redials);
    const settle = () => this.renew(task, option);
    if (late !== undefined) this.setTimer(task, 'ticket', late, settle);
    else if (option) settle();
  }

  /**
   * reconnect.option has settled.
   *
   * @param {Task} task
   * @param {ReturnType<NonNullable<Plan['renew']>>} option
   */
  renew(task, { url = task.url, protocols: offers = task.offers, fault } = {}) {
    const { domains } = this.settings;
    const { protocol, host } = targetOf(String(url)) ?? {};
    const why = domains && !domains.includes(`${protocol}//${host}`) ? 'url not in domain list' : fault;
    task.renewal = '';
    if (why) {
      this.take(task, { type: 'failure', res: { errMsg: `connectSocket:fail ${why}` } });
      return;
    }
    Object.assign(task, { url, offers, renewal: 'dialling' });
  }

  /**
   * A task has another WebSocket.
   *
   * @param {Task} task
   * @param {ScriptedSocket} socket
   */
  redialled(task, socket) {
    const { last } = task;
    if (last) this.past.add(last);
    this.checkSocket({ ...task, socket: last });
    Object.defineProperty(task, 'socket', { value: socket, writable: true, configurable: true });
    Object.assign(task, { renewal: '', deaf: false, sent: [], closes: [] });
    this.checkTarget(task);
  }

  /** Whether a task goes on reconnecting for ever. */
  isEndless() {
    return this.tasks.some(({ plan, left, over }) => plan?.retries === Infinity && !left && !over);
  }

  /** Whether its WebSocket is closing for another reason: then closing it has no effect. @param {Task} task */
  isClosing(task) {
    const { socket, closes } = task;
    if (!socket) return false;
    return closes.length > 0 || (socket.readyState > 1 && socket.closes.length === 0);
  }

  /**
   * A send has returned.
   *
   * @param {Task | 'newest' | undefined} target none: that of a global function without one
   * @param {Option} option
   * @param {any} data what was read of it
   * @param {boolean} watched
   * @param {string} api
   */
  send(target, option, data, watched, api) {
    const call = this.call(api, option, watched);
    this.when(target, (task) => {
      const faults = unreadable(option).map((fault) => `parameter error: ${fault}`);
      const field = option.fields?.data;
      if (!(field?.v !== undefined && Object.hasOwn(sendable, field.v)) && field?.throws === undefined) {
        const type = typeOf(field);
        if (type !== 'String') {
          faults.push(`parameter error: parameter.data should be String or ArrayBuffer instead of ${type}`);
        }
      }
      if (task && !this.isOpen(task)) faults.push('SocketTask.readyState is not OPEN');
      if (!task) faults.splice(0, Infinity, 'WebSocket is not connected');
      if (faults.length > 0) {
        const errMsgs = faults.map((fault) => `${api}:fail ${fault}`);
        this.judge(call, false, errMsgs);
      } else {
        task?.sent.push(data);
        this.judge(call, true, { errMsg: 'sendSocketMessage:ok' });
      }
    });
    return call;
  }

  /** @param {Task} task */
  isOpen = (task) => task.opened && !task.left && !task.over && task.socket?.readyState === 1;

  /**
   * Judges now, or when the module runs or the task's own call is judged, with the task that a call is for.
   *
   * @param {Task | 'newest' | undefined} target
   * @param {(task: Task | undefined) => void} judge
   */
  when(target, judge) {
    const decide = () => judge(target === 'newest' ? this.newest() : target);
    const line = target === 'newest' ? this.waiting : target?.waiting ? target.calls : undefined;
    if (line) line.push(decide);
    else decide();
  }

  /**
   * A close has returned.
   *
   * @param {Task | 'newest' | undefined} target
   * @param {Option} option
   * @param {boolean} watched
   */
  close(target, option, watched) {
    const call = this.call('closeSocket', option, watched);
    this.when(target, (task) => {
      if (!task) return this.judge(call, false, ['closeSocket:fail WebSocket is not connected']);
      if (!task.left && !task.over) {
        const { fields: { code, reason } = {} } = option;
        const faults = option.whole === 'undefined' ? [] : unreadable(option);
        for (const [name, field, want] of /** @type {const} */ ([
          ['code', code, 'Number'],
          ['reason', reason, 'String'],
        ])) {
          if (field?.throws === undefined && !isAbsent(field) && typeOf(field) !== want) {
            faults.push(`parameter.${name} should be ${want} instead of ${typeOf(field)}`);
          }
        }
        const errMsgs = faults.map((fault) => `closeSocket:fail parameter error: ${fault}`);
        const number = isAbsent(code) ? 1000 : numberOf(code);
        if (
          number !== undefined &&
          number !== 1000 &&
          !(Number.isInteger(number) && number >= 3000 && number <= 4999)
        ) {
          errMsgs.push(
            Number.isInteger(number) && Math.abs(number) < 2 ** 31
              ? `closeSocket:fail invalid code ${number}: should be 1000 or 3000 to 4999`
              : 'closeSocket:fail invalid code: should be a whole number, 1000 or 3000 to 4999',
          );
        }
        const bytes = typeof reason?.is === 'string' ? new TextEncoder().encode(reason.is).length : 0;
        if (bytes > 123)
          errMsgs.push(`closeSocket:fail reason too long: ${bytes} bytes of UTF-8, at most 123`);
        if (errMsgs.length > 0) return this.judge(call, false, errMsgs);
        this.leave(task, number, /** @type {string} */ (reason?.is ?? ''));
      }
      this.judge(call, true, { errMsg: 'closeSocket:ok' });
    });
    return call;
  }

  /**
   * A handler was registered.
   *
   * @param {Task | undefined} task none: by a global function
   * @param {Kind} kind
   * @param {unknown} handler
   * @param {unknown} within the handler that runs, if one does
   */
  on(task, kind, handler, within) {
    const list = (task ?? this).handlers[kind];
    if (list.includes(handler)) return;
    list.push(handler);
    if (within === undefined) return;
    for (const each of task ? [task] : this.tasks) each.fresh.add(kind);
  }

  /**
   * A handler was taken off, or all of a kind.
   *
   * @param {Task | undefined} task none: by a global function
   * @param {Kind} kind
   * @param {unknown} handler
   */
  off(task, kind, handler) {
    const { handlers } = task ?? this;
    handlers[kind] = handler ? handlers[kind].filter((each) => each !== handler) : [];
  }

  /**
   * A WebSocket's event is about to be dispatched.
   *
   * @param {ScriptedSocket} socket
   * @param {any} event
   */
  event(socket, { type, data, code, reason, wasClean }) {
    const task = this.tasks.find((each) => each.socket === socket);
    if (!task || task.over || task.deaf) return;
    const lost = (/** @type {boolean} */ opened) => this.lossError(task, opened ? 'was lost' : 'failed');
    const opened = task.opened || task.raw.some((raw) => raw.type === 'open');
    if (type === 'open') {
      const header = socket.protocol ? { 'Sec-WebSocket-Protocol': socket.protocol } : {};
      const connectEnd = this.now();
      const profile = { fetchStart: task.began, connectEnd, cost: connectEnd - task.began };
      const again = task.opens++ > 0 ? { reconnected: task.opens - 1 } : {};
      task.redials = 0;
      if (task.plan) this.setTimer(task, 'timer', uptime, () => this.take(task, { type: 'stable' }));
      task.raw.push({ type, res: { header, profile, ...again } });
    } else if (type === 'message') {
      const size = typeof data === 'string' ? data.length * 2 : data.byteLength;
      if (task.flooded) return;
      task.flooded = (task.waiting || task.early) && this.isTooMuch(task.raw, size);
      if (task.flooded) {
        if (!this.isClosing(task)) task.closes.push([4008, undefined]);
        task.raw.push({ type: 'error', res: { errMsg: heldTooMuch }, code: 4008 });
      } else task.raw.push({ type, res: { data }, size });
      if (typeof data !== 'string' && !(data instanceof ArrayBuffer))
        this.problem('binary is no ArrayBuffer');
    } else if (type === 'error') {
      // The close that follows tells a task whether it reconnects.
      if (socket.readyState !== 0 && reconnects[task.option.fields?.reconnect?.v ?? '']?.[0]()) return;
      task.raw.push({ type: socket.readyState === 0 ? 'failure' : 'error', res: lost(opened) });
    } else if (type === 'close') {
      const judged = task.flooded ? 4008 : code;
      if (!wasClean) task.raw.push({ type: 'error', res: lost(opened), code: judged });
      task.raw.push({ type, res: { code, reason, wasClean }, code: judged });
    }
    this.pump(task);
  }

  /**
   * Whether a message is more than may be held beside those that are.
   *
   * @param {Array<{ size?: number }>} held
   * @param {number} size
   */
  isTooMuch(held, size) {
    const sizes = held.flatMap((each) => each.size ?? []);
    const { maxHeldMessages, maxHeldBytes } = this.settings;
    return sizes.length >= maxHeldMessages || sizes.reduce((sum, each) => sum + each, size) > maxHeldBytes;
  }

  /**
   * The tasks whose attempts have taken too long, in the order in which their timers were set.
   *
   * @returns {Timer[]}
   */
  expired() {
    return this.tasks
      .filter((task) => !task.opened && !task.left && !task.over && !task.failed && !task.down)
      .filter(({ raw, waiting }) =>
        raw.every(({ type }) => type !== 'open' && (waiting || type !== 'failure')),
      )
      .map((task) => {
        const ms = timeoutOf(task.option);
        return { deadline: task.began + ms, ms, order: task.order, fires: () => this.expire(task) };
      })
      .filter(({ deadline }) => deadline <= this.now());
  }

  /**
   * A timer fires: of an attempt, of a pause, of a heartbeat, or one that has nothing to do any more.
   *
   * @param {number} deadline when it was to
   * @param {number} ms its delay
   */
  fire(deadline, ms) {
    const [first] = [...this.beating(), ...this.reconnecting(), ...this.expired()]
      .filter((timer) => timer.deadline === deadline && timer.ms === ms)
      .sort((a, b) => a.order - b.order);
    first?.fires();
  }

  /** The timers of heartbeats. @returns {Timer[]} */
  beating() {
    return this.tasks.flatMap((task) => {
      const { beat, left, over } = task;
      if (!beat?.pause || left || over) return [];
      const { began, pause: ms, order } = beat;
      return [{ deadline: began + ms, ms, order, fires: () => this.tick(task, beat) }];
    });
  }

  /** The timers of tasks that reconnect, but those of their attempts. @returns {Timer[]} */
  reconnecting() {
    return this.tasks.flatMap(({ over, timer, ticket }) => (over ? [] : [timer ?? [], ticket ?? []].flat()));
  }

  /** A task is open: its heartbeat begins. @param {Task} task */
  startBeat(task) {
    const [, , interval, timeout] = heartbeats[task.option.fields?.heartbeat?.v ?? ''] ?? [];
    if (interval === undefined || timeout === undefined) return;
    task.beat = {
      ...{ interval, timeout, heard: false, quiet: 0, asked: false, waited: 0, doubted: false },
      ...{ began: 0, pause: 0, order: 0 },
    };
  }

  /** Handlers have returned: the first ticks of the heartbeats of those that have opened are set. */
  beginBeats() {
    for (const { beat } of this.tasks) if (beat?.pause === 0) this.setTick(beat, beat.interval);
  }

  /**
   * Sets the timer of the next tick, an eighth of the interval away, or less.
   *
   * @param {Beat} beat
   * @param {number} most milliseconds
   */
  setTick(beat, most) {
    beat.pause = Math.max(1, Math.min(Math.trunc(beat.interval / 8), most));
    beat.began = this.now();
    beat.order = ++this.timers;
  }

  /**
   * @param {Task} task
   * @param {Beat} beat
   */
  tick(task, beat) {
    const elapsed = this.now() - beat.began;
    const ask = () => {
      Object.assign(beat, { asked: true, waited: 0 });
      if (task.socket?.readyState === 1) task.sent.push('beat');
      this.setTick(beat, beat.timeout);
    };
    if (beat.heard) {
      const quiet = Math.min(elapsed, beat.pause, beat.interval);
      Object.assign(beat, { heard: false, asked: false, doubted: false, quiet });
      this.setTick(beat, beat.interval - quiet);
    } else if (beat.asked && elapsed - beat.pause > 2000 && !beat.doubted) {
      beat.doubted = true;
      ask();
    } else if (beat.asked && elapsed >= beat.timeout - beat.waited) {
      task.beat = undefined;
      if (!this.isClosing(task)) task.closes.push([undefined, undefined]);
      task.deaf = true;
      task.raw = [
        { type: 'error', res: { errMsg: silent }, code: 1006 },
        { type: 'close', res: lostClose, code: 1006 },
      ];
      this.pump(task);
    } else if (beat.asked) {
      beat.waited += elapsed;
      this.setTick(beat, beat.timeout - beat.waited);
    } else if (elapsed >= beat.interval - beat.quiet) ask();
    else {
      beat.quiet += elapsed;
      this.setTick(beat, beat.interval - beat.quiet);
    }
  }

  /**
   * An attempt has taken too long.
   *
   * @param {Task} task
   */
  expire(task) {
    const errMsg = 'connectSocket:fail timeout';
    if (task.waiting) {
      this.refuse(task, [errMsg]);
      return;
    }
    if (task.raw.length === 0) task.early = false;
    this.take(task, { type: 'failure', res: { errMsg } });
  }

  /** A timer without a delay fires: one task gets what came before its promise was resolved. */
  catchUp() {
    const task = this.tasks.find((each) => each.early && !each.waiting && each.raw.length > 0);
    if (!task) return;
    task.early = false;
    this.pump(task);
  }

  /**
   * Judges what the WebSocket reported, as long as nothing is on its way to a handler: those see the state of its time.
   *
   * @param {Task} task
   */
  pump(task) {
    while (task.raw.length > 0 && !task.early && this.round?.task !== task && !this.next(task)) {
      this.process(task, /** @type {Raw} */ (task.raw.shift()));
    }
    // With nothing left for those who listen, what is held is the task's own.
    if (task.over && this.round?.task !== task && !this.next(task)) task.ended = true;
  }

  /**
   * @param {Task} task
   * @param {Raw} raw
   */
  process(task, { type, res, size, code = 0 }) {
    if (task.over) return;
    const connecting = !task.opened && !task.left;
    if (type === 'open' && connecting) {
      task.opened = true;
      this.startBeat(task);
      this.accept(task, 'Open', res);
    } else if (type === 'message' && task.opened && !task.shed) {
      if (task.beat) task.beat.heard = true;
      const held = task.pending.filter((event) => event.kind === 'Message');
      if (!this.isWanted(task, 'Message') && this.isTooMuch(held, Number(size))) {
        task.shed = true;
        if (!this.isClosing(task)) task.closes.push([4008, undefined]);
        task.raw.unshift({ type: 'error', res: { errMsg: heldTooMuch } });
      } else this.arrive(task, 'Message', res, size);
    } else if (type === 'error' && !task.abandoned && !task.failed) {
      if (code > 0) this.retries(task, code); // before the handlers: they see a task that connects
      task.failed = true;
      if (res.errMsg === heldTooMuch) task.shed = true;
      this.accept(task, 'Error', res);
    } else if (type === 'failure' && connecting && !task.failed) {
      if (!this.isClosing(task)) task.closes.push([undefined, undefined]);
      Object.assign(task, { deaf: true, renewal: '', ticket: undefined });
      this.retries(task, 1006);
      task.failed = true;
      this.accept(task, 'Error', res);
      task.raw = [{ type: 'close', res: lostClose, code: 1006 }];
    } else if (type === 'stable' && task.opened && task.plan && !task.left) {
      Object.assign(task, { tries: 0, pause: task.plan.minDelay });
    } else if (type === 'close' && this.retries(task, code)) {
      this.retry(task, res);
    } else if (type === 'close') {
      task.over = true;
      this.arrive(task, 'Close', res);
    }
  }

  /**
   * An Open or an Error arrives: of those that nobody listens to, a task keeps the newest.
   *
   * @param {Task} task
   * @param {Kind} kind
   * @param {any} res
   */
  accept(task, kind, res) {
    if (!this.isWanted(task, kind)) task.pending = task.pending.filter((event) => event.kind !== kind);
    this.arrive(task, kind, res);
  }

  /**
   * @param {Task} task
   * @param {Kind} kind
   * @param {any} res
   * @param {number} [size]
   */
  arrive(task, kind, res, size = 0) {
    task.pending.push({ kind, res, size, kept: false });
  }

  /** Whether no newer task holds a slot. @param {Task} task */
  isBound = (task) => {
    const newest = this.newest();
    return !newest || this.tasks.indexOf(newest) <= this.tasks.indexOf(task);
  };

  /**
   * Whether an event of this kind has a handler.
   *
   * @param {Task} task
   * @param {Kind} kind
   */
  isWanted(task, kind) {
    return this.audience(task, kind).length > 0;
  }

  /**
   * The handlers of the global functions that get an event of this kind.
   *
   * @param {Task} task
   * @param {Kind} kind
   */
  globalsOf(task, kind) {
    // They learn that a task was shed since it waited for them, though a newer one is theirs.
    const isEnd = kind === 'Error' || kind === 'Close';
    const told = this.isBound(task) || (isEnd && task.shed && task.handlers.Message.length === 0);
    return !task.ended && told ? this.handlers[kind] : [];
  }

  /**
   * The event that is to be delivered next.
   *
   * @param {Task} task
   */
  next(task) {
    return task.pending.find((event) => (!event.kept || task.ended) && this.isWanted(task, event.kind));
  }

  /**
   * A handler is being called.
   *
   * @param {Task | undefined} own the task it was registered on; none: by a global function
   * @param {Kind} kind
   * @param {unknown} handler
   * @param {any} res
   */
  handlerCalled(own, kind, handler, res) {
    this.observe();
    const what = `on${own ? '' : 'Socket'}${kind} of ${own?.name ?? 'the global functions'} with ${show(res)}`;
    if (this.running) this.problem(`${what}, inside another handler`);
    this.running = true;
    if (!this.round) {
      const task = own ?? this.tasks.find((each) => !each.ended && this.eligible(each, kind, res, handler));
      const event = task && this.eligible(task, kind, res, handler);
      if (!task || !event) {
        const next = task && this.next(task);
        this.problem(
          `${what}: ${next ? `${next.kind} ${show(next.res)} was to come` : 'nothing was to come'}`,
        );
        return;
      }
      if (task.refused && task.call.tells.some((name) => name !== 'rejected')) {
        this.problem(`${what}, before the callbacks of its call`);
      }
      this.begin(task, event);
    }
    const { event } = /** @type {NonNullable<typeof this.round>} */ (this.round);
    const rest = this.rest();
    if (event.kind !== kind || rest[0] !== handler) {
      this.problem(`${what}, while ${event.kind} is on its way to other handlers`);
      return;
    }
    /** @type {NonNullable<typeof this.round>} */ (this.round).rest = rest.slice(1);
    if (!this.matches(event.res, res)) this.problem(`${what} instead of ${show(event.res)}`);
  }

  /** The handlers that the event on its way has yet to reach: those that were there, and have not been taken off. */
  rest() {
    if (!this.round) return [];
    const { task, event, rest } = this.round;
    const there = [...task.handlers[event.kind], ...this.handlers[event.kind]];
    return rest.filter((handler) => there.includes(handler));
  }

  /**
   * The event that this handler can be called with now.
   *
   * @param {Task} task
   * @param {Kind} kind
   * @param {any} res
   * @param {unknown} handler
   */
  eligible(task, kind, res, handler) {
    const event = task.pending.find(
      (each) =>
        (!each.kept || task.ended) &&
        this.isWanted(task, each.kind) &&
        (each.kind === kind || !task.fresh.has(each.kind)),
    );
    if (event?.kind !== kind || !this.matches(event.res, res)) return undefined;
    return this.audience(task, kind)[0] === handler ? event : undefined;
  }

  /**
   * @param {Task} task
   * @param {Kind} kind
   */
  audience(task, kind) {
    return [...task.handlers[kind], ...this.globalsOf(task, kind)];
  }

  /**
   * @param {Task} task
   * @param {Pending} event
   */
  begin(task, event) {
    const at = task.pending.indexOf(event);
    // What nobody wanted until now stays with the task when that ends.
    if (task.over) for (const older of task.pending.slice(0, at)) older.kept = true;
    task.pending.splice(at, 1);
    this.round = { task, event, rest: this.audience(task, event.kind) };
  }

  /** The handler has returned, or thrown. */
  handlerReturned() {
    this.running = false;
    if (!this.round || this.rest().length > 0) return;
    const { task } = this.round;
    this.round = undefined;
    this.pump(task);
  }

  /**
   * @param {any} want where an errMsg may be one of several
   * @param {any} got
   */
  matches(want, got) {
    if (!Array.isArray(want?.errMsg)) return same(got, want);
    return (
      Object.keys(got).length === 1 &&
      want.errMsg.some((/** @type {string} */ text) => says(got.errMsg, text))
    );
  }

  /**
   * A callback of a call is being called, or its promise has settled.
   *
   * @param {Call} call
   * @param {string} name of the callback; resolved or rejected
   * @param {any} res
   */
  told(call, name, res) {
    this.observe();
    const what = `${name} of call ${call.name} with ${show(res)}`;
    if (this.round) this.problem(`${what} while an event is on its way`);
    const [next] = call.tells;
    if (next !== name) return this.problem(`${what}: ${next ?? 'nothing'} was to come`);
    call.tells.shift();
    const task = this.tasks.find((each) => each.call === call);
    if (name === 'resolved' && task) return; // with the task: see taskOf
    const want = Array.isArray(call.res) ? { errMsg: call.res } : call.res;
    if (!task || !call.ok) {
      if (!this.matches(want, res)) return this.problem(`${what} instead of ${show(want)}`);
      // From now on it is the same.
      if (Array.isArray(call.res)) {
        call.res = [res.errMsg];
        if (task) {
          task.errMsg = res.errMsg;
          for (const event of task.pending) if (event.kind === 'Error') event.res = { errMsg: [res.errMsg] };
        }
      }
      return;
    }
    if (!same(res, { ...want, socketTaskId: this.identify(task, res?.socketTaskId) })) {
      this.problem(`${what} instead of ${show({ ...want, socketTaskId: task.id })}`);
    }
  }

  /**
   * Takes the id of a task when it is first seen, and says what it is.
   *
   * @param {Task} task
   * @param {number} id
   */
  identify(task, id) {
    if (Number.isNaN(task.id)) {
      task.id = id;
      if (!Number.isInteger(id) || id <= 0) this.problem(`${task.name} has the id ${show(id)}`);
      const others = this.tasks.filter((each) => each.id > 0);
      if (others.some((each, i) => i > 0 && each.id <= others[i - 1].id)) {
        this.problem(`${task.name} has the id ${id}, which is not above those before`);
      }
    }
    return task.id;
  }

  /**
   * The readyStates that a task may have.
   *
   * @param {Task} task
   */
  readyStates(task) {
    if (task.waiting) return [0];
    if (task.over) return [3];
    const state = task.socket?.readyState ?? 0;
    if (state > 1 && !this.isBetween(task)) return [state];
    return [task.left ? 2 : task.opened ? 1 : 0];
  }

  /** A callback is about to throw. @param {unknown} error */
  throws(error) {
    this.errors.push(error);
  }

  /** window.onerror was called. @param {unknown} error */
  reported(error) {
    const at = this.errors.findIndex((each) => Object.is(each, error));
    if (at < 0) this.problem(`window.onerror got ${describe(error)}, which no callback threw, or again`);
    else this.errors.splice(at, 1);
  }

  /** A rejection that nobody handles was reported. @param {Promise<unknown>} promise @param {unknown} reason */
  unhandled(promise, reason) {
    this.observe();
    const call = this.calls.find((each) => each.unhandled === promise);
    if (!call) return this.problem(`unhandledrejection of ${show(reason)}`);
    call.unhandled = undefined;
  }

  /**
   * Nothing is on its way: all that had to come has come.
   *
   * @param {{ tasks: number, slotsInUse: number }} stats
   */
  quiet(stats) {
    this.observe();
    if (this.round) {
      const { task, event } = this.round;
      this.problem(
        `${event.kind} of ${task.name} was not delivered to ${this.rest().length} of its handlers`,
      );
    }
    if (this.errors.length > 0) this.problem(`window.onerror was not told of ${describe(this.errors[0])}`);
    for (const { name, tells, judged } of this.calls) {
      if (judged && tells.length > 0) this.problem(`call ${name} has not told ${tells.join(', ')}`);
    }
    const newest = this.newest();
    let held = 0;
    for (const task of this.tasks) {
      if (!task.waiting && task.raw.length === 0) task.early = false;
      this.pump(task);
      task.fresh.clear();
      const next = this.next(task);
      // Those of the global functions may wait while their task is closing.
      if (next && (task === newest || task.handlers[next.kind].length > 0)) {
        this.problem(`${task.name} has not told ${next.kind} ${show(next.res)}`);
      }
      if (task.raw.length > 0 && !task.early) this.problem(`${task.name} still has ${task.raw[0].type}`);
      if (!task.over && !task.waiting) held += task.pending.length;
      if (task.renewal === 'dialling') this.problem(`${task.name} has not made another WebSocket`);
      if (!this.waiting) this.checkSocket(task);
    }
    const tasks = this.tasks.filter((task) => !task.over && !task.waiting).length;
    if (stats.tasks !== tasks || stats.slotsInUse !== held) {
      this.problem(
        `stats tell ${stats.tasks} tasks and ${stats.slotsInUse} slots in use instead of ${tasks} and ${held}`,
      );
    }
  }
}

/**
 * What the WebSocket's constructor throws for an option that has no faults.
 *
 * @param {Option} option
 */
function thrownBy(option) {
  const { href } = targetOf(/** @type {string} */ (option.fields?.url?.is)) ?? {};
  return refusal(String(href), offersOf(option));
}

/**
 * The value of a field that is a number.
 *
 * @param {Field | undefined} field
 * @returns {number | undefined}
 */
function numberOf(field) {
  if (field === undefined || typeOf(field) !== 'Number') return undefined;
  if (field.v !== undefined) return hostile[field.v][0]();
  return Number(field.number ?? field.is);
}

/**
 * The whole milliseconds that an attempt may take: the default if what is asked for is not positive and finite, or if
 * something before it cannot be read.
 *
 * @param {Option} option
 */
function timeoutOf({ fields = {} }) {
  const unread = ['success', 'fail', 'complete', 'url'].some((name) => fields[name]?.throws !== undefined);
  const ms = unread ? undefined : numberOf(fields.timeout);
  return ms !== undefined && ms > 0 && Number.isFinite(ms)
    ? Math.min(Math.max(Math.trunc(ms), 1), 2 ** 31 - 1)
    : 60_000;
}

/** @param {unknown} error */
function describe(error) {
  try {
    return String(error);
  } catch {
    return 'something without words';
  }
}
