/**
 * What a page has before the package, to tell what may stay behind: it counts the timers and listeners of the package. The
 * listeners of its WebSockets are counted apart, for they go with them.
 */
export function census() {
  const page = /** @type {any} */ (globalThis);
  const isOurs = () => /connectsocket\.js/.test(String(new Error().stack));
  const timers = new Set();
  let mostTimers = 0;
  const { setTimeout, clearTimeout } = page;
  page.setTimeout = (/** @type {Function} */ f, /** @type {number} */ ms, /** @type {any[]} */ ...args) => {
    const id = setTimeout(() => {
      timers.delete(id);
      f(...args);
    }, ms);
    if (isOurs()) mostTimers = Math.max(mostTimers, timers.add(id).size);
    return id;
  };
  page.clearTimeout = (/** @type {number} */ id) => {
    timers.delete(id);
    clearTimeout(id);
  };
  let [listeners, ofSockets] = [0, 0];
  for (const [name, step] of Object.entries({ addEventListener: 1, removeEventListener: -1 })) {
    const prototype = /** @type {any} */ (EventTarget.prototype);
    const own = prototype[name];
    prototype[name] = function (/** @type {any[]} */ ...args) {
      if (isOurs()) {
        if (this instanceof WebSocket) ofSockets++;
        else listeners += step;
      }
      return own.apply(this, args);
    };
  }
  page.census = () => ({ timers: timers.size, mostTimers, listeners, ofSockets });
}
