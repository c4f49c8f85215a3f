/**
 * Connections: the life of each task, its WebSockets, its timer, its handshake with the relay. Nothing is decided here but
 * what needs no Go half: every event goes there as a few integers, and what it decides comes back as one integer, which
 * `act` carries out. Code of the page is called from here, never while Go is on the stack.
 *
 *     listener → put(payload) → go.event(task, kind, slot, size, busy) → decision → act → handlers
 *
 * @typedef {import('./option.js').Call} Call
 * @typedef {import('./outcome.js').Callback} Callback
 * @typedef {import('../../web/connectsocket.js').Settings} Settings
 * @typedef {Settings & Required<Pick<Settings, 'maxSockets' | 'maxHeldBytes' | 'maxHeldMessages' | 'domains'>>} Limits
 */
import { callFallback, callTask, whyFailed } from './fallback.js';
import { createHandlers, EVENTS } from './handlers.js';
import {
  checkRelayed,
  checkSendable,
  describe,
  isPlain,
  isSound,
  mismatch,
  noCallbacks,
  readClose,
  readRenewal,
  readSend,
} from './option.js';
import { bare, later, noop, outcome, run, sendOutcome, settle } from './outcome.js';
import { createPresence } from './presence.js';
import {
  ABORT,
  ANSWER,
  ASK,
  BEAT,
  CLOSE,
  CODE_LOST,
  CODE_TOO_MUCH_HELD,
  createSlots,
  DELIVER,
  DIAL,
  DUE,
  ERROR,
  FAILURE,
  GLOBAL_BIT,
  KEEP,
  KIND_MASK,
  KIND_SHIFT,
  MAX_TIMER,
  MESSAGE,
  MORE_BIT,
  NONE,
  OPEN,
  OWN_BIT,
  RETRY,
  SHED,
  SLOT_SHIFT,
  STABLE,
  TEXT_BAD_ANSWER,
  TEXT_NOT_OPEN,
  TEXT_SILENT,
  TEXT_TIMEOUT,
  TEXT_TOO_MUCH_HELD,
  TICK,
  UPTIME,
  VERB_MASK,
} from './wire.js';

const RELAY_PROTOCOL = 'connectsocket.relay.v1';

/**
 * Bytes of a message, two for each UTF-16 unit of text.
 * @param {any} data
 */
const sizeOf = (data) => (typeof data === 'string' ? data.length * 2 : (data?.byteLength ?? data?.size ?? 0));

/** The close of a connection that was lost. */
const lostClose = () => ({ code: CODE_LOST, reason: '', wasClean: false });

// The page's own, for a `WebSocket` that the page puts on the global object and that calls connectSocket itself.
const ownWebSocket = globalThis.WebSocket;

// Phases of a connection, see below.
const WAITING = 0;
const ADMITTED = 1;
const LIVE = 2;
const ENDED = 3;
const SERVED = 4;

/**
 * @param {import('./module.js').Module} module
 * @param {Limits} settings
 */
