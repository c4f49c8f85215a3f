import { codeOf } from './code.js';
import { find, instance, show, wireCopy } from './dom.js';
import { toOption } from './draft.js';
import { texts } from './texts.js';

/** @typedef {import('./draft.js').Draft} Draft */
/** @typedef {import('./code.js').LoadOption} LoadOption */

/** The form of a connection: what it holds, and what that is as code. */
export class ConnectForm {
  #settings;
  #form = find(document, '#connect-form', HTMLFormElement);
  #headers = find(this.#form, '#headers', HTMLElement);
  #addHeader = find(this.#form, '#add-header', HTMLButtonElement);
  #initial;

  /**
   * @param {LoadOption} settings as load was given them
   * @param {string} url at first
   */
  constructor(settings, url) {
    this.#settings = settings;
    this.#addHeader.addEventListener('click', () => {
      find(this.#appendHeader(), '.name', HTMLInputElement).focus();
      this.#update();
    });
    this.#form.addEventListener('input', () => this.#update());
    find(document, '#code .choices', HTMLElement).addEventListener('change', () => this.#update());
    wireCopy(find(document, '#code .copy', HTMLButtonElement), () => this.#code);
    find(this.#form, '#url', HTMLInputElement).value = url;
    this.#initial = this.draft;
    this.#update();
  }

  /** @returns {Draft} */
  get draft() {
    const data = new FormData(this.#form);
    return {
      fields: Object.fromEntries([...data].map(([name, value]) => [name, String(value)])),
      headers: Array.from(this.#headers.children, (row) => [
        find(row, '.name', HTMLInputElement).value,
        find(row, '.value', HTMLInputElement).value,
      ]),
    };
  }

  /** Fields that a draft does not have become as they were at first. */
  set draft({ fields, headers }) {
    const all = { ...this.#initial.fields, ...fields };
    for (const control of this.#form.elements) {
      if (control instanceof HTMLInputElement && control.type === 'checkbox') {
        control.checked = Boolean(all[control.name]);
      } else if (control instanceof HTMLInputElement || control instanceof HTMLSelectElement) {
        if (control.name) control.value = all[control.name] ?? '';
      }
    }
    this.#headers.replaceChildren();
    for (const header of headers) this.#appendHeader(...header);
    this.#update();
  }

  /** What the page began with, at another address. */
  initialAt(/** @type {string} */ url) {
    return { fields: { ...this.#initial.fields, url }, headers: [] };
  }

  /** @param {string[]} header name and value */
  #appendHeader(...[name = '', value = '']) {
    const row = instance('header-template');
    find(row, '.name', HTMLInputElement).value = name;
    find(row, '.value', HTMLInputElement).value = value;
    find(row, '.remove', HTMLButtonElement).addEventListener('click', () => {
      row.remove();
      this.#addHeader.focus();
      this.#update();
    });
    this.#headers.append(row);
    return row;
  }

  get #code() {
    const { value } = find(document, '#code :checked', HTMLInputElement);
    return codeOf(/** @type {import('./code.js').Style} */ (value), toOption(this.draft), this.#settings);
  }

  /** Shows what follows from what the form holds. */
  #update() {
    show(find(document, '#code pre', HTMLElement), this.#code);
    const { url, timeout, protocols, ...options } = toOption(this.draft);
    const names = Object.keys(options).join(', ');
    show(find(document, '#chosen', HTMLElement), names && texts.chosenOptions(names));
    show(find(document, '#header-hint', HTMLElement), this.#explainHeaders(url));
  }

  /**
   * Says how headers get there, and who else reads them.
   * @param {string} url
   */
  #explainHeaders(url) {
    const { relay } = this.#settings;
    if (!relay) return texts.headersNeedRelay;
    const { host, pathname } = new URL(relay, location.href);
    const to = URL.canParse(url, location.href) ? new URL(url, location.href).host : '';
    const own = host === location.host && pathname === '/relay';
    if (!own) return texts.headersOtherRelay(host, to);
    return to === location.host ? texts.headersOwnRelay : texts.headersElsewhere(to || url);
  }
}
