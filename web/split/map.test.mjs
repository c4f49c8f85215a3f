/** The linker's map is read whole, or refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { named, readMap } from './map.mjs';
import { callMap } from './program.mjs';

const text = [
  'S\t100\t50\t.rodata',
  'F\t0\tmain.main\t 3=120 9=130',
  'F\t1\tmain.other\t',
  'D\t120\t8\tmain.text\t',
  'D\t100\t16\ttype:main.t\t 8=120 12~140',
  '',
].join('\n');

test('a map is read in order of addresses', () => {
  const map = readMap(text);
  assert.deepEqual(map.sections.get('.rodata'), { name: '.rodata', at: 100, end: 150 });
  assert.deepEqual(map.functions, [
    { name: 'main.main', references: [120, 130] },
    { name: 'main.other', references: [] },
  ]);
  assert.deepEqual(
    map.data.map(({ name }) => name),
    ['type:main.t', 'main.text'],
  );
  // Short offsets are not followed.
  assert.deepEqual(named(map, 'type:main.t').references, [{ offset: 8, to: 120 }]);
});

test('addresses lead to the datum that holds them', () => {
  const { find } = readMap(text);
  for (const [address, name] of /** @type {Array<[number, string | undefined]>} */ ([
    [99, undefined],
    [100, 'type:main.t'],
    [115, 'type:main.t'],
    [116, undefined],
    [127, 'main.text'],
    [128, undefined],
  ]))
    assert.equal(find(address)?.name, name, `at ${address}`);
});

for (const [name, more, message] of /** @type {Array<[string, string, RegExp]>} */ ([
  ['data that overlap', 'D\t110\t4\tinner\t', /type:main.t and inner overlap/],
  ['functions out of order', 'F\t3\tmain.third\t', /out of order/],
  ['a line of another kind', 'X\t1', /begins with X/],
])) {
  test(`${name}: refused`, () => assert.throws(() => readMap(`${text}${more}\n`), message));
}

test('a name that is there twice, or not at all, is refused', () => {
  const map = readMap(`${text}D\t130\t1\tmain.text\t\n`);
  assert.throws(() => named(map, 'main.text'), /2 data of the name main.text/);
  assert.throws(() => named(map, 'main.none'), /0 data of the name main.none/);
});

test("another version's linker is refused", () => {
  const source = 'package wasm\n\nfunc asmb2(ctxt *ld.Link, ldr *loader.Loader) {\n\tmore()\n}\n';
  assert.match(callMap(source), /Loader\) \{\n\twriteMap\(ctxt, ldr\)\n\tmore/);
  assert.throws(() => callMap('package wasm\n'), /not the one this tool knows/);
});
