/**
 * Whether it makes sense to reconnect now: the page is online, and somebody sees it.
 */

const isAway = () =>
  globalThis.navigator?.onLine === false || globalThis.document?.visibilityState === 'hidden';

export function createPresence() {
  /** @type {Set<() => void> | undefined} undefined until something waits: most pages need no listeners */
  let waiting;

  function comeBack() {
    if (!waiting || isAway()) return;
    const calls = [...waiting];
    waiting.clear();
    for (const call of calls) call();
  }

  return {
    /**
     * Calls f now, or when the page is back.
     * @param {() => void} f
     */
    whenBack(f) {
      if (!isAway()) {
        f();
        return;
      }
      if (!waiting) {
        waiting = new Set();
        addEventListener('online', comeBack);
        globalThis.document?.addEventListener('visibilitychange', comeBack);
      }
      waiting.add(f);
    },

    /**
     * Forgets f.
     * @param {() => void} f
     */
    forget(f) {
      waiting?.delete(f);
    },
  };
}
