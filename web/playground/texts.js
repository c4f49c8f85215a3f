import { en } from './texts/en.js';
import { zh } from './texts/zh.js';

/** @typedef {typeof en} Texts */
/** @typedef {{ [K in keyof Texts]: Texts[K] extends string ? K : never }[keyof Texts]} PlainKey without figures in it */

const languages = { en, zh };

/** The first of the browser's languages that there is a table for; English without any. */
const language = /** @type {keyof typeof languages} */ (
  navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => Object.hasOwn(languages, tag)) ?? 'en'
);

/** What the page says, in the browser's language. */
export const texts = languages[language];

/** The language as `lang` and Intl take it. */
export const locale = language === 'zh' ? 'zh-CN' : 'en';

const attributes = { label: 'aria-label', placeholder: 'placeholder', tip: 'title' };

/** Puts the texts into the page and its templates, where their data attributes ask for them. */
export function translatePage() {
  document.documentElement.lang = locale;
  document.title = `connectsocket ${texts.playground}`;
  translate(document);
  for (const { content } of document.querySelectorAll('template')) translate(content);
}

/** @param {ParentNode} root */
function translate(root) {
  for (const element of root.querySelectorAll('[data-text], [data-label], [data-placeholder], [data-tip]')) {
    const { dataset } = /** @type {HTMLElement} */ (element);
    if (dataset.text) element.textContent = textOf(dataset.text);
    for (const [name, attribute] of Object.entries(attributes)) {
      const key = dataset[name];
      if (key) element.setAttribute(attribute, textOf(key));
    }
  }
}

/** @param {string} key */
const textOf = (key) => texts[/** @type {PlainKey} */ (key)];
