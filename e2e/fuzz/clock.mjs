/**
 * A timer: when it fires, and by which delay; deadline and ms are undefined if no delay was given.
 *
 * @typedef {{ due: number, deadline: number | undefined, ms: number | undefined, f: () => void }} Timer
 */

// When the loader fetches the rest of the module, see web/rest.js.
const REST = 2000;

/**
 * Time that passes when it is told to. Timers of Go's runtime and of the loader stay the browser's.
 */
export class Clock {
  now = 1_000_000;
  /** @type {Map<number, Timer>} */
  timers = new Map();
  /** Whether the Go runtime is setting a timer. */
  goes = false;
  #last = 2 ** 40; // no browser's timer has such a number

  /** Puts the clock in the place of the page's. */
  install() {
    const { setTimeout, clearTimeout } = globalThis;
    Date.now = () => this.now;
    globalThis.setTimeout = /** @type {any} */ (
      (/** @type {() => void} */ f, /** @type {number | undefined} */ ms) => {
        if (this.goes || ms === REST) return setTimeout(f, ms);
        const deadline = ms === undefined ? undefined : this.now + ms;
        this.timers.set(++this.#last, { due: Math.max(deadline ?? 0, this.now), deadline, ms, f });
        return this.#last;
      }
    );
    globalThis.clearTimeout = (id) => {
      if (!this.timers.delete(Number(id))) clearTimeout(id);
    };
  }

  /**
   * Takes the timer that is due first, if one is until a time, and sets the clock to it.
   *
   * @param {number} until
   * @returns {Timer | undefined}
   */
  take(until) {
    let first;
    for (const entry of this.timers) if (!first || entry[1].due < first[1].due) first = entry;
    if (!first || first[1].due > until) return undefined;
    const [id, timer] = first;
    this.timers.delete(id);
    this.now = Math.max(this.now, timer.due);
    return timer;
  }
}
