import { texts } from './texts.js';

const SAID = 2000; // milliseconds that a button says what it did

/**
 * Gives the element that the page or a template must have there, with its type.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 * @throws where it is missing or another element
 */
export function find(root, selector, type) {
  const element = root.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`no ${type.name} at ${selector}`);
  return element;
}

/**
 * Gives a copy of what the template of that id holds: one element.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function instance(id) {
  const { content } = find(document, `#${id}`, HTMLTemplateElement);
  return /** @type {HTMLElement} */ (find(content, '*', HTMLElement).cloneNode(true));
}

/**
 * Says what went wrong in the place for it; with nothing to say the place is hidden.
 * @param {HTMLElement} place
 * @param {string} [words]
 */
export function tell(place, words = '') {
  place.textContent = words;
  place.hidden = words === '';
}

/**
 * Sets an element's text where it changed, so that nothing is laid out or announced again.
 * @param {Element} element
 * @param {string} text
 */
export function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Copies text when the button is pressed, and says on the button for a moment whether it could.
 * @param {HTMLButtonElement} button
 * @param {() => string} text
 */
export function wireCopy(button, text) {
  button.ariaLive = 'polite';
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      show(button, texts.copied);
    } catch {
      show(button, texts.cannotCopy); // the browser forbids it, as outside https
    }
    setTimeout(() => show(button, texts.copy), SAID);
  });
}

/**
 * Saves data as a file.
 * @param {BlobPart} data
 * @param {string} name
 */
export function download(data, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([data]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the download reads it meanwhile
}
