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
