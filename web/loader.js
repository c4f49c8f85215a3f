// The toolchain's own file as a function of the global object that it is to see: see build.mjs.
import wasmExec from 'go:wasm_exec';
import { createBridge } from '../internal/jsbridge/bridge.js';
import { baseURL, parseURL } from '../internal/jsbridge/option.js';
import { bare, messageOf, noop, run as runCallback } from '../internal/jsbridge/outcome.js';
import { HELD_SLOTS } from '../internal/jsbridge/wire.js';
import { isResponse, locate, openFile, streams } from './files.js';
import { createRest } from './rest.js';
import { goGlobal, resume, stateOf } from './restore.js';

/**
 * @typedef {import('./connectsocket.js').LoadOption} LoadOption
 * @typedef {import('./connectsocket.js').Api} Api
 */

// On the global object, where every copy of this script finds it: there is one module in a page.
const MARK = Symbol.for('connectsocket');

// A module that dies is started again by the next call, after a pause that doubles (milliseconds); one that has run for a
// minute counts as new.
const RESTARTS = 3;
const BACKOFF = 100;
const STABLE = 60_000;

const NO_WEBSOCKET = `there is no WebSocket here${IN_PAGE ? '' : '; Node.js before 22 needs that of the package ws'}`;

/**
 * Returns the page's connectSocket and all that goes with it; the first copy of the script makes it.
 * @param {import('./files.js').Files} files where the module's files are if load is given no URL
 * @returns {Api}
 */
