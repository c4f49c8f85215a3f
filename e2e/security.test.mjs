/** SECURITY.md names tests: they exist. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../', import.meta.url);
const text = readFileSync(new URL('SECURITY.md', root), 'utf8');
const named = [...text.matchAll(/`([^`]+_test\.go|[^`]+\.test\.mjs)`: ((?:\*[^*]+\*(?:, )?)+)/g)];

for (const [, file, titles] of named) {
  for (const [, title] of titles.matchAll(/\*([^*]+)\*/g)) {
    test(`${file}: ${title}`, () => {
      const source = readFileSync(new URL(file, root), 'utf8');
      assert.ok(source.includes(file.endsWith('.go') ? `func ${title}(` : title), 'it is not there');
    });
  }
}

test('each row names one', () => {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| attack'));
  assert.deepEqual(
    rows.filter((row) => !named.some(([found]) => row.includes(found))),
    [],
  );
});
