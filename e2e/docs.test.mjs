/**
 * The documentation: its links, its examples, and that it has all members and all texts of errors.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { blocks, headings, links, list, read } from './markdown.mjs';
import { family, moduleExports, taskMembers } from './members.mjs';
import { texts } from './texts.mjs';

const root = new URL('../', import.meta.url);

const pages = ['README.md', ...list('docs/')].filter((file) => file.endsWith('.md'));
const chinese = ['README.zh-CN.md', ...list('docs/zh-CN/')];
const others = ['CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'deploy/README.md', 'web/README.md'];

/**
 * The anchor that GitHub gives a heading.
 * @param {string} title
 */
const anchor = (title) =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

/** @param {string} file */
function examples(file) {
  // In the apps the environment chooses, so that builds can be compared.
  return read(file)
    .replace(/^\/\/ Here the environment .*\nconst \{.*\n\n/m, '')
    .replace('STOCK ? [] : ', '')
    .replace('relay: RELAY', "relay: '/relay'");
}

test('README.md has at most 200 lines', () => {
  for (const file of ['README.md', 'README.zh-CN.md']) {
    const lines = read(file).trimEnd().split('\n').length;
    assert.ok(lines <= 200, `${file} has ${lines} lines`);
  }
});

describe('each link leads somewhere', () => {
  for (const file of [...pages, ...chinese, ...others]) {
    test(file, () => {
      for (const { link } of links(read(file))) {
        if (/^https?:/.test(link)) continue;
        const [path, fragment] = link.split('#');
        const target = path ? new URL(path, new URL(file, root)) : new URL(file, root);
        assert.ok(existsSync(target), `${link} is not there`);
        if (!fragment) continue;
        const text = readFileSync(target, 'utf8');
        const anchors = headings(text).map(({ title }) => anchor(title));
        assert.ok(
          anchors.includes(decodeURIComponent(fragment)) || text.includes(`id="${fragment}"`),
          `${link}: no such heading`,
        );
      }
    });
  }
});

test('the contents name each page', () => {
  for (const contents of ['docs/README.md']) {
    const text = read(contents);
    for (const file of pages) {
      const name = file.replace('docs/', '');
      if (name !== 'README.md') assert.ok(text.includes(`${name})`), `${contents} does not name ${file}`);
    }
  }
});

describe('the code is that of files which run', () => {
  const files = [
    ...list('examples/'),
    'examples/taro/config/index.ts',
    'examples/uni/vite.config.js',
    'e2e/fixtures/vite/url.js',
    'e2e/fixtures/bundler/url.js',
  ].map(examples);
  for (const file of pages.filter((page) => page !== 'docs/api.md')) {
    test(file, () => {
      for (const { language, code } of blocks(read(file))) {
        if (language === 'sh') continue;
        assert.ok(
          files.some((text) => text.includes(code.trim())),
          `in no file: ${code}`,
        );
      }
    });
  }
  test('and each example is shown', () => {
    const shown = pages.flatMap((page) => blocks(read(page)).map(({ code }) => code.trim()));
    for (const file of list('examples/')) {
      assert.ok(shown.includes(read(file).trim()), `${file} is not shown, or is another`);
    }
  });
});

test('the commands are targets of the Makefile', () => {
  const makefile = read('Makefile');
  for (const file of [...pages, ...others]) {
    for (const [, target] of read(file).matchAll(/`?\bmake ([a-z-]+)[` ]/g)) {
      if (new RegExp(`\`make ${target}|^make ${target}`, 'm').test(read(file))) {
        assert.match(makefile, new RegExp(`^${target}:`, 'm'), `${file}: make ${target}`);
      }
    }
  }
});

describe('the reference has a row for each', () => {
  const first = Array.from(read('docs/reference.md').matchAll(/^\| (.*?) \|/gm), ([, cell]) => cell).join(
    ' ',
  );
  for (const [title, names] of Object.entries({
    export: moduleExports,
    'member of a task': taskMembers,
    'function of the family': family,
  })) {
    test(title, () => {
      const missing = names.filter((name) => !new RegExp(`\`${name}\\b`).test(first));
      assert.deepEqual(missing, []);
    });
  }
});

test('troubleshooting has each text of an error', () => {
  assert.ok(texts.length > 60, `only ${texts.length} texts were found in the sources`);
  const page = read('docs/troubleshooting.md');
  assert.deepEqual(
    texts.filter((text) => !page.includes(text)),
    [],
  );
});