export function connectsocket(files) {
  const page = /** @type {any} */ (globalThis);
  if (page[MARK]) return page[MARK];

  const bridge = createBridge(undefined, VERSION, { begin, restarts, onOpen: () => rest.fetchWhenIdle() });
  const { module } = bridge;
  const rest = createRest(REST_SHA256, { onLoss, pause: module.pause });
  /** @type {Promise<void> | undefined} what load returned, unless that has failed */
  let loading;
  /** @type {LoadOption['wasm']} of the next try */
  let source;
  /** @type {LoadOption['rest']} */
  let restSource;
  /** @type {LoadOption['onProgress']} */
  let progress;
  let begun = false; // a try that has not failed
  /** @type {WebAssembly.Module | undefined} compiled, for another start */
  let compiled;
  /** @type {import('./restore.js').State | undefined} of a module that was captured */
  let captured;
  /** @type {any} */
  let program;
  /** @type {any} the global object as the program sees it */
  let global;
  let plain = false; // the next start is that of the plain module
  let started = 0; // by performance.now
  let deaths = 0;
  let dead = false; // and may be started again

  /** @param {LoadOption} [option] */
  function load(option) {
    const { wasm, rest: late, onProgress, ...limits } = bare(option);
    if (begun && Object.keys(limits).length > 0) {
      console.warn('connectSocket: it is too late for these settings:', limits);
    }
    if (loading) return loading;
    if (!begun) {
      try {
        bridge.set(checked(limits));
        source = wasm ?? source;
        restSource = late ?? restSource;
        progress = onProgress;
        module.wake(true);
      } catch (error) {
        giveUp(error, true); // no call may go out without the limits that the page wants
      }
    }
    loading = new Promise((resolve, reject) =>
      module.whenSettled(() => (module.failure() ? reject(new Error(module.failure())) : resolve())),
    );
    loading.catch(() => {
      loading = undefined; // the next call tries again
    });
    return loading;
  }

  /** Called when a call needs the module, or its load. */
  function begin() {
    begun = true;
    if (dead) {
      dead = false;
      setTimeout(() => startAgain().catch(giveUp), BACKOFF * 2 ** (deaths - 1));
    } else {
      // A response can be used once. Fetching the file in its place is not for us: the page may have asked for its integrity.
      start().catch((error) => giveUp(error, isResponse(source)));
    }
  }

  /** Called when the module has died: whether begin may start it again. */
  function restarts() {
    if (performance.now() - started > STABLE) deaths = 0;
    dead = deaths < RESTARTS;
    deaths++;
    program = undefined;
    return dead;
  }

  /**
   * @param {unknown} error
   * @param {boolean} [forGood] whether no other try can succeed
   */
  function giveUp(error, forGood = false) {
    begun = false;
    module.fail(messageOf(error), forGood);
  }

  async function start() {
    Promise.resolve(source).catch(noop); // who gave it may see it fail before it is its turn
    if (typeof WebAssembly !== 'object') throw new Error('this page has no WebAssembly');
    if (typeof WebSocket !== 'function') throw new Error(NO_WEBSOCKET);
    const file = await openFile(files, 'wasm', source, baseURL());
    const onProgress = progress;
    /** @type {LoadOption['onProgress']} */
    const told = onProgress && ((state) => runCallback(onProgress, state));
    const { instance, module: code } = await instantiate(file.response, newProgram(), told).catch((error) =>
      diagnose(file, error),
    );
    if (!instance.exports.event) throw new Error(`${file.url} is not a connectsocket module`);
    compiled = code;
    captured = stateOf(code);
    if (captured?.rest && captured.rest !== REST_SHA256) {
      throw new Error(`${file.url} is of another build than this script: serve the files of one build`);
    }
    rest.setSources(restSources(file.url));
    run(instance);
  }

  /**
   * Where the rest may be: where load names it, or else beside the script; and beside the first part, first of all if that
   * has kept its name.
   * @param {string} url of the first part
   * @returns {import('./rest.js').Sources}
   */
  function restSources(url) {
    /** @type {Array<string | Response | Promise<Response>>} */
    const sources = [];
    const places = [
      () => locate(files, 'rest', restSource, baseURL()),
      () => new URL('connectsocket.rest.wasm', url).href,
    ];
    if (restSource === undefined && /\/connectsocket\.wasm(?:$|\?)/.test(url)) places.reverse();
    for (const find of places) {
      try {
        sources.push(find());
      } catch {} // there is no such place
    }
    return sources;
  }

  /**
   * Called when the module wanted its rest and it cannot be had: what runs has ended, and the next start needs no rest.
   * @param {unknown} why
   */
  function onLoss(why) {
    const mine = program;
    plain = true;
    queueMicrotask(() => {
      if (mine === program) module.die(why); // unless the one who called Go has caught it
    });
  }

  async function startAgain() {
    if (plain) {
      const { response } = await openFile(files, 'full', undefined, baseURL());
      const full = await instantiate(response, newProgram(), undefined);
      plain = false;
      captured = undefined;
      compiled = full.module;
      run(full.instance);
    } else {
      run(await WebAssembly.instantiate(/** @type {WebAssembly.Module} */ (compiled), newProgram()));
    }
  }

  /** @returns {WebAssembly.Imports} */
  function newProgram() {
    global = goGlobal(bridge);
    program = new (wasmExec(global))();
    program.importObject.gojs.load = rest.load;
    return program.importObject;
  }

  /** @param {WebAssembly.Instance} instance */
  function run(instance) {
    const mine = program;
    /** @param {unknown} why */
    const die = (why) => {
      if (mine === program) module.die(why);
    };
    started = performance.now();
    module.exports = instance.exports;
    // run reports an exit only if Go was entered by it; exit always does, with Go still on the stack.
    mine.exit = (/** @type {number} */ code) =>
      queueMicrotask(() => die(new Error(`it has exited with code ${code}`)));
    if (captured?.rest) rest.follow(mine.importObject.gojs, instance.exports);
    (captured ? resume(mine, instance, global, captured) : mine.run(instance)).catch(die);
  }

  const api = {
    load,
    ready: module.ready,
    stats: () => ({
      ...bridge.stats(),
      memory: program?._inst?.exports.mem.buffer.byteLength ?? 0,
      values: program?._values?.length ?? 0,
      ...rest.stats(),
    }),
    ...bridge.family,
    ...bridge.off,
    connectTask: bridge.connectTask,
    install: bridge.install,
  };
  Object.assign(bridge.family.connectSocket, api);
  Object.defineProperty(page, MARK, bare({ value: api }));
  // What an element of that id gives is nobody's own.
  if (!Object.getOwnPropertyDescriptor(page, 'connectSocket'))
    page.connectSocket = bridge.family.connectSocket;
  else if (IN_PAGE) console.warn('connectSocket: the page has its own, and keeps it');
  return /** @type {Api} */ (/** @type {unknown} */ (api));
}

