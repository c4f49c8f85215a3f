/**
 * What crosses the border with the Go half: numbers, texts and names. It is the twin of internal/task/wire.go, which says
 * what each of them means; a Go test there compares the two.
 */

// Kinds of event.
export const OPEN = 0;
export const MESSAGE = 1;
export const ERROR = 2;
export const CLOSE = 3;
export const FAILURE = 4;
export const DUE = 5;
export const STABLE = 6;
export const TICK = 7;

// Verbs of a decision.
export const NONE = 0;
export const DELIVER = 1;
export const DROP = 2;
export const KEEP = 3;
export const ABORT = 4;
export const SHED = 5;
export const ASK = 6;
export const ANSWER = 7;
export const RETRY = 8;
export const DIAL = 9;
export const BEAT = 10;

// The layout of a decision in 32 bits.
export const VERB_MASK = 15;
export const KIND_SHIFT = 4;
export const KIND_MASK = 3;
export const OWN_BIT = 64;
export const GLOBAL_BIT = 128;
export const MORE_BIT = 256;
export const SLOT_SHIFT = 9;
export const HELD_SLOTS = 4_194_304;

// Names: of the functions that take and return integers, and of the fields that configure the Go half.
export const ENTRANCES = 'event next listen send state discard evict newest down delay pause';
export const SETTINGS = 'lastId maxSockets replace maxHeldBytes maxHeldMessages domains';

// Defaults, and other numbers that both halves or users know.
export const DEFAULT_MAX_SOCKETS = 5;
export const DEFAULT_TIMEOUT = 60_000;
export const DEFAULT_MAX_HELD_BYTES = 16_777_216;
export const DEFAULT_MAX_HELD_MESSAGES = 10_000;
export const DEFAULT_INTERVAL = 30_000;
export const DEFAULT_ANSWER = 10_000;
export const UPTIME = 5_000;
export const CODE_TOO_MUCH_HELD = 4008;
export const CODE_LOST = 1006;
export const MAX_TIMER = 2_147_483_647;

// Texts of an errMsg.
export const TEXT_NOT_OPEN = 'SocketTask.readyState is not OPEN';
export const TEXT_NOT_CONNECTED = 'WebSocket is not connected';
export const TEXT_TIMEOUT = 'connectSocket:fail timeout';
export const TEXT_BAD_ANSWER = "connectSocket:fail the relay's answer is not understood";
export const TEXT_SILENT =
  'connectSocket:fail the connection is lost: nothing was received after a heartbeat';
export const TEXT_TOO_MUCH_HELD =
  'connectSocket:fail too many messages without an onMessage handler, closed with 4008';

/** Payloads on their way to a decision, or held by one. A slot is the index of a payload. */
export function createSlots() {
  /** @type {any[]} */
  const slots = [];
  /** @type {number[]} */
  const free = [];
  return {
    /** @param {unknown} payload */
    put(payload) {
      const slot = free.pop() ?? slots.length;
      slots[slot] = payload;
      return slot;
    },

    /**
     * Takes the payload out and frees its slot.
     * @param {number} slot
     */
    take(slot) {
      const payload = slots[slot];
      slots[slot] = undefined;
      free.push(slot);
      return payload;
    },

    clear() {
      slots.length = 0;
      free.length = 0;
    },

    stats: () => ({ slots: slots.length, slotsInUse: slots.length - free.length }),
  };
}
