import { hexLine, toBase64 } from './bytes.js';
import { download, find, instance, show } from './dom.js';
import { Entries, KEEP_ENTRIES } from './entries.js';
import { formatBytes, formatCount, formatTime } from './format.js';
import { Payload } from './payload.js';
import { texts } from './texts.js';

/** @typedef {import('./entries.js').Entry} Entry */

// Rows that are drawn above and below those in view, for scrolling.
const SPARE_ROWS = 8;

/**
 * The messages and events of a connection. At most once an animation frame it draws those in view, into rows of one
 * height that are used again, so that adding one costs the same however fast they come. The arrow keys or a
 * click choose an entry, which is then shown whole below.
 */
export class Log {
  #entries = new Entries();
  #scheduled = false;
  #following = true;
  /** @type {Entry | undefined} */
  #chosen;

  #id;
  #view;
  #rows;
  #counter;
  #latest;
  #query;
  #direction;
  #payload;

  /**
   * @param {HTMLElement} root the log's section, as the template has it
   * @param {string} id unique in the page
   * @param {(data: string | ArrayBuffer) => void} onResend
   */
  constructor(root, id, onResend) {
    this.#id = id;
    this.#view = find(root, '.entries', HTMLElement);
    this.#rows = find(root, '.rows', HTMLElement);
    this.#counter = find(root, '.count', HTMLElement);
    this.#latest = find(root, '.latest', HTMLElement);
    this.#query = find(root, '.query', HTMLInputElement);
    this.#direction = find(root, '.filter .direction', HTMLSelectElement);
    this.#payload = new Payload(find(root, '.payload', HTMLElement), {
      onDismiss: () => {
        this.#choose(undefined);
        this.#view.focus();
      },
      onResend,
    });

    this.#view.addEventListener('keydown', (event) => this.#key(event));
    this.#view.addEventListener('click', ({ target }) => {
      const row = target instanceof Element && target.closest('.entry');
      if (!row) return;
      this.#view.focus();
      this.#choose(this.#entries.shown.find((entry) => this.#rowId(entry) === row.id));
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
    for (const control of [this.#query, this.#direction]) {
      control.addEventListener('input', () => this.#search());
    }
    find(root, '.clear', HTMLElement).addEventListener('click', () => this.clear());
    find(root, '.export', HTMLElement).addEventListener('click', () => this.#export());
  }

  /**
   * Adds a message or an event.
   * @param {Entry['direction']} direction
   * @param {Entry['data']} data
   * @returns {number} its size in bytes
   */
  add(direction, data) {
    const size = this.#entries.add(direction, data);
    this.#schedule();
    return size;
  }

  /** Forgets all messages and events. */
  clear() {
    this.#entries.clear();
    this.#following = true;
    this.#choose(undefined);
    this.#schedule();
  }

  #search() {
    this.#entries.search(this.#direction.value, this.#query.value);
    this.#following = true;
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
    const entries = this.#entries.shown;
    const height = this.#height;
    const gone = this.#entries.takeGone();
    // A reader further up keeps seeing the same entries.
    const top = this.#following ? entries.length * height - clientHeight : scrollTop - gone * height;

    const first = Math.max(0, Math.floor(top / height) - SPARE_ROWS);
    const shown = entries.slice(first, Math.ceil((Math.max(0, top) + clientHeight) / height) + SPARE_ROWS);
    while (rows.childElementCount < shown.length) rows.append(instance('entry-template'));
    while (rows.childElementCount > shown.length) rows.lastElementChild?.remove();
    for (const [i, entry] of shown.entries()) this.#fill(rows.children[i], entry, first + i);
    rows.style.paddingTop = `${first * height}px`;
    rows.style.paddingBottom = `${(entries.length - first - shown.length) * height}px`;
    if (top !== scrollTop) view.scrollTop = top;

    const active = this.#chosen && shown.includes(this.#chosen) ? this.#rowId(this.#chosen) : '';
    view.setAttribute('aria-activedescendant', active);
    show(this.#counter, this.#count());
  }

  /** What there was, and what of it is kept and shown. */
  #count() {
    const { messages, events, kept, shown, searching } = this.#entries;
    const parts = [
      texts.messageCount(messages, formatCount(messages)),
      texts.eventCount(events, formatCount(events)),
    ];
    if (kept.length === 0) parts.push(texts.noneKept);
    else if (kept.length < messages + events) parts.push(texts.keptCount(formatCount(kept.length)));
    if (searching) parts.push(texts.shownCount(formatCount(shown.length)));
    return messages + events === 0 ? texts.nothingYet : parts.join(texts.comma);
  }

  /** Of a row, in pixels. */
  get #height() {
    return Number.parseFloat(getComputedStyle(this.#view).lineHeight);
  }

  /** @param {Entry} entry */
  #rowId = ({ n }) => `${this.#id}-${n}`;

  /**
   * @param {Element} row
   * @param {Entry} entry
   * @param {number} index
   */
  #fill(row, entry, index) {
    const { time, direction, data, size } = entry;
    row.ariaSelected = String(entry === this.#chosen);
    row.ariaSetSize = String(this.#entries.shown.length);
    row.ariaPosInSet = String(index + 1);
    if (row.id === this.#rowId(entry)) return;
    row.id = this.#rowId(entry);
    row.className = `entry ${direction}`;
    const event = direction === 'event';
    const text = typeof data === 'string';
    const clock = formatTime(time);
    const [at, way, kind, length, preview] = row.children;
    show(at.children[0], clock.slice(0, 3));
    show(at.children[1], clock.slice(3));
    show(way.children[0], texts[direction]);
    show(kind, event ? '' : text ? texts.textKind : texts.binaryKind);
    show(length, event ? '' : formatBytes(size));
    show(preview, text ? data.slice(0, 256) : hexLine(data));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const entries = this.#entries.shown;
    const at = this.#chosen ? entries.indexOf(this.#chosen) : -1;
    /** @type {Record<string, number>} */
    const steps = {
      ArrowUp: -1,
      ArrowDown: 1,
      PageUp: -10,
      PageDown: 10,
      Home: -KEEP_ENTRIES,
      End: KEEP_ENTRIES,
    };
    if (event.key in steps && entries.length > 0) {
      const to = (at < 0 ? entries.length : at) + steps[event.key];
      this.#choose(entries[Math.min(entries.length - 1, Math.max(0, to))]);
    } else if (event.key === 'Escape') {
      this.#choose(undefined);
    } else {
      return;
    }
    event.preventDefault();
  }

  /**
   * Shows an entry whole below the rows, or none. It stays shown when the log forgets it.
   * @param {Entry | undefined} entry
   */
  #choose(entry) {
    this.#chosen = entry;
    this.#payload.show(entry);
    this.#schedule();
    if (!entry) return;
    const view = this.#view;
    const top = this.#entries.shown.indexOf(entry) * this.#height;
    const bottom = top + this.#height;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (bottom > view.scrollTop + view.clientHeight) view.scrollTop = bottom - view.clientHeight;
  }

  /** Saves what is kept as JSON, an entry a line; binary as Base64. */
  #export() {
    const lines = this.#entries.kept.map(({ n, time, direction, data, size }) =>
      JSON.stringify({
        n,
        time: new Date(time).toISOString(),
        direction,
        size,
        ...(typeof data === 'string' ? { text: data } : { base64: toBase64(data) }),
      }),
    );
    download(`[\n${lines.join(',\n')}\n]\n`, `${this.#id}.json`);
  }
}
