import { find, instance, show } from './dom.js';
import { formatBytes, formatCount, formatTime, hexDump, hexLine } from './format.js';

/**
 * One line of a log: a message, or an event of the connection in words.
 * @typedef {object} Frame
 * @property {number} n counts from 1
 * @property {number} time milliseconds since 1970
 * @property {'sent' | 'received' | 'event'} direction
 * @property {string | ArrayBuffer} data
 * @property {number} size bytes; of text as UTF-8
 */

// What a log keeps, whichever is reached first; the newest frame is kept whatever its size.
const KEEP_FRAMES = 500;
const KEEP_BYTES = 32 << 20;

// How much of a chosen frame is shown at first, and how much more each time.
const SHOWN_BYTES = 4 << 10;
const MORE_TIMES = 16;

const utf8 = new TextEncoder();

/**
 * The last frames of a connection, drawn at most once an animation frame: adding one costs the same however
 * fast they come. The arrow keys or a click choose a frame, which is then shown whole below.
 */
export class Log {
  /** @type {Frame[]} */
  #frames = [];
  #bytes = 0;
  #count = 0;
  #drawn = 0;
  #scheduled = false;
  #following = true;
  #shown = SHOWN_BYTES;
  /** @type {Frame | undefined} */
  #chosen;

  #id;
  #rows;
  #counter;
  #latest;
  #payload;
  #more;

