/** Pages of the documentation, taken apart. */

/** @param {string} text */
export const blocks = (text) =>
  Array.from(text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm), ([, language, code]) => ({ language, code }));

/** @param {string} text @returns {string} the text without its blocks of code */
export const prose = (text) => text.replace(/^```\w*\n[\s\S]*?^```$/gm, '');

/** @param {string} text */
export const headings = (text) =>
  Array.from(prose(text).matchAll(/^(#+) (.*)$/gm), ([, level, title]) => ({ level: level.length, title }));
