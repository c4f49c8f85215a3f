import { hexDump, toHex } from './bytes.js';
import { download, find, show, wireCopy } from './dom.js';
import { formatBytes, formatCount } from './format.js';
import { indentJson } from './json.js';
import { texts } from './texts.js';

/** @typedef {import('./entries.js').Entry} Entry */

// How much of a message is shown at first, and how much more each time.
const SHOWN_BYTES = 4 << 10;
const MORE_TIMES = 16;

/** The chosen message or event, whole: text, JSON indented, or hex. */
export class Payload {
  /** @type {Entry | undefined} */
  #entry;
  /** @type {string | undefined} the text indented, where it is JSON */
  #indented;
  #shown = SHOWN_BYTES;

  #root;
  #pre;
  #pretty;
  #more;
  #resend;

  /**
   * @param {HTMLElement} root the section, as the template has it
   * @param {{ onDismiss: () => void, onResend: (data: string | ArrayBuffer) => void }} handlers
   */
  constructor(root, { onDismiss, onResend }) {
    this.#root = root;
    this.#pre = find(root, 'pre', HTMLElement);
    this.#pretty = find(root, '.pretty', HTMLButtonElement);
    this.#more = find(root, '.more', HTMLButtonElement);
    this.#resend = find(root, '.resend', HTMLButtonElement);

    this.#pretty.addEventListener('click', () => {
      this.#pretty.ariaPressed = String(this.#pretty.ariaPressed !== 'true');
      this.#draw();
    });
    this.#more.addEventListener('click', () => {
      this.#shown *= MORE_TIMES;
      this.#draw();
    });
    this.#resend.addEventListener('click', () => this.#entry && onResend(this.#entry.data));
    wireCopy(find(root, '.copy', HTMLButtonElement), () => this.#text);
    find(root, '.save', HTMLButtonElement).addEventListener('click', () => {
      if (!this.#entry) return;
      const { n, data } = this.#entry;
      download(data, `message-${n}.${typeof data === 'string' ? 'txt' : 'bin'}`);
    });
    find(root, '.dismiss', HTMLButtonElement).addEventListener('click', onDismiss);
  }

  /**
   * Shows one, or hides with none.
   * @param {Entry | undefined} entry
   */
  show(entry) {
    this.#entry = entry;
    this.#root.hidden = !entry;
    if (!entry) return;
    const { n, direction, data, size } = entry;
    const text = typeof data === 'string';
    this.#shown = SHOWN_BYTES;
    this.#indented = text && direction !== 'event' ? indentJson(data) : undefined;
    this.#pretty.hidden = this.#indented === undefined;
    this.#resend.hidden = direction === 'event';
    const kind = `${texts[direction]}${texts.comma}${text ? texts.textKind : texts.binary}`;
    const title = texts.chosenTitle(
      formatCount(n),
      direction === 'event' ? texts.event : kind,
      formatCount(size),
    );
    show(find(this.#root, 'h4', HTMLElement), title);
    this.#root.ariaLabel = title;
    this.#draw();
  }

  /** What is shown and copied. */
  get #text() {
    const { data = '' } = this.#entry ?? {};
    if (typeof data !== 'string') return toHex(data);
    return (this.#pretty.ariaPressed === 'true' ? this.#indented : undefined) ?? data;
  }

  #draw() {
    if (!this.#entry) return;
    const { data } = this.#entry;
    const text = typeof data === 'string';
    this.#pre.className = text ? 'text' : 'binary';
    const whole = text ? this.#text.length : data.byteLength;
    this.#pre.textContent = text
      ? this.#text.slice(0, this.#shown)
      : hexDump(data, this.#shown, this.#pre.clientWidth < 620 ? 8 : 16);
    this.#more.hidden = this.#shown >= whole;
    show(this.#more, texts.more(formatBytes(Math.min(whole, this.#shown * MORE_TIMES))));
  }
}
