/**
 * The rest of a module that is delivered in two parts: fetched when the page is idle, or at once when a function in it is
 * called before that. It joins the first part's table and memory; see split/README.md.
 */
import { messageOf, noop } from '../internal/jsbridge/outcome.js';
import { get, getNow, streams } from './files.js';
import { sha256 } from './sha256.js';

// Milliseconds: from the start of the module to the fetch, where there is no first onOpen before; between attempts.
const AT_THE_LATEST = 2000;
const PAUSE = 1000;
const LONGEST_PAUSE = 60_000;

/**
 * @typedef {object} Rest
 * @property {() => void} load the module's import: called by it when it wants a function that is not there
 * @property {(sources: Sources) => void} setSources says where to fetch from
 * @property {(imports: WebAssembly.ModuleImports, exports: any) => void} follow is called with each instance of the
 *   first part that runs
 * @property {() => void} fetchWhenIdle
 * @property {() => { restJoined: boolean, restForced: number }} stats
 *
 * @typedef {Array<string | Response | Promise<Response>>} Sources URLs and responses, tried in order
 */

/**
 * @param {string} hash the SHA-256 of the file, in Base64
 * @param {object} owner
 * @param {(error: unknown) => void} owner.onLoss called when the module wanted the rest and it cannot be had: Go's stack
 *   is then cut off, and it must not be entered again
 * @param {(f: () => void) => void} owner.pause calls f, and puts off meanwhile what would enter Go: an engine may deliver
 *   events while a synchronous request waits
 * @returns {Rest}
 */
export function createRest(hash, { onLoss, pause }) {
  /** @type {Sources} */
  let sources = [];
  /** @type {WebAssembly.Module | undefined} */
  let module;
  /** @type {{ imports: WebAssembly.ModuleImports, exports: any } | undefined} */
  let first;
  let fetching = false;
  let forced = 0;

  /** Puts functions and data in place: in one go, so that nothing runs in between. */
  function join() {
    if (!module || !first || first.exports.joined.value === 1) return;
    new WebAssembly.Instance(module, { gojs: first.imports, first: first.exports });
    first.exports.joined.value = 1;
  }

  /** @param {Uint8Array} bytes @param {string} url */
  function check(bytes, url) {
    if (sha256(bytes) !== hash)
      throw new Error(`${url} is not the rest of this module: its SHA-256 is another`);
  }

  async function fetchInTime() {
    if (fetching || !first) return;
    fetching = true;
    for (let pause = PAUSE; !module; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      const fetched = await fetchOnce();
      module ??= fetched;
      if (!module) await sleep(pause);
    }
    fetching = false;
    join();
  }

  /** The module from the first source that has it. */
  async function fetchOnce() {
    for (const source of sources) {
      try {
        return await compile(source);
      } catch {} // the next one may have it, or the next attempt
    }
  }

  /** @param {Sources[number]} source */
  async function compile(source) {
    const isURL = typeof source === 'string';
    const response = await (isURL ? get(source, { integrity: `sha256-${hash}` }) : source);
    if (isURL && streams(response)) return WebAssembly.compileStreaming(response); // the browser has checked it
    const bytes = new Uint8Array(await response.arrayBuffer());
    check(bytes, response.url);
    return WebAssembly.compile(bytes);
  }

  /** The module, without giving anything else time to run. */
  function fetchNow() {
    let why;
    for (const url of sources) {
      if (typeof url !== 'string') continue; // its bytes may not have come yet
      try {
        const bytes = getNow(url);
        check(bytes, url);
        return new WebAssembly.Module(bytes);
      } catch (error) {
        why = error;
      }
    }
    throw new Error(`the rest of the module could not be had: ${messageOf(why)}`);
  }

  return {
    load() {
      pause(() => {
        try {
          if (!module) {
            forced++;
            module = fetchNow();
          }
          join();
        } catch (error) {
          onLoss(error);
          throw error;
        }
      });
    },
    setSources(given) {
      sources = given;
      // A response that fails is noticed when it is its turn.
      for (const source of given) Promise.resolve(source).catch(noop);
    },
    follow(imports, exports) {
      first = { imports, exports };
      join();
      if (!module) later(fetchInTime, AT_THE_LATEST);
    },
    fetchWhenIdle() {
      if (module || fetching) return;
      if (typeof requestIdleCallback === 'function') requestIdleCallback(fetchInTime);
      else later(fetchInTime, 0);
    },
    stats: () => ({ restJoined: first?.exports.joined.value === 1, restForced: forced }),
  };
}

/**
 * Calls f after some time; a program in Node may end before that.
 * @param {() => void} f
 * @param {number} ms
 */
const later = (f, ms) => /** @type {any} */ (setTimeout(f, ms)).unref?.();

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => later(() => resolve(undefined), ms));
