import { fromHex, hasBytes } from './bytes.js';

/**
 * One line of a log: a message, or an event of the connection in words.
 * @typedef {object} Entry
 * @property {number} n counts from 1
 * @property {number} time milliseconds since 1970
 * @property {'sent' | 'received' | 'event'} direction
 * @property {string | ArrayBuffer} data
 * @property {number} size bytes; of text as UTF-8
 */

/** What is kept, whichever is reached first; the newest entry is kept whatever its size. */
export const KEEP_ENTRIES = 5000;
const KEEP_BYTES = 32 << 20;

const utf8 = new TextEncoder();

/** The newest messages and events of a connection, and those of them that a search lets through. */
export class Entries {
  messages = 0; // in all, kept or not
  events = 0;

  /** @type {Entry[]} */
  #kept = [];
  #bytes = 0;
  /** @type {Entry[]} */
  #shown = this.#kept;
  #gone = 0;
  /** @type {((entry: Entry) => boolean) | undefined} */
  #matches;

  get kept() {
    return this.#kept;
  }

  /** Those that the search lets through, the oldest first. */
  get shown() {
    return this.#shown;
  }

  get searching() {
    return this.#matches !== undefined;
  }

  /**
   * Adds one, and forgets the oldest beyond what is kept.
   * @param {Entry['direction']} direction
   * @param {Entry['data']} data
   * @returns {number} its size in bytes
   */
  add(direction, data) {
    const size = typeof data === 'string' ? utf8.encode(data).length : data.byteLength;
    if (direction === 'event') this.events++;
    else this.messages++;
    const entry = { n: this.messages + this.events, time: Date.now(), direction, data, size };
    this.#kept.push(entry);
    this.#bytes += size;
    if (this.#matches?.(entry)) this.#shown.push(entry);
    while (this.#kept.length > KEEP_ENTRIES || (this.#bytes > KEEP_BYTES && this.#kept.length > 1)) {
      const oldest = this.#kept[0];
      if (this.#shown[0] === oldest) {
        this.#gone++;
        if (this.#matches) this.#shown.shift();
      }
      this.#kept.shift();
      this.#bytes -= oldest.size;
    }
    return size;
  }

  /** Forgets all; the counts go on. */
  clear() {
    this.#kept = [];
    this.#bytes = 0;
    this.#shown = this.#matches ? [] : this.#kept;
  }

  /** How many of those shown were forgotten since this was last asked. */
  takeGone() {
    const gone = this.#gone;
    this.#gone = 0;
    return gone;
  }

  /**
   * Shows only the entries of a direction that have a text in them, in any case; binary ones also by bytes in hex.
   * @param {string} direction empty for all
   * @param {string} query empty for all
   */
  search(direction, query) {
    this.#matches = direction || query ? matcher(direction, query) : undefined;
    this.#shown = this.#matches ? this.#kept.filter(this.#matches) : this.#kept;
    this.#gone = 0;
  }
}

/**
 * @param {string} direction
 * @param {string} query
 * @returns {(entry: Entry) => boolean}
 */
function matcher(direction, query) {
  const lower = query.toLowerCase();
  const needles = [utf8.encode(query)];
  const bytes = fromHex(query);
  if (bytes) needles.push(new Uint8Array(bytes));
  return (entry) => {
    if (direction && entry.direction !== direction) return false;
    const { data } = entry;
    return typeof data === 'string'
      ? data.toLowerCase().includes(lower)
      : needles.some((needle) => hasBytes(data, needle));
  };
}
