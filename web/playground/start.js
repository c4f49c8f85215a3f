import { find, show } from './dom.js';
import { toOption } from './draft.js';
import { texts } from './texts.js';

/** @typedef {import('./draft.js').Draft} Draft */
/** @typedef {import('./form.js').ConnectForm} ConnectForm */
/** @typedef {import('./store.js').Store} Store */

/** @type {Record<string, string>} queries of the echo server, by what they do */
const EXAMPLES = {
  '': texts.exampleEcho,
  'headers=1': texts.exampleHeaders,
  'push=10000': texts.examplePush,
  'push=64&size=4096&type=binary': texts.exampleBinary,
  'push=1&size=4194304': texts.exampleLarge,
  'code=4001&reason=enough&after=3': texts.exampleClose,
  'code=1006': texts.exampleDrop,
  'status=403': texts.exampleRefuse,
  'delay=5s': texts.exampleDelay,
};

/** What the form can be filled with: examples, saved presets and recent connections. */
export class Start {
  /** @type {WeakMap<Node, { draft: Draft, preset?: string }>} by its option in the list */
  #entries = new WeakMap();
  #own = new Option(texts.ownInput);
  #saved = group(texts.saved);
  #recent = group(texts.recent);

  #form;
  #store;
  #select = find(document, '#start', HTMLSelectElement);
  #name = find(document, '#preset-name', HTMLInputElement);
  #withValues = find(document, '#preset-values', HTMLInputElement);
  #remove = find(document, '#delete-preset', HTMLButtonElement);
  #clear = find(document, '#clear-history', HTMLButtonElement);
  #hint = find(document, '#presets-hint', HTMLElement);

  /**
   * @param {ConnectForm} form
   * @param {string} echo URL of the echo server
   * @param {Store} store
   */
  constructor(form, echo, store) {
    this.#form = form;
    this.#store = store;
    this.#own.hidden = true;
    const examples = group(texts.examples);
    for (const [query, name] of Object.entries(EXAMPLES)) {
      const url = query ? `${echo}?${query}` : echo;
      this.#add(examples, name, { draft: form.initialAt(url) });
    }
    this.#select.append(this.#own, examples, this.#saved, this.#recent);
    this.#fill();
    this.#select.selectedIndex = 1; // the echo, which the form holds at first
    show(this.#hint, store.lasts ? texts.presetsHint : texts.presetsUnkept);

    this.#select.addEventListener('change', () => this.#choose());
    find(document, '#connect-form', HTMLFormElement).addEventListener(
      'input',
      ({ target, currentTarget }) => {
        const { form: owner } = /** @type {HTMLInputElement} */ (target);
        if (target !== this.#select && owner === currentTarget) this.#mark(this.#own);
      },
    );
    find(document, '#preset-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    this.#remove.addEventListener('click', () => this.#removeChosen());
    this.#clear.addEventListener('click', () => {
      store.clearHistory();
      this.#fill();
      this.#name.focus();
    });
  }

  /**
   * Puts a connection into the history.
   * @param {Draft} draft
   */
  record(draft) {
    this.#store.record(draft);
    this.#fill();
  }

  /**
   * @param {HTMLElement} parent
   * @param {string} label
   * @param {{ draft: Draft, preset?: string }} entry
   */
  #add(parent, label, entry) {
    const option = new Option(label);
    this.#entries.set(option, entry);
    parent.append(option);
    return option;
  }

  /** Shows what the store has; what was chosen and is gone has become the user's own. */
  #fill() {
    const chosen = this.#select.selectedOptions[0];
    this.#saved.replaceChildren();
    this.#recent.replaceChildren();
    for (const { name, draft } of this.#store.presets) this.#add(this.#saved, name, { draft, preset: name });
    for (const draft of this.#store.history) this.#add(this.#recent, labelOf(draft), { draft });
    for (const each of [this.#saved, this.#recent]) {
      if (each.childElementCount > 0) this.#select.append(each);
      else each.remove();
    }
    this.#clear.hidden = this.#recent.childElementCount === 0;
    this.#mark(chosen?.isConnected ? chosen : this.#own);
  }

  /** @param {HTMLOptionElement} option */
  #mark(option) {
    option.selected = true;
    this.#remove.hidden = this.#entries.get(option)?.preset === undefined;
  }

  #choose() {
    const option = this.#select.selectedOptions[0];
    const entry = this.#entries.get(option);
    this.#mark(option);
    if (entry) this.#form.draft = entry.draft;
  }

  #save() {
    const name = this.#name.value.trim();
    if (!name) {
      show(this.#hint, texts.presetNeedsName);
      this.#name.focus();
      return;
    }
    this.#store.save(name, this.#form.draft, this.#withValues.checked);
    this.#fill();
    const saved = [...this.#saved.children].find((option) => this.#entries.get(option)?.preset === name);
    if (saved instanceof HTMLOptionElement) this.#mark(saved);
    show(this.#hint, texts.presetSaved(name));
  }

  #removeChosen() {
    const { preset = '' } = this.#entries.get(this.#select.selectedOptions[0]) ?? {};
    this.#store.remove(preset);
    this.#fill();
    show(this.#hint, texts.presetDeleted(preset));
    this.#name.focus();
  }
}

/** @param {string} label */
function group(label) {
  const element = document.createElement('optgroup');
  element.label = label;
  return element;
}

/**
 * Names a recent connection by its URL and the options that differ from the defaults.
 * @param {Draft} draft
 */
function labelOf(draft) {
  const { url, ...options } = toOption(draft);
  return [url, ...Object.keys(options)].join(' · ');
}
