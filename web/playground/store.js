/** @typedef {import('./draft.js').Draft} Draft */
/** @typedef {{ relay: string, domains: string }} Settings */

const PREFIX = 'connectsocket.playground.';
const KEEP_HISTORY = 20;

/** What outlives the page: presets, history and settings, in the browser's localStorage. */
export class Store {
  /** @type {Storage | undefined} */
  #storage;
  /** @type {Map<string, string>} what was written, for a browser that keeps nothing */
  #memory = new Map();

  constructor() {
    try {
      this.#storage = localStorage;
      this.#storage.setItem(`${PREFIX}test`, '');
      this.#storage.removeItem(`${PREFIX}test`);
    } catch {
      this.#storage = undefined; // forbidden, or full
    }
  }

  /** Whether what is written outlives the page. */
  get lasts() {
    return this.#storage !== undefined;
  }

  /** @returns {Draft[]} the newest first */
  get history() {
    return asArray(this.#read('history')).filter(isDraft);
  }

  /**
   * Puts a draft at the front of the history, without its header values.
   * @param {Draft} draft
   */
  record(draft) {
    const entry = withoutValues(draft);
    const same = JSON.stringify(entry);
    const others = this.history.filter((each) => JSON.stringify(each) !== same);
    this.#write('history', [entry, ...others].slice(0, KEEP_HISTORY));
  }

  clearHistory() {
    this.#write('history', []);
  }

  /** @returns {{ name: string, draft: Draft }[]} by name */
  get presets() {
    return asArray(this.#read('presets'))
      .filter((each) => typeof each?.name === 'string' && isDraft(each.draft))
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  /**
   * Saves a draft under a name, in place of the one that has it.
   * @param {string} name
   * @param {Draft} draft
   * @param {boolean} withValues of its headers
   */
  save(name, draft, withValues) {
    const others = this.presets.filter((each) => each.name !== name);
    this.#write('presets', [...others, { name, draft: withValues ? draft : withoutValues(draft) }]);
  }

  /** @param {string} name */
  remove(name) {
    this.#write(
      'presets',
      this.presets.filter((each) => each.name !== name),
    );
  }

  /** @returns {Settings} */
  get settings() {
    const { relay = '/relay', domains = '' } = this.#read('settings') ?? {};
    return { relay: String(relay), domains: String(domains) };
  }

  set settings(settings) {
    this.#write('settings', settings);
  }

  /**
   * @param {string} name
   * @returns {any} undefined where nothing of use was written
   */
  #read(name) {
    const text = this.#memory.get(name) ?? this.#storage?.getItem(PREFIX + name);
    try {
      return text ? JSON.parse(text) : undefined;
    } catch {
      return undefined; // not written by this page
    }
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  #write(name, value) {
    const text = JSON.stringify(value);
    try {
      this.#storage?.setItem(PREFIX + name, text);
    } catch {
      this.#storage = undefined; // full
    }
    if (!this.#storage) this.#memory.set(name, text);
  }
}

/**
 * @param {Draft} draft
 * @returns {Draft}
 */
const withoutValues = ({ fields, headers }) => ({ fields, headers: headers.map(([name]) => [name, '']) });

/** @param {any} value */
const asArray = (value) => /** @type {any[]} */ (Array.isArray(value) ? value : []);

/** @param {any} value */
const isDraft = (value) =>
  typeof value?.fields?.url === 'string' &&
  Array.isArray(value.headers) &&
  value.headers.every((/** @type {unknown} */ header) => Array.isArray(header));