  /**
   * @param {HTMLElement} root the log's section, as the template has it
   * @param {string} id unique in the page
   */
  constructor(root, id) {
    this.#id = id;
    this.#rows = find(root, '.frames', HTMLElement);
    this.#counter = find(root, '.count', HTMLElement);
    this.#latest = find(root, '.latest', HTMLElement);
    this.#payload = find(root, '.payload', HTMLElement);
    this.#more = find(root, '.more', HTMLElement);

    this.#rows.addEventListener('keydown', (event) => this.#key(event));
    this.#rows.addEventListener('click', ({ target }) => {
      const row = target instanceof Element && target.closest('.frame');
      if (!row) return;
      this.#rows.focus();
      this.#choose(this.#frames.find((frame) => this.#rowId(frame) === row.id));
    });
    this.#rows.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#rows;
      this.#following = scrollHeight - scrollTop - clientHeight < 8;
      this.#latest.hidden = this.#following;
    });
    this.#latest.addEventListener('click', () => {
      this.#rows.scrollTop = this.#rows.scrollHeight;
      this.#rows.focus();
    });
    find(root, '.clear', HTMLElement).addEventListener('click', () => this.clear());
    find(root, '.dismiss', HTMLElement).addEventListener('click', () => {
      this.#choose(undefined);
      this.#rows.focus();
    });
    find(root, '.save', HTMLElement).addEventListener('click', () => this.#save());
    this.#more.addEventListener('click', () => {
      this.#shown *= MORE_TIMES;
      this.#showChosen();
    });
  }

  /**
   * Adds a frame, and forgets the oldest beyond what is kept.
   * @param {Frame['direction']} direction
   * @param {Frame['data']} data
   * @returns {number} its size in bytes
   */
  add(direction, data) {
    const size = typeof data === 'string' ? utf8.encode(data).length : data.byteLength;
    this.#frames.push({ n: ++this.#count, time: Date.now(), direction, data, size });
    this.#bytes += size;
    while (this.#frames.length > KEEP_FRAMES || (this.#bytes > KEEP_BYTES && this.#frames.length > 1)) {
      this.#bytes -= this.#frames.shift()?.size ?? 0;
    }
    this.#schedule();
    return size;
  }

  /** Forgets all frames. */
  clear() {
    this.#frames = [];
    this.#bytes = 0;
    this.#choose(undefined);
    this.#schedule();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw() {
    const frames = this.#frames;
    const first = frames[0]?.n ?? this.#count + 1;
    // Rows stand for consecutive frames up to #drawn.
    let gone = this.#rows.childElementCount - Math.max(0, this.#drawn - first + 1);
    for (; gone > 0; gone--) this.#rows.firstElementChild?.remove();
    this.#rows.append(...frames.slice(Math.max(0, this.#drawn - first + 1)).map((frame) => this.#row(frame)));
    this.#drawn = this.#count;
    if (this.#following) this.#rows.scrollTop = this.#rows.scrollHeight;

    const kept = frames.length < this.#count ? `, the last ${formatCount(frames.length)} kept` : '';
    show(this.#counter, `${formatCount(this.#count)} ${this.#count === 1 ? 'frame' : 'frames'}${kept}`);
  }

  /** @param {Frame} frame */
  #rowId = ({ n }) => `${this.#id}-${n}`;

  /** @param {Frame} frame */
  #row(frame) {
    const { time, direction, data, size } = frame;
    const row = instance('frame-template');
    row.id = this.#rowId(frame);
    row.classList.add(direction);
    if (frame === this.#chosen) row.ariaSelected = 'true';
    const [at, way, kind, length, preview] = row.children;
    at.textContent = formatTime(time);
    /** @type {Element} */ (way.firstElementChild).textContent = direction;
    if (direction !== 'event') {
      kind.textContent = typeof data === 'string' ? 'text' : 'bin';
      length.textContent = formatBytes(size);
    }
    preview.textContent = typeof data === 'string' ? data.slice(0, 256) : hexLine(data);
    return row;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const frames = this.#frames;
    const at = this.#chosen ? frames.indexOf(this.#chosen) : frames.length;
    /** @type {Record<string, number>} */
    const steps = {
      ArrowUp: -1,
      ArrowDown: 1,
      PageUp: -10,
      PageDown: 10,
      Home: -KEEP_FRAMES,
      End: KEEP_FRAMES,
    };
    if (event.key in steps && frames.length > 0) {
      this.#choose(frames[Math.min(frames.length - 1, Math.max(0, at + steps[event.key]))]);
    } else if (event.key === 'Escape') {
      this.#choose(undefined);
    } else {
      return;
    }
    event.preventDefault();
  }

  /**
   * Shows a frame whole below the rows, or none. It stays shown when the log forgets it.
   * @param {Frame | undefined} frame
   */
  #choose(frame) {
    for (const row of this.#rows.querySelectorAll('[aria-selected=true]')) row.ariaSelected = 'false';
    this.#chosen = frame;
    this.#shown = SHOWN_BYTES;
    this.#payload.hidden = !frame;
    this.#rows.removeAttribute('aria-activedescendant');
    if (!frame) return;

    const { n, direction, data, size } = frame;
    const kind = typeof data === 'string' ? 'text' : 'binary';
    const title = `Frame ${formatCount(n)}: ${direction === 'event' ? direction : `${direction}, ${kind}`}`;
    find(this.#payload, 'h4', HTMLElement).textContent = `${title}, ${formatCount(size)} B`;
    this.#payload.ariaLabel = title;
    this.#showChosen();

    const row = document.getElementById(this.#rowId(frame));
    if (!row) return;
    row.ariaSelected = 'true';
    row.scrollIntoView({ block: 'nearest' });
    this.#rows.setAttribute('aria-activedescendant', row.id);
  }

  #showChosen() {
    if (!this.#chosen) return;
    const { data } = this.#chosen;
    const pre = find(this.#payload, 'pre', HTMLElement);
    const text = typeof data === 'string';
    pre.className = text ? 'text' : 'binary';
    pre.textContent = text
      ? data.slice(0, this.#shown)
      : hexDump(data, this.#shown, pre.clientWidth < 620 ? 8 : 16);
    const whole = text ? data.length : data.byteLength;
    this.#more.hidden = this.#shown >= whole;
    this.#more.textContent = `Show ${formatBytes(Math.min(whole, this.#shown * MORE_TIMES))}`;
  }

  #save() {
    if (!this.#chosen) return;
    const { n, data } = this.#chosen;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([data]));
    link.download = `frame-${n}.${typeof data === 'string' ? 'txt' : 'bin'}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the download reads it meanwhile
  }
}
