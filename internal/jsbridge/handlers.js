/**
 * Lists of handlers, a list for each kind of event: a task's own, or those of the global functions.
 */
import { run } from './outcome.js';

/** @typedef {import('./outcome.js').Callback} Callback */

/** The names of the events that have handlers, by their kinds. */
export const EVENTS = /** @type {const} */ (['Open', 'Message', 'Error', 'Close']);

/** @typedef {(typeof EVENTS)[number]} EventName */

export function createHandlers() {
  /** @type {ReadonlyArray<Callback>[]} each list is replaced when it changes, so that a delivery goes on with the old one */
  const lists = EVENTS.map(() => []);
  /** @type {Array<[kind: number, payload: unknown]>} events of a task that has ended, until there is a handler */
  const kept = [];

  /** @param {number} kind */
  const list = (kind) => lists[kind];

  /**
   * Delivers a payload. A handler that is added meanwhile is not called, nor is one that is removed before its turn.
   * @param {number} kind
   * @param {unknown} payload
   * @param {ReadonlyArray<Callback>} [handlers] those that were there when the delivery began
   */
  function deliver(kind, payload, handlers = lists[kind]) {
    for (let i = 0; i < handlers.length; i++) {
      if (handlers === lists[kind] || lists[kind].includes(handlers[i])) run(handlers[i], payload);
    }
  }

  return {
    list,
    deliver,

    /**
     * Adds a handler; the same function twice is called once.
     * @param {number} kind
     * @param {Callback} handler
     * @returns {boolean} whether it is the first of its kind
     */
    add(kind, handler) {
      if (lists[kind].includes(handler)) return false;
      lists[kind] = [...lists[kind], handler];
      return lists[kind].length === 1;
    },

    /**
     * Removes a handler, or all of a kind.
     * @param {number} kind
     * @param {Callback} [handler]
     * @returns {boolean} whether that was the last of its kind
     */
    remove(kind, handler) {
      const before = lists[kind].length;
      lists[kind] = handler ? lists[kind].filter((each) => each !== handler) : [];
      return before > 0 && lists[kind].length === 0;
    },

    /** The kinds that have a handler. */
    kinds: () => lists.flatMap(({ length }, kind) => (length > 0 ? [kind] : [])),

    /**
     * Keeps a payload of a task that has ended.
     * @param {number} kind
     * @param {unknown} payload
     */
    keep: (kind, payload) => kept.push([kind, payload]),

    /** Delivers what is kept and has a handler now, in the order in which it came. */
    replay() {
      for (const event of kept.splice(0)) {
        if (lists[event[0]].length > 0) deliver(...event);
        else kept.push(event);
      }
    },
  };
}
