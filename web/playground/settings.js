import { find, tell } from './dom.js';
import { texts } from './texts.js';

/** @typedef {import('./store.js').Store} Store */

/** The settings of load that can be chosen: they hold from one load of the page to the next. */
export class SettingsForm {
  #store;
  #relay = find(document, '#relay', HTMLInputElement);
  #domains = find(document, '#domains', HTMLInputElement);

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
    const { relay, domains } = store.settings;
    this.#relay.value = relay;
    this.#domains.value = domains;
    find(document, '#settings-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#apply();
    });
  }

  /** What load is to be given. */
  get option() {
    const { relay, domains } = this.#store.settings;
    return { ...(relay && { relay }), ...(domains && { domains: split(domains) }) };
  }

  #apply() {
    const relay = this.#relay.value.trim();
    const domains = this.#domains.value.trim();
    const bad =
      relay && !URL.canParse(relay, location.href)
        ? relay
        : split(domains).find((domain) => !URL.canParse(domain));
    const error = find(document, '#settings-error', HTMLElement);
    if (bad) {
      tell(error, texts.badUrl(bad));
      return;
    }
    this.#store.settings = { relay, domains };
    if (this.#store.lasts) location.reload();
    else tell(error, texts.settingsUnkept);
  }
}

/** @param {string} domains */
const split = (domains) => domains.split(/[\s,]+/).filter(Boolean);
