/** The pages of the documentation, found, read and taken apart. Names of files are those from the root of the repository. */
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);

/** @param {string} file */
export const read = (file) => readFileSync(new URL(file, root), 'utf8');

/** The files of a folder, without those in its folders. @param {string} folder with a slash at its end */
export const list = (folder) =>
  readdirSync(new URL(folder, root), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => folder + name);

/** @param {string} text */
export const blocks = (text) =>
  Array.from(text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm), ([, language, code]) => ({ language, code }));

/** @param {string} text @returns {string} the text without its blocks of code */
export const prose = (text) => text.replace(/^```\w*\n[\s\S]*?^```$/gm, '');

/** @param {string} text */
export const headings = (text) =>
  Array.from(prose(text).matchAll(/^(#+) (.*)$/gm), ([, level, title]) => ({ level: level.length, title }));

/** The links in a text; the title is undefined where it has brackets itself. @param {string} text */
export const links = (text) =>
  Array.from(prose(text).matchAll(/(?:\[([^[\]]*))?\]\(([^)\s]+)\)/g), ([, title, link]) => ({
    title,
    link,
  }));
