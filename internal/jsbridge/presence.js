/**
 * Whether the page is online, and whether somebody sees it: the browser's hints, which may be wrong.
 */

const isOffline = () => globalThis.navigator?.onLine === false;
const isHidden = () => globalThis.document?.visibilityState === 'hidden';

export function createPresence() {
  /** @type {Set<() => void>} */
  const online = new Set();
  /** @type {Set<() => void>} */
  const visible = new Set();

  /** @param {Set<() => void>} calls */
  function callAll(calls) {
    const now = [...calls];
    calls.clear();
    for (const f of now) f();
  }

  globalThis.addEventListener?.('online', () => isOffline() || callAll(online));
  globalThis.document?.addEventListener?.('visibilitychange', () => isHidden() || callAll(visible));

  return {
    isOffline,
    isHidden,

    /**
     * Calls f once when the browser says that the page is online again.
     * @param {() => void} f
     */
    whenOnline(f) {
      online.add(f);
    },

    /**
     * Calls f once when the page is visible again.
     * @param {() => void} f
     */
    whenVisible(f) {
      visible.add(f);
    },

    /**
     * Forgets f.
     * @param {() => void} f
     */
    forget(f) {
      online.delete(f);
      visible.delete(f);
    },
  };
}
