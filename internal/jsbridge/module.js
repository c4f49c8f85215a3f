/**
 * The Go half as the JavaScript half sees it: whether it runs, the calls into it, and the calls that wait for it.
 *
 *            wake               start
 *     idle ────────► loading ──────────► running
 *      ▲               │  ▲                 │
 *      │          fail │  │ wake            │ die
 *      │               ▼  │ unless final    │
 *      │              failed ◄──────────────┤
 *      └────────────────────────────────────┘ if it may start again
 */
import { describe } from './option.js';
import { noop } from './outcome.js';
import { ENTRANCES } from './wire.js';

const IDLE = 0;
const LOADING = 1;
const RUNNING = 2;
const FAILED = 3;

/**
 * What loads the module and starts it.
 * @typedef {object} Host
 * @property {() => void} begin called when a call needs the module: it leads to `start` or `fail`
 * @property {() => boolean} restarts called at each death; it says whether `begin` may start another module
 * @property {() => void} onOpen called when a connection has opened
 */

/**
 * @param {object} option
 * @param {string} option.version of the script; a module of another version is refused, unless it is empty
 * @param {Host} option.host
 * @param {() => object} option.configuration gives the fields of SETTINGS, except lastId
 * @param {() => void} option.onStart called when the module can be entered, before the calls that wait
 * @param {(reason: string) => void} option.onDeath
 */
export function createModule({ version, host, configuration, onStart, onDeath }) {
  let state = IDLE;
  let final = false; // it has failed and is not tried again
  let failure = '';
  /** @type {Array<() => void>} */
  let waiting = [];
  /** @type {Array<() => void>} */
  let putOff = [];
  /** @type {(running?: unknown) => void} */
  let markReady = noop;
  /** @type {(reason: Error) => void} */
  let markFailed = noop;
  const ready = new Promise((resolve, reject) => {
    markReady = resolve;
    markFailed = reject;
  });
  ready.catch(noop);

  function flush() {
    const calls = waiting;
    waiting = [];
    for (const call of calls) call();
  }

  const module = {
    /** @type {any} its functions, while it runs */
    go: undefined,

    /** @type {any} the instance's exports, if the loader has them */
    exports: undefined,

    /** The newest id of a task: no task of a later module gets it again. */
    lastId: 0,

    /** Resolves when it runs for the first time; rejects when it fails before that. */
    ready,

    /** Why no call can succeed now; empty while there is hope. */
    failure: () => (state === FAILED ? failure : ''),

    /**
     * Begins to load it, if it is neither there nor on its way.
     * @param {boolean} [force] also if it has failed for good: the page asks for it
     */
    wake(force = false) {
      if (state !== IDLE && (state !== FAILED || (final && !force))) return;
      state = LOADING;
      host.begin();
    },

    /**
     * Calls f when it runs or has failed.
     * @param {() => void} f
     */
    whenSettled(f) {
      if (state === RUNNING || state === FAILED) module.whenFree(f);
      else waiting.push(f);
    },

    /** Whether Go waits for the rest of its code, in the middle of a function: it must not be entered then. */
    isPaused: false,

    /**
     * Calls f when Go may be entered: now, unless it is paused.
     * @param {() => void} f
     */
    whenFree(f) {
      if (module.isPaused) putOff.push(f);
      else f();
    },

    /**
     * Calls f, for Go. What would enter Go meanwhile is put off until Go has returned.
     * @param {() => void} f
     */
    pause(f) {
      module.isPaused = true;
      try {
        f();
      } finally {
        queueMicrotask(() => {
          module.isPaused = false;
          const calls = putOff;
          putOff = [];
          for (const call of calls) call();
        });
      }
    },

    /** Called when a connection has opened. */
    onOpen: host.onOpen,

    /**
     * Calls f, which calls into the Go half. If f throws, the Go half is dead.
     * @template T
     * @param {() => T} f
     * @returns {T | 0}
     */
    callGo(f) {
      try {
        return f();
      } catch (error) {
        module.die(error);
        return 0;
      }
    },

    /**
     * Calls a function of the Go half; 0 if that is dead.
     * @param {string} name
     * @param {unknown[]} args
     * @returns {any}
     */
    enter: (name, ...args) => module.callGo(() => module.go[name](...args)),

    /**
     * Ends the Go half. Where the host can start another, the next call waits for that.
     * @param {unknown} why
     */
    die(why) {
      if (state !== LOADING && state !== RUNNING) return;
      const ran = state === RUNNING;
      const reason = `the module has died: ${describe(why)}`;
      module.go = undefined;
      const again = host.restarts();
      if (!again) module.fail(reason, true);
      else if (ran) state = IDLE;
      else host.begin();
      if (ran) onDeath(reason);
    },

    /**
     * Refuses the calls that wait, and those to come until the next `wake`.
     * @param {string} why
     * @param {boolean} [forGood] whether there will be no other try
     */
    fail(why, forGood = false) {
      state = FAILED;
      final = forGood;
      failure = why;
      markFailed(new Error(why));
      flush();
    },

    /**
     * Called by the Go half once, when it can be entered.
     * @param {string} itsVersion
     * @param {(number: number, ...args: number[]) => any} dispatch enters the function of a number
     * @param {(settings: object) => void} configure
     * @param {(call: object, relayed: boolean) => unknown} connect
     * @param {(id: number, call: object, relayed: boolean) => unknown} renew
     * @param {(id: number, fault: string, code: number, reasonBytes: number) => unknown} close
     */
    start(itsVersion, dispatch, configure, connect, renew, close) {
      if (version && itsVersion !== version) {
        module.fail(`the module is of version ${itsVersion || 'unknown'}, the script of ${version}`);
        return;
      }
      state = LOADING; // a page may start it without being asked
      // Only after Go has returned: no code of the page runs with Go on the stack.
      queueMicrotask(() => {
        // A plain object also for exports: engines look a property of those up in a table, each time.
        module.go = { connect, renew, close };
        for (const [number, name] of ENTRANCES.split(' ').entries())
          module.go[name] = module.exports?.[name] ?? dispatch.bind(undefined, number);
        module.callGo(() => {
          configure({ ...configuration(), lastId: module.lastId });
          state = RUNNING;
          onStart();
        });
        if (state !== RUNNING) return;
        flush();
        markReady();
      });
    },
  };
  return module;
}

/** @typedef {ReturnType<typeof createModule>} Module */
