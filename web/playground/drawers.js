import { find } from './dom.js';

/**
 * Makes each button that controls a part of the page show and hide it; at most one shows.
 * @param {HTMLElement} root
 */
export function wireDrawers(root) {
  const buttons = [...root.querySelectorAll('button[aria-expanded]')];
  for (const button of buttons) {
    button.addEventListener('click', () => {
      for (const each of buttons) {
        const open = each === button && each.ariaExpanded === 'false';
        each.ariaExpanded = String(open);
        find(document, `#${each.getAttribute('aria-controls')}`, HTMLElement).hidden = !open;
      }
    });
  }
}
