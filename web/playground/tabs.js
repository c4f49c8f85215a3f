import { find } from './dom.js';

/**
 * Makes a list of tabs work: a click, the arrow keys, Home and End choose one, whose panel is then shown. The hash of
 * the address is the id of the chosen tab.
 * @param {HTMLElement} list
 */
export function wireTabs(list) {
  const tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('[role=tab]')]);
  /** @param {HTMLElement} chosen */
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.ariaSelected = String(tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      find(document, `#${tab.getAttribute('aria-controls')}`, HTMLElement).hidden = tab !== chosen;
    }
  };
  const follow = () => choose(tabs.find(({ id }) => `#${id}` === location.hash) ?? tabs[0]);

  for (const [i, tab] of tabs.entries()) {
    const go = (/** @type {HTMLElement} */ to) => {
      choose(to);
      to.focus();
      history.replaceState(null, '', `#${to.id}`);
    };
    tab.addEventListener('click', () => go(tab));
    tab.addEventListener('keydown', (event) => {
      const to = { ArrowLeft: i - 1, ArrowRight: (i + 1) % tabs.length, Home: 0, End: -1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      go(/** @type {HTMLElement} */ (tabs.at(to)));
    });
  }
  window.addEventListener('hashchange', follow);
  follow();
}