export function createConnections(module, settings) {
  const slots = createSlots();
  const presence = createPresence();
  /** Handlers of the global functions. */
  const globals = createHandlers();
  /** @type {Map<number, Connection>} those that the Go half knows, oldest first */
  const connections = new Map();
  /** @type {Set<Connection>} those whose WebSocket was opened before the Go half has judged the call */
  const early = new Set();
  let constructing = false; // a WebSocket
  /** @type {unknown} a WebSocket of the page that calls connectSocket itself: it is passed over */
  let shim;
  let shimCalled = false;
  /** @type {Set<Connection>} those that the fallback serves or is asked to serve, oldest first */
  const served = new Set();
  let warned = false;
  let warnedOfFallback = false;

  /**
   * The life of a task:
   *
   *     WAITING ─ the module loads; what the WebSocket says is pending
   *        │  the Go half accepts the call
   *     ADMITTED ─ success, complete and the promise are on their way; still pending
   *        │  they have been called
   *     LIVE ─ each event goes to the Go half ◄────────────┐
   *        │                                      opened or failed
   *        ├── RETRY: down, a pause ──► DIAL: dialling ────┘
   *        │  CLOSE delivered or kept
   *     ENDED ─ handlers still get what is kept
   *
   * A call that is refused, times out while it waits, or whose module fails goes from WAITING to ENDED; a task whose module
   * dies goes there from ADMITTED or LIVE: see `finish`. Where the page has a fallback, a call whose module fails goes from
   * WAITING to SERVED, and from there to ENDED: see `handOver`.
   *
   * An attempt is one WebSocket. Its listeners compare its number with the current one: after `letGo` nothing that it says
   * counts. They are never removed, since some hosts report an error that nobody listens to.
   */
  class Connection {
    /**
     * @param {Call} call
     * @param {() => void} resolve
     * @param {(res: { errMsg: string }) => void} reject
     */
    constructor(call, resolve, reject) {
      this.phase = WAITING;
      this.call = call;
      this.resolve = resolve;
      this.reject = reject;
      this.id = 0; // until the Go half has accepted the call
      this.errMsg = 'connectSocket:ok';
      this.relayed = this.isRelayed(call);
      this.handlers = createHandlers();

      /** @type {any} */
      this.ws = null;
      this.attempt = 0;
      this.began = Date.now(); // the attempt
      this.opened = false;
      this.asked = false; // the relay, in this attempt
      this.opens = 0; // how often it was
      this.protocol = ''; // from the relay's answer
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      this.timer = undefined;
      /** @type {ReturnType<typeof setTimeout> | undefined} of the heartbeat */
      this.tick = undefined;
      this.renewing = false; // reconnect.option was asked for the next attempt, which has no WebSocket yet
      this.redials = 0; // since the task was open
      this.redial = () => this.endPause();

      /** @type {Array<[number, unknown, number]>} events, until it is live */
      this.pending = [];
      this.pendingMessages = 0;
      this.pendingBytes = 0;
      this.shed = false; // too much was pending
      /** @type {Array<() => void>} calls that wait until this one is judged */
      this.afterJudgement = [];

      /** @type {import('./fallback.js').OtherTask} of the fallback, while SERVED */
      this.other = bare();

      this.carrying = false; // out a decision
      this.askAgain = false; // for the next decision, after that
      this.replayQueued = false;
    }

    /** @param {Call} call */
    isRelayed(call) {
      return Boolean(settings.relay) && (call.relay === 'always' || needsRelay(call));
    }

    /**
     * Opens a WebSocket.
     * @throws what its constructor throws
     */
    open() {
      const attempt = ++this.attempt;
      this.asked = false;
      const ws = this.construct();
      ws.binaryType = 'arraybuffer';
      this.ws = ws;
      const isCurrent = () => attempt === this.attempt;
      ws.addEventListener('open', () => isCurrent() && this.onOpen());
      ws.addEventListener('message', (/** @type {{ data: any }} */ { data }) => {
        if (attempt !== this.attempt) return;
        this.receive(MESSAGE, { data }, sizeOf(data));
      });
      ws.addEventListener('error', () => isCurrent() && this.onError());
      ws.addEventListener('close', (/** @type {CloseEvent} */ event) => isCurrent() && this.onClose(event));
    }

    construct() {
      const { WebSocket } = globalThis;
      if (this.relayed) checkRelayed(this.call);
      if (shim && WebSocket === shim) return this.constructOf(ownWebSocket);
      constructing = true;
      shimCalled = false;
      try {
        const ws = this.constructOf(WebSocket);
        if (!shimCalled) return ws;
      } catch (error) {
        if (!shimCalled) throw error;
      } finally {
        constructing = false;
      }
      shim = WebSocket;
      return this.constructOf(ownWebSocket);
    }

    /** @param {typeof WebSocket} Constructor */
    constructOf(Constructor) {
      return this.relayed
        ? new Constructor(/** @type {string} */ (settings.relay), RELAY_PROTOCOL)
        : new Constructor(this.call.target, this.call.protocols);
    }

    onOpen() {
      if (this.relayed) {
        this.receive(OPEN); // of the connection to the relay
        return;
      }
      const { protocol } = this.ws;
      const now = Date.now();
      const header = protocol ? { 'Sec-WebSocket-Protocol': protocol } : {};
      const profile = { fetchStart: this.began, connectEnd: now, cost: now - this.began };
      this.receive(OPEN, this.established({ header, profile }));
    }

    onError() {
      // For a ws: URL on an https: page WebKit only fires error; the WebSocket stays CONNECTING for ever.
      if (this.ws.readyState === 0) this.receive(FAILURE, this.lossError());
      // Whether a task reconnects depends on the code, which comes with the close.
      else if (!this.call.reconnect) this.receive(ERROR, this.lossError());
    }

    /** @param {CloseEvent} event */
    onClose({ code, reason, wasClean }) {
      // The Go half does not know what was shed before it judged: after this code it does not reconnect.
      const size = this.shed ? CODE_TOO_MUCH_HELD : code;
      // Engines differ in whether an error comes before an unclean close; the Go half lets one through.
      if (!wasClean) this.receive(ERROR, this.lossError(), size);
      this.receive(CLOSE, { code, reason, wasClean }, size);
    }

    /** What onError says if the browser gives no reason. */
    lossError(how = this.opened ? 'was lost' : 'failed') {
      return {
        errMsg: `connectSocket:fail ${this.relayed && !this.opened ? this.relayLoss() : `WebSocket connection to "${this.call.url}" ${how}`}`,
      };
    }

    /** Which leg of a relayed attempt failed, whether the upstream was asked, and after how long. */
    relayLoss() {
      const after = `after ${Date.now() - this.began} ms`;
      return this.asked
        ? `the relay "${settings.relay}" was lost ${after}, before it answered for "${this.call.url}"`
        : `the relay "${settings.relay}" could not be reached ${after}; "${this.call.url}" was not asked`;
    }

    /** What onError says of an attempt that took too long. */
    timeoutError() {
      if (!this.relayed) return TEXT_TIMEOUT;
      let why = this.relayLoss();
      if (this.phase === WAITING) why = 'the module was still loading; the relay was not asked';
      else if (this.asked) why = `the relay "${settings.relay}" has not answered for "${this.call.url}"`;
      return `${TEXT_TIMEOUT}: ${why}`;
    }

    /** Nothing that the WebSocket says from now on counts; it is closed. */
    letGo() {
      this.attempt++;
      clearTimeout(this.tick);
      this.ws?.close();
    }

    /** Begins the clock of an attempt. */
    limitAttempt() {
      this.startTimer(() => this.expire(), this.call.timeout);
    }

    expire() {
      if (this.phase === WAITING) this.finish(this.timeoutError());
      else this.receive(FAILURE, { errMsg: this.timeoutError() });
    }

    /**
     * Notes that the connection is open, through the relay to its upstream.
     * @param {object} payload of its event
     */
    established(payload) {
      this.opened = true;
      module.onOpen();
      this.redials = 0;
      clearTimeout(this.timer);
      if (this.call.reconnect) this.startTimer(() => this.receive(STABLE), UPTIME);
      if (this.call.heartbeat) queueMicrotask(() => this.waitForTick()); // the Go half knows by then
      return this.opens++ > 0 ? { ...payload, reconnected: this.opens - 1 } : payload;
    }

    /**
     * Starts the task's one timer.
     * @param {() => void} f
     * @param {number} ms
     */
    startTimer(f, ms) {
      clearTimeout(this.timer);
      this.timer = setTimeout(f, ms);
    }

    /** Makes the call: now if the module runs, else when it does. */
    begin() {
      module.wake();
      this.limitAttempt();
      let judged = false;
      const judge = () => {
        judged = true;
        this.admit();
      };
      module.whenSettled(judge);
      // With a fallback it is not known who serves the call: a one-time ticket must not be spent twice.
      if (!judged && !module.isPaused && !settings.fallback) this.openEarly();
    }

    /** Opens the WebSocket while the module loads, if it is sure that the Go half will accept the call. */
    openEarly() {
      if (!isPlain(this.call) || early.size >= settings.maxSockets || !this.isInDomains()) return;
      try {
        this.open();
        early.add(this);
      } catch {} // it throws again when the call is judged, and then the call fails with it
    }

    isInDomains() {
      const { domains } = settings;
      const { scheme, host } = this.call;
      return domains.length === 0 || domains.includes(`${scheme}//${host}`);
    }

    /** Lets the Go half judge the call. */
    admit() {
      if (this.phase !== WAITING) return;
      if (module.failure()) {
        const { fault } = this.call;
        if (settings.fallback && isSound(this.call) && this.isInDomains()) this.handOver(settings.fallback);
        else this.finish(`connectSocket:fail ${fault ? `parameter error: ${fault}` : module.failure()}`);
        return;
      }
      const id = module.enter('connect', this.call, this.relayed);
      if (typeof id === 'string') {
        this.finish(id);
        return;
      }
      if (!(id > 0)) {
        module.die(new Error('it does not answer'));
        this.waitForNext();
        return;
      }
      try {
        if (!this.ws) this.open();
      } catch (error) {
        module.enter('discard', id);
        this.finish(`connectSocket:fail ${describe(error)}`);
        return;
      }
      module.callGo(() => {
        for (let old = module.go.evict(); old !== 0; old = module.go.evict()) {
          connections.get(old)?.leave(1000);
        }
        for (const kind of this.handlers.kinds()) module.go.listen(id, kind, 1);
      });
      if (!module.go) {
        this.waitForNext();
        return;
      }
      module.lastId = id;
      this.id = id;
      connections.set(id, this);
      early.delete(this);
      this.phase = ADMITTED;
      if (needsRelay(this.call) && !this.relayed && !warned) {
        warned = true;
        console.warn(
          'connectSocket: header, tcpNoDelay and perMessageDeflate need a relay; they are not sent',
        );
      }
      settle(this.call.callbacks, true, { errMsg: this.errMsg, socketTaskId: id }, () => {
        this.resolve();
        // In a task of its own, as an event of the WebSocket is: the awaiting caller registers its handlers first.
        if (this.pending.length > 0) setTimeout(() => this.goLive());
        else this.goLive();
      });
      this.judged();
    }

    /**
     * Has the fallback serve the call: the module cannot be had. The task keeps what it was given: handlers, and calls that
     * wait.
     * @param {NonNullable<Settings['fallback']>} fallback
     */
    handOver(fallback) {
      if (!warnedOfFallback) {
        warnedOfFallback = true;
        console.warn(`connectSocket: ${module.failure()}; the fallback serves the calls`);
      }
      this.letGo();
      this.ws = null;
      this.relayed = false;
      this.pending = [];
      early.delete(this);
      served.add(this);
      this.id = ++module.lastId;
      callFallback(fallback, this.call).then(
        (other) => this.follow(other),
        (error) => this.phase === WAITING && this.finish(whyFailed(error, 'connectSocket')),
      );
    }

    /**
     * Passes on what happens to the fallback's task.
     * @param {import('./fallback.js').OtherTask} other
     */
    follow(other) {
      if (this.phase !== WAITING) {
        other.close({}); // its time was over
        return;
      }
      clearTimeout(this.timer);
      this.phase = SERVED;
      this.other = other;
      this.ws = other.ws ?? null;
      for (const [kind, name] of EVENTS.entries()) {
        other[`on${name}`]((/** @type {unknown} */ payload) => this.pass(kind, payload));
      }
      settle(this.call.callbacks, true, { errMsg: this.errMsg, socketTaskId: this.id }, () => this.resolve());
      this.judged();
    }

    /**
     * Delivers an event of the fallback's task, or keeps it for a handler to come.
     * @param {number} kind
     * @param {any} payload
     */
    pass(kind, payload) {
      if (this.phase !== SERVED) return;
      const others = newest()?.id > this.id ? [] : globals.list(kind);
      if (kind === OPEN) this.opened = true;
      if (kind === CLOSE) this.end();
      if (others.length > 0 || this.handlers.list(kind).length > 0) {
        this.handlers.deliver(kind, payload);
        globals.deliver(kind, payload, others);
      } else if (kind !== MESSAGE || this.mayHold(sizeOf(payload?.data))) {
        this.handlers.keep(kind, payload);
      } else if (!this.shed) {
        this.shed = true;
        this.pass(ERROR, { errMsg: TEXT_TOO_MUCH_HELD });
        this.other.close({ code: CODE_TOO_MUCH_HELD });
      }
    }

    /**
     * Calls a method of the fallback's task.
     * @param {'send' | 'close'} method
     * @param {object} option
     * @param {import('./outcome.js').Callbacks} callbacks
     * @param {string} api
     * @returns {Promise<{ errMsg: string }>}
     */
    callOther(method, option, callbacks, api) {
      const promise = callTask(this.other, method, option).then(
        () => outcome(callbacks, true, `${api}:ok`),
        (error) => outcome(callbacks, false, whyFailed(error, api)),
      );
      promise.catch(noop);
      return promise;
    }

    /** Waits for another module: the one that was asked has died. */
    waitForNext() {
      module.wake();
      module.whenSettled(() => this.admit());
    }

    judged() {
      for (const call of this.afterJudgement.splice(0)) call();
    }

    goLive() {
      if (module.isPaused) {
        module.whenFree(() => this.goLive());
        return;
      }
      // What handlers cause meanwhile joins the end of the line.
      for (const event of this.pending) this.post(...event);
      this.pending = [];
      if (this.phase === ADMITTED) this.phase = LIVE;
      this.waitForTick();
    }

    /** Starts the heartbeat's timer, if the task is open and has a heartbeat: a coarse clock, which no message touches. */
    waitForTick() {
      clearTimeout(this.tick);
      if (!this.call.heartbeat || !this.opened || this.phase !== LIVE) return;
      const pause = module.enter('pause', this.id);
      if (pause === 0) return;
      const began = Date.now();
      this.tick = setTimeout(() => {
        const elapsed = Math.min(Math.max(Date.now() - began, 0), MAX_TIMER);
        this.post(TICK, { errMsg: TEXT_SILENT }, elapsed);
        this.waitForTick();
      }, pause);
    }

    /** Sends the heartbeat's message. */
    beat() {
      const { message } = /** @type {NonNullable<Call['heartbeat']>} */ (this.call.heartbeat);
      run(() => {
        this.ws.send(checkSendable(typeof message === 'function' ? message() : message, 'a heartbeat'));
      }, undefined);
    }

    /**
     * Ends the task without the Go half: it has refused the call, or is not there. The task's methods work and say why.
     * @param {string} errMsg
     */
    finish(errMsg) {
      const { phase } = this;
      this.letGo();
      this.end();
      const report = () => {
        this.handlers.keep(ERROR, { errMsg });
        this.handlers.keep(CLOSE, lostClose());
        this.queueReplay();
      };
      if (phase === WAITING) {
        this.errMsg = errMsg;
        const res = { errMsg };
        settle(this.call.callbacks, false, res, () => {
          this.reject(res);
          report();
        });
      } else {
        report();
      }
      this.judged();
    }

    end() {
      this.phase = ENDED;
      clearTimeout(this.timer);
      clearTimeout(this.tick);
      presence.forget(this.redial);
      connections.delete(this.id);
      early.delete(this);
      served.delete(this);
      this.pending = [];
    }

    /** Whether it is between two attempts: the last WebSocket has ended, the next is not made. */
    isBetween() {
      return this.renewing || Boolean(module.enter('down', this.id));
    }

    /**
     * Closes the WebSocket, as the user or the limit wants it.
     * @param {number} code
     * @param {string} [reason]
     */
    leave(code, reason) {
      this.ws.close(code, reason);
      clearTimeout(this.tick);
      // No WebSocket will report the close.
      if (this.isBetween()) {
        this.letGo();
        presence.forget(this.redial);
        this.startTimer(() => this.receive(CLOSE, lostClose(), CODE_LOST), 0);
      }
    }

    /**
     * Takes an event: of the WebSocket or of the timer.
     * @param {number} kind
     * @param {unknown} [payload]
     * @param {number} [size] of a message, or the code of a close
     */
    receive(kind, payload, size = 0) {
      if (module.isPaused) module.whenFree(() => this.receive(kind, payload, size));
      else if (this.phase === LIVE) this.post(kind, payload, size);
      else if (this.phase !== ENDED) this.hold(kind, payload, size);
    }

    /**
     * Holds an event until the task is live, within the limits for a task without a handler.
     * @param {number} kind
     * @param {unknown} payload
     * @param {number} size
     */
    hold(kind, payload, size) {
      if (kind === MESSAGE) {
        if (this.shed) return;
        if (!this.mayHold(size)) {
          this.shed = true;
          this.pending.push([ERROR, { errMsg: TEXT_TOO_MUCH_HELD }, CODE_TOO_MUCH_HELD]);
          this.ws.close(CODE_TOO_MUCH_HELD);
          return;
        }
      }
      this.pending.push([kind, payload, size]);
    }

    /**
     * Whether another message may be held; counts it if so.
     * @param {number} size in bytes
     */
    mayHold(size) {
      if (
        this.pendingMessages >= settings.maxHeldMessages ||
        this.pendingBytes + size > settings.maxHeldBytes
      )
        return false;
      this.pendingMessages++;
      this.pendingBytes += size;
      return true;
    }

    /**
     * Posts an event to the Go half and carries out what it decides.
     * @param {number} kind
     * @param {unknown} [payload]
     * @param {number} [size]
     */
    post(kind, payload, size = 0) {
      if (this.phase === ENDED) return;
      try {
        if (this.carrying) {
          this.askAgain = true;
          module.go.event(this.id, kind, slots.put(payload), size, 1);
        } else {
          this.carryOut(module.go.event(this.id, kind, slots.put(payload), size, 0));
        }
      } catch (error) {
        module.die(error);
      }
    }

    /**
     * Carries out a decision and those that wait behind it. Events that handlers cause meanwhile are only posted.
     * @param {number} decision
     */
    carryOut(decision) {
      this.carrying = true;
      this.act(decision);
      while (this.askAgain || decision & MORE_BIT) {
        this.askAgain = false;
        decision = module.go.next(this.id);
        this.act(decision);
      }
      this.carrying = false;
    }

    /** @param {number} decision */
    act(decision) {
      const kind = (decision >> KIND_SHIFT) & KIND_MASK;
      const verb = decision & VERB_MASK;
      if (verb === NONE) return;
      const payload = slots.take(decision >>> SLOT_SHIFT);
      switch (verb) {
        case DELIVER:
        case KEEP:
          if (kind === CLOSE) this.end();
          if (verb === KEEP) this.handlers.keep(kind, payload);
          else this.deliver(kind, payload, decision);
          if (kind === CLOSE) replayNewest();
          return;
        case ABORT:
          this.letGo();
          this.post(ERROR, payload, CODE_LOST);
          this.post(CLOSE, lostClose(), CODE_LOST);
          return;
        case SHED:
          this.post(ERROR, { errMsg: TEXT_TOO_MUCH_HELD });
          this.ws.close(CODE_TOO_MUCH_HELD);
          return;
        case ASK: {
          const { target, protocols, unsendable, timeout } = this.call;
          this.asked = true;
          this.ws.send(JSON.stringify({ url: target, protocols, ...unsendable, timeout }));
          return;
        }
        case ANSWER:
          this.onAnswer(payload.data);
          return;
        case RETRY:
          this.retry(payload);
          return;
        case DIAL:
          this.dial();
          return;
        case BEAT:
          this.beat();
      }
    }

    /**
     * @param {number} kind
     * @param {unknown} payload
     * @param {number} decision
     */
    deliver(kind, payload, decision) {
      // A handler of the task's own may register a global one, which gets only what comes after that.
      const others = globals.list(kind);
      if (decision & OWN_BIT) this.handlers.deliver(kind, payload);
      if (decision & GLOBAL_BIT) globals.deliver(kind, payload, others);
    }

    /**
     * Takes the relay's answer.
     * @param {string} text
     */
    onAnswer(text) {
      /** @type {any} */
      let answer;
      try {
        answer = bare(JSON.parse(text));
      } catch {} // reported below
      if (answer?.open) {
        const { protocol = '', header = {}, profile = {} } = answer;
        this.protocol = protocol;
        this.post(OPEN, this.established({ header, profile }));
      } else {
        const errMsg = answer?.errMsg;
        this.post(FAILURE, { errMsg: typeof errMsg === 'string' ? errMsg : TEXT_BAD_ANSWER });
      }
    }

    /**
     * Pauses before it reconnects.
     * @param {{ code: number, reason: string, wasClean: boolean }} close
     */
    retry({ code, reason, wasClean }) {
      this.opened = false;
      clearTimeout(this.tick);
      const chance = (Math.random() * 2 ** 31) | 0;
      this.startTimer(this.redial, module.go.delay(this.id, chance, presence.isOffline() ? 1 : 0));
      presence.whenOnline(this.redial);
      // An unclean close has had its error.
      if (wasClean) this.post(ERROR, this.lossError(`was closed with ${code} ${reason}`.trim()));
    }

    /** Ends the pause: at its time, or when the page is online again; but not while nobody sees the page. */
    endPause() {
      if (presence.isHidden() && !this.call.reconnect?.whileHidden) {
        presence.whenVisible(this.redial);
        return;
      }
      clearTimeout(this.timer);
      presence.forget(this.redial);
      this.receive(DUE);
    }

    /** Opens another WebSocket, as reconnect.option wants it. */
    dial() {
      this.began = Date.now();
      this.protocol = '';
      this.limitAttempt();
      const renew = this.call.reconnect?.renew;
      if (!renew) {
        this.redialled();
        return;
      }
      const attempt = ++this.attempt;
      const isCurrent = () => attempt === this.attempt && this.phase === LIVE;
      this.renewing = true;
      new Promise((resolve) => resolve(renew(++this.redials))).then(
        (option) => isCurrent() && this.redialled(option),
        (error) => isCurrent() && this.failAttempt(`reconnect.option threw ${describe(error)}`),
      );
    }

    /** @param {[unknown?]} given by reconnect.option */
    redialled(...given) {
      this.renewing = false;
      if (given.length > 0) {
        const next = readRenewal(this.call, given[0]);
        const relayed = this.isRelayed(next);
        const refusal = module.enter('renew', this.id, next, relayed);
        if (this.phase !== LIVE) return; // the module has died
        if (refusal) {
          this.post(FAILURE, { errMsg: refusal });
          return;
        }
        this.call = next;
        this.relayed = relayed;
      }
      try {
        this.open();
      } catch (error) {
        this.failAttempt(describe(error));
      }
    }

    /** @param {string} why */
    failAttempt(why) {
      this.renewing = false;
      this.post(FAILURE, { errMsg: `connectSocket:fail ${why}` });
    }

    /**
     * Registers a handler. The first of its kind gets, in a microtask, what was held for it.
     * @param {number} kind
     * @param {Callback} handler
     */
    on(kind, handler) {
      if (!isHandler(handler) || !this.handlers.add(kind, handler)) return;
      this.listen(kind, 1);
      this.queueReplay();
    }

    /**
     * Takes a handler off, or all of a kind.
     * @param {number} kind
     * @param {Callback} [handler]
     */
    off(kind, handler) {
      if (this.handlers.remove(kind, handler)) this.listen(kind, 0);
    }

    /**
     * @param {number} kind
     * @param {0 | 1} on
     */
    listen(kind, on) {
      module.whenFree(() => {
        if (connections.has(this.id)) module.enter('listen', this.id, kind, on);
      });
    }

    queueReplay() {
      if (this.replayQueued) return;
      this.replayQueued = true;
      queueMicrotask(() => module.whenFree(() => this.replay()));
    }

    replay() {
      this.replayQueued = false;
      if (this.phase === ENDED || this.phase === SERVED) this.handlers.replay();
      else if (this.carrying) this.askAgain = true;
      else if (this.phase === LIVE) module.callGo(() => this.carryOut(module.go.next(this.id)));
    }

    /**
     * Makes a call of this task once its own call is judged.
     * @param {() => Promise<{ errMsg: string }>} call
     * @returns {Promise<{ errMsg: string }>}
     */
    whenJudged(call) {
      return later((f) => this.afterJudgement.push(f), call);
    }

    /**
     * @param {any} option
     * @param {string} api the function's name, for errMsg
     * @returns {Promise<{ errMsg: string }>}
     */
    send(option, api) {
      if (this.phase === WAITING) return this.whenJudged(() => this.send(option, api));
      if (module.isPaused) return whenFree(() => this.send(option, api));
      const callbacks = noCallbacks();
      let data;
      try {
        data = readSend(option, callbacks);
      } catch (fault) {
        return outcome(callbacks, false, `${api}:fail parameter error: ${describe(fault)}`);
      }
      if (this.phase === SERVED) return this.callOther('send', { data }, callbacks, api);
      if (!this.maySend()) return outcome(callbacks, false, `${api}:fail ${this.whyNotOpen()}`);
      try {
        this.ws.send(data);
      } catch (error) {
        return outcome(callbacks, false, `${api}:fail ${describe(error)}`);
      }
      return sendOutcome(callbacks);
    }

    maySend() {
      if (this.phase === ENDED) return false;
      try {
        return module.go.send(this.id, this.ws.readyState) === 1;
      } catch (error) {
        module.die(error);
        return false;
      }
    }

    whyNotOpen() {
      return (this.id === 0 && module.failure()) || TEXT_NOT_OPEN;
    }

    /**
     * @param {any} option
     * @returns {Promise<{ errMsg: string }>}
     */
    close(option = bare()) {
      if (this.phase === WAITING) return this.whenJudged(() => this.close(option));
      if (module.isPaused) return whenFree(() => this.close(option));
      const { fault, code, reason, callbacks } = readClose(option);
      if (this.phase === SERVED) {
        if (fault) return outcome(callbacks, false, `closeSocket:fail parameter error: ${fault}`);
        return this.callOther('close', { code, reason }, callbacks, 'closeSocket');
      }
      if (this.phase !== ENDED) {
        const bytes = new TextEncoder().encode(reason).length;
        const answer = module.enter('close', this.id, fault, code, bytes);
        if (typeof answer === 'string') return outcome(callbacks, false, answer);
        if (answer) {
          this.leave(code, reason);
          replayNewest();
        }
      }
      return outcome(callbacks, true, 'closeSocket:ok');
    }

    get readyState() {
      if (this.phase === ENDED) return 3;
      if (this.phase === WAITING) return 0;
      if (this.phase === SERVED) return this.other.readyState ?? Number(this.opened);
      const { readyState } = this.ws;
      if (module.isPaused) return readyState;
      const state = module.enter('state', this.id);
      // The WebSocket learns first that the peer is closing, so its CLOSING wins. Its OPEN may be the relay's only, and its
      // CLOSED that of an attempt which is followed by another: then Go's state counts.
      return readyState > 1 && !this.isBetween() ? Math.max(readyState, state) : state;
    }
  }

  /** @param {Call} call */
  const needsRelay = ({ unsendable }) => Object.values(unsendable).some((value) => value !== undefined);

  /** @param {unknown} handler */
  function isHandler(handler) {
    if (typeof handler === 'function') return true;
    console.warn(`connectSocket: ${describe(mismatch('a handler', 'Function', handler))}; it is ignored`);
    return false;
  }

  /**
   * Makes a call when Go may be entered.
   * @param {() => Promise<{ errMsg: string }>} call
   */
  const whenFree = (call) => later(module.whenFree, call);

  /** The task that the global functions are for, if there is one. */
  function newest() {
    const own = module.go && !module.isPaused && connections.get(module.enter('newest'));
    const other = [...served].filter(({ readyState }) => readyState < 2).pop();
    return own?.id > (other?.id ?? 0) ? own : other;
  }

  /**
   * @param {number} kind
   * @param {0 | 1} on
   */
  function listenGlobal(kind, on) {
    module.whenFree(() => {
      if (module.go) module.enter('listen', 0, kind, on);
    });
  }

  /** A slot came back: the global handlers may now be an older task's. */
  function replayNewest() {
    if (globals.kinds().length > 0) newest()?.queueReplay();
  }

  return {
    newest,

    /**
     * Begins a connection.
     * @param {Call} call
     * @param {() => void} resolve called when the call is accepted, after its callbacks
     * @param {(res: { errMsg: string }) => void} reject called when it is refused, after its callbacks
     */
    connect(call, resolve, reject) {
      if (constructing) {
        shimCalled = true;
        throw new Error('connectSocket was called by its own WebSocket');
      }
      const connection = new Connection(call, resolve, reject);
      connection.begin();
      return connection;
    },

    /**
     * Registers a handler of the global functions.
     * @param {number} kind
     * @param {Callback} handler
     */
    onGlobal(kind, handler) {
      if (!isHandler(handler) || !globals.add(kind, handler)) return;
      listenGlobal(kind, 1);
      for (const connection of connections.values()) connection.queueReplay();
    },

    /**
     * Takes a handler of the global functions off, or all of a kind.
     * @param {number} kind
     * @param {Callback} [handler]
     */
    offGlobal(kind, handler) {
      if (globals.remove(kind, handler)) listenGlobal(kind, 0);
    },

    /** Tells a new Go half what it has to know. */
    start() {
      for (const kind of globals.kinds()) module.go.listen(0, kind, 1);
    },

    /**
     * Ends every task: the Go half has died.
     * @param {string} reason
     */
    endAll(reason) {
      slots.clear();
      const errMsg = `connectSocket:fail ${reason}`;
      const live = [...connections.values()];
      for (const connection of live) connection.finish(errMsg);
      if (live.length > 0) {
        globals.deliver(ERROR, { errMsg });
        globals.deliver(CLOSE, lostClose());
      }
    },

    stats: () => ({ tasks: connections.size + served.size, ...slots.stats() }),
  };
}

/** @typedef {ReturnType<typeof createConnections>} Connections */
/** @typedef {ReturnType<Connections['connect']>} Connection */
