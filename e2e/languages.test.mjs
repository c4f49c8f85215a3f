/**
 * What users read is there in English and in Chinese, and both say the same: they have the same headings by level, the same
 * code, tables and links. Anchors are those of the English headings; a Chinese page has an element with that id.
 */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { describe, test } from 'node:test';
import { blocks, headings, links, list, prose, read } from './markdown.mjs';

// For those who work on it, and what is generated from the types.
const englishOnly = ['api.md', 'architecture.md', 'faults.md', 'speed.md'].map((name) => `docs/${name}`);

/** @type {Map<string, string>} Chinese pages by the English ones */
const twins = new Map([['README.md', 'README.zh-CN.md']]);
for (const file of list('docs/'))
  if (!englishOnly.includes(file)) twins.set(file, file.replace('docs/', 'docs/zh-CN/'));

/** @param {string} text */
const tables = (text) =>
  Array.from(prose(text).matchAll(/^\|.*\|$/gm), ([row]) => ({
    columns: row.split('|').length,
    code: Array.from(row.matchAll(/`[^`]+`/g), ([code]) => code).sort(),
  }));

/** Where the links of a page lead, from the root; those to an English page with a twin lead to the twin. @param {string} file */
function targets(file) {
  const found = [];
  for (const { title, link } of links(read(file))) {
    if (title === '中文' || title === 'English') continue;
    if (/^https?:/.test(link)) {
      found.push(link);
      continue;
    }
    const [path, fragment] = link.split('#');
    const target = path ? posix.join(posix.dirname(file), path) : file;
    found.push([twins.get(target) ?? target, fragment].filter(Boolean).join('#'));
  }
  return found.sort();
}

test('no Chinese page is without an English one', () => {
  assert.deepEqual(list('docs/zh-CN/').sort(), [...twins.values()].slice(1).sort());
});

for (const [english, chinese] of twins) {
  describe(`${english} and ${chinese}`, () => {
    test('each links the other', () => {
      const from = posix.relative(posix.dirname(english), chinese);
      assert.ok(read(english).includes(`\n[中文](${from})\n`), english);
      const back = posix.relative(posix.dirname(chinese), english);
      assert.ok(read(chinese).includes(`\n[English](${back})\n`), chinese);
    });

    test('headings', () => {
      const levels = (/** @type {string} */ file) => headings(read(file)).map(({ level }) => level);
      assert.deepEqual(levels(chinese), levels(english));
    });

    test('code', () => {
      assert.deepEqual(blocks(read(chinese)), blocks(read(english)));
    });

    test('tables', () => {
      assert.deepEqual(tables(read(chinese)), tables(read(english)));
    });

    test('links', () => {
      assert.deepEqual(targets(chinese), targets(english));
    });

    test('is in Chinese', () => {
      const text = prose(read(chinese)).replace(/`[^`]*`|\]\([^)]*\)|<[^>]*>/g, '');
      assert.ok((text.match(/\p{Script=Han}/gu) ?? []).length > 50);
    });
  });
}