/**
 * Makes URLs of settings absolute and throws on what they cannot be.
 * @param {import('./connectsocket.js').Settings} limits
 */
function checked(limits) {
  const settings = bare(limits);
  const { relay, domains } = settings;
  /**
   * @param {keyof typeof settings} name
   * @param {string} want
   * @param {(value: any) => boolean} isIt
   */
  const check = (name, want, isIt) => {
    const value = settings[name];
    if (value !== undefined && !isIt(value)) {
      throw new Error(`${name} should be ${want} instead of ${String(value)}`);
    }
  };
  /** @param {keyof typeof settings} name @param {number} [most] */
  const checkLimit = (name, most = 2 ** 31 - 1) =>
    check(
      name,
      `a whole number from 1 to ${most}`,
      (value) => Number.isInteger(value) && value > 0 && value <= most,
    );
  checkLimit('maxSockets');
  checkLimit('maxHeldBytes');
  checkLimit('maxHeldMessages', HELD_SLOTS);
  check('onLimit', 'fail or replace', (value) => value === 'fail' || value === 'replace');
  check('fallback', 'a function', (value) => typeof value === 'function');
  if (relay !== undefined) {
    settings.relay = parseURL(relay)?.href;
    if (!/^wss?:/.test(`${settings.relay}`)) throw new Error(`invalid relay URL "${relay}"`);
  }
  if (domains !== undefined) {
    settings.domains = domains.map((domain) => {
      const { protocol, host } = new URL(domain);
      return `${protocol}//${host}`;
    });
  }
  return settings;
}

/**
 * @param {Response} response
 * @param {WebAssembly.Imports} imports
 * @param {LoadOption['onProgress']} onProgress
 * @returns {Promise<WebAssembly.WebAssemblyInstantiatedSource>}
 */
async function instantiate(response, imports, onProgress) {
  // A clone is read beside, not a wrapped body: only the fetched response itself finds its compiled code cached.
  const watched = onProgress && response.body ? watch(response.clone(), onProgress) : undefined;
  const [source] = await Promise.all([
    streams(response)
      ? WebAssembly.instantiateStreaming(response, imports)
      : response.arrayBuffer().then((bytes) => WebAssembly.instantiate(bytes, imports)),
    watched,
  ]);
  return source;
}

/**
 * Says in words of use to a person why a module that has arrived could not be instantiated: engines tell a policy,
 * a truncated file and a foreign one in ways of their own.
 * @param {import('./files.js').File} file
 * @param {unknown} error
 * @returns {Promise<never>}
 */
async function diagnose({ url, open, hint }, error) {
  const smallest = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0); // module there is; all begin with it
  try {
    await WebAssembly.instantiate(smallest);
  } catch {
    throw new Error(
      "this page's Content-Security-Policy forbids WebAssembly: script-src needs 'wasm-unsafe-eval'",
    );
  }
  const response = await open();
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.subarray(0, 8).some((byte, i) => byte !== smallest[i])) {
    throw new Error(`${url} is not WebAssembly but ${response.headers.get('content-type')}${hint}`);
  }
  if (bytes.length < WASM_BYTES)
    throw new Error(`${url} is truncated: ${bytes.length} of ${WASM_BYTES} bytes`);
  throw new Error(`${url}: ${error}`);
}

/**
 * @param {Response} response
 * @param {NonNullable<LoadOption['onProgress']>} onProgress
 */
async function watch({ body }, onProgress) {
  if (!body) return;
  const reader = body.getReader();
  let loaded = 0;
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    loaded += chunk.value.byteLength;
    // Content-Length counts what is compressed.
    onProgress({ loaded, total: Math.max(loaded, WASM_BYTES) });
  }
}
