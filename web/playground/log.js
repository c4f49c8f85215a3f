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
const KEEP_FRAMES = 5000;
const KEEP_BYTES = 32 << 20;

// How much of a chosen frame is shown at first, and how much more each time.
const SHOWN_BYTES = 4 << 10;
const MORE_TIMES = 16;

// Rows that are drawn above and below those in view, for scrolling.
const SPARE_ROWS = 8;

const utf8 = new TextEncoder();

/**
 * The last frames of a connection. At most once an animation frame it draws those in view, into rows of one
 * height that are used again, so that adding one costs the same however fast they come. The arrow keys or a
 * click choose a frame, which is then shown whole below.
 */
export class Log {
  /** @type {Frame[]} */
  #frames = [];
  #bytes = 0;
  #count = 0;
  #forgotten = 0; // since it was drawn
  #scheduled = false;
  #following = true;
  #shown = SHOWN_BYTES;
  /** @type {Frame | undefined} */
  #chosen;

  #id;
  #view;
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
    this.#view = find(root, '.frames', HTMLElement);
    this.#rows = find(root, '.rows', HTMLElement);
    this.#counter = find(root, '.count', HTMLElement);
    this.#latest = find(root, '.latest', HTMLElement);
    this.#payload = find(root, '.payload', HTMLElement);
    this.#more = find(root, '.more', HTMLElement);

    this.#view.addEventListener('keydown', (event) => this.#key(event));
    this.#view.addEventListener('click', ({ target }) => {
      const row = target instanceof Element && target.closest('.frame');
      if (!row) return;
      this.#view.focus();
      this.#choose(this.#frames.find((frame) => this.#rowId(frame) === row.id));
    });
    this.#view.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#view;
      this.#following = scrollHeight - scrollTop - clientHeight < this.#height;
      this.#latest.hidden = this.#following;
      this.#schedule();
    });
    new ResizeObserver(() => this.#schedule()).observe(this.#view);
    this.#latest.addEventListener('click', () => {
      this.#view.scrollTop = this.#view.scrollHeight;
      this.#view.focus();
    });
    find(root, '.clear', HTMLElement).addEventListener('click', () => this.clear());
    find(root, '.dismiss', HTMLElement).addEventListener('click', () => {
      this.#choose(undefined);
      this.#view.focus();
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
      this.#forgotten++;
    }
    this.#schedule();
    return size;
  }

  /** Forgets all frames. */
  clear() {
    this.#frames = [];
    this.#bytes = 0;
    this.#following = true;
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
    const view = this.#view;
    const rows = this.#rows;
    const { clientHeight, scrollTop } = view;
    const frames = this.#frames;
    const height = this.#height;
    // Who reads further up keeps seeing the same frames.
    const top = this.#following
      ? frames.length * height - clientHeight
      : scrollTop - this.#forgotten * height;
    this.#forgotten = 0;

    const first = Math.max(0, Math.floor(top / height) - SPARE_ROWS);
    const shown = frames.slice(first, Math.ceil((Math.max(0, top) + clientHeight) / height) + SPARE_ROWS);
    while (rows.childElementCount < shown.length) rows.append(instance('frame-template'));
    while (rows.childElementCount > shown.length) rows.lastElementChild?.remove();
    for (const [i, frame] of shown.entries()) this.#fill(rows.children[i], frame, first + i);
    rows.style.paddingTop = `${first * height}px`;
    rows.style.paddingBottom = `${(frames.length - first - shown.length) * height}px`;
    if (top !== scrollTop) view.scrollTop = top;

    const active = this.#chosen && shown.includes(this.#chosen) ? this.#rowId(this.#chosen) : '';
    view.setAttribute('aria-activedescendant', active);
    const kept = frames.length < this.#count ? `, the last ${formatCount(frames.length)} kept` : '';
    show(this.#counter, `${formatCount(this.#count)} ${this.#count === 1 ? 'frame' : 'frames'}${kept}`);
  }

  /** Of a row, in pixels. */
  get #height() {
    return Number.parseFloat(getComputedStyle(this.#view).lineHeight);
  }

  /** @param {Frame} frame */
  #rowId = ({ n }) => `${this.#id}-${n}`;

  /**
   * @param {Element} row
   * @param {Frame} frame
   * @param {number} index
   */
  #fill(row, frame, index) {
    const { time, direction, data, size } = frame;
    row.ariaSelected = String(frame === this.#chosen);
    row.ariaSetSize = String(this.#frames.length);
    row.ariaPosInSet = String(index + 1);
    if (row.id === this.#rowId(frame)) return;
    row.id = this.#rowId(frame);
    row.className = `frame ${direction}`;
    const event = direction === 'event';
    const text = typeof data === 'string';
    const clock = formatTime(time);
    const [at, way, kind, length, preview] = row.children;
    show(at.children[0], clock.slice(0, 3));
    show(at.children[1], clock.slice(3));
    show(way.children[0], direction);
    show(kind, event ? '' : text ? 'text' : 'bin');
    show(length, event ? '' : formatBytes(size));
    show(preview, text ? data.slice(0, 256) : hexLine(data));
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
    this.#chosen = frame;
    this.#shown = SHOWN_BYTES;
    this.#payload.hidden = !frame;
    this.#schedule();
    if (!frame) return;

    const { n, direction, data, size } = frame;
    const kind = typeof data === 'string' ? 'text' : 'binary';
    const title = `Frame ${formatCount(n)}: ${direction === 'event' ? direction : `${direction}, ${kind}`}`;
    find(this.#payload, 'h4', HTMLElement).textContent = `${title}, ${formatCount(size)} B`;
    this.#payload.ariaLabel = title;
    this.#showChosen();

    const view = this.#view;
    const top = this.#frames.indexOf(frame) * this.#height;
    const bottom = top + this.#height;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (bottom > view.scrollTop + view.clientHeight) view.scrollTop = bottom - view.clientHeight;
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
