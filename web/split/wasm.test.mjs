/** What is read is what was written, and what is not known is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  codeStart,
  encode,
  FUNCTION,
  GLOBAL,
  I32,
  I64,
  instructions,
  MEMORY,
  memoryOf,
  op,
  parse,
  rewrite,
  segments,
  signed,
  TABLE,
  unsigned,
} from './wasm.mjs';

/** A module with something in each section. @type {import('./wasm.mjs').Module} */
const module = {
  types: [
    { params: [I32], results: [I32] },
    { params: [], results: [] },
  ],
  imports: [{ module: 'env', name: 'twice', kind: FUNCTION, type: 0 }],
  functions: [
    // Two locals; twice(parameter) + 1 000 000, through a store and a load.
    {
      type: 0,
      body: Buffer.from([
        ...[1, 2, I64, op.i32Const, 16, op.localGet, 0, op.call, 0, 0x36, 2, 8],
        ...[op.i32Const, 16, 0x28, 2, 8, op.i32Const, ...signed(1_000_000), 0x6a, op.end],
      ]),
    },
    { type: 1, body: Buffer.from([0, op.end]) },
  ],
  table: 12,
  memory: 1,
  globals: [
    { type: I32, mutable: 1, init: -5n },
    { type: I64, mutable: 0, init: 2n ** 40n },
  ],
  exports: [
    { name: 'f', kind: FUNCTION, index: 1 },
    { name: 't', kind: TABLE, index: 0 },
    { name: 'm', kind: MEMORY, index: 0 },
    { name: 'g', kind: GLOBAL, index: 1 },
  ],
  elements: [{ offset: 10, functions: [1, 2] }],
  data: [{ offset: 300, bytes: Buffer.from('hello') }],
  customs: [{ name: 'note', bytes: Buffer.from('anything') }],
};

test('a module is the same after writing and reading', () => {
  assert.deepEqual(parse(encode(module)), module);
});

test('an engine runs what is written', async () => {
  const { instance } = await WebAssembly.instantiate(encode(module), {
    env: { twice: (/** @type {number} */ n) => 2 * n },
  });
  const { f, g, m, t } = /** @type {any} */ (instance.exports);
  assert.equal(f(21), 1_000_042);
  assert.equal(g.value, 2n ** 40n);
  assert.equal(t.get(10), f);
  assert.equal(Buffer.from(m.buffer, 300, 5).toString(), 'hello');
});

test('numbers of any size are written as the standard has them', () => {
  assert.deepEqual(unsigned(624485), [0xe5, 0x8e, 0x26]); // the standard's example
  assert.deepEqual(signed(-123456), [0xc0, 0xbb, 0x78]);
  for (const n of [0, 63, 64, -64, -65, 2 ** 31, -(2 ** 31), 2n ** 63n - 1n, -(2n ** 63n)]) {
    const body = Buffer.from([0, op.i64Const, ...signed(n), op.end]);
    assert.equal([...instructions(body)][0].value, BigInt(n));
  }
});

test('instructions are found behind locals, with what they name', () => {
  const [{ body }] = module.functions;
  const found = [...instructions(body)];
  assert.equal(found[0].start, codeStart(body));
  assert.equal(found.find(({ op: code }) => code === op.call)?.callee, 0);
  assert.deepEqual(
    found.flatMap(({ address }) => (address ? [address] : [])),
    [
      { offset: 8, bytes: 4, store: true },
      { offset: 8, bytes: 4, store: false },
    ],
  );
  assert.ok(found.some(({ value }) => value === 1_000_000n));
});

test('rewriting changes what it is to and nothing else', () => {
  const [{ body }] = module.functions;
  const longer = rewrite(body, ({ op: code }) =>
    code === op.call ? [op.call, ...unsigned(300)] : undefined,
  );
  assert.equal(longer.length, body.length + 1);
  const back = rewrite(longer, ({ callee }) => (callee === 300 ? [op.call, 0] : undefined));
  assert.deepEqual(back, body);
});

test('segments are the memory, without long runs of zeros', () => {
  const memory = memoryOf({ ...module, data: [] });
  memory.write('one', 100);
  memory.write('two', 110);
  memory.write('three', 400);
  const found = segments(memory, 16);
  assert.deepEqual(
    found.map(({ offset, bytes }) => [offset, bytes.length]),
    [
      [100, 13],
      [400, 5],
    ],
  );
  assert.ok(memoryOf({ ...module, data: found }).equals(memory));
  // Where a segment may not lie, zeros do not join two.
  const divided = segments(memory, 16, (at) => at !== 105);
  assert.deepEqual(
    divided.map(({ offset }) => offset),
    [100, 110, 400],
  );
  assert.throws(() => segments(memory, 16, (at) => at !== 111), /data at 111, where there must be none/);
});

const header = Buffer.from('0061736d01000000', 'hex');
/** @param {number[]} bytes */
const withSections = (...bytes) => Buffer.concat([header, Buffer.from(bytes)]);

for (const [name, bytes, message] of /** @type {Array<[string, Buffer, RegExp]>} */ ([
  ['something else', Buffer.from('<!doctype html>'), /not a WebAssembly module/],
  ['a truncated module', encode(module).subarray(0, -20), /ends too early/],
  ['an unknown section', withSections(13, 1, 0), /a section of kind 13/],
  ['more in a section than its list', withSections(3, 2, 0, 9), /more in it than its list/],
  ['an import that is no function', withSections(2, 6, 1, 1, 97, 1, 98, 3), /import a.b/],
  ['a memory with a limit', withSections(5, 4, 1, 1, 1, 2), /limits/],
  ['passive data', withSections(11, 3, 1, 1, 0), /data of a kind/],
  ['elements of another table', withSections(9, 3, 1, 2, 0), /elements of a kind/],
  ['a global that is computed', withSections(6, 6, 1, I32, 0, 0x23, 0, op.end), /an expression of 0x23/],
  ['functions without a body', withSections(3, 2, 1, 0), /without a body/],
])) {
  test(`${name} is refused`, () => assert.throws(() => parse(bytes), message));
}

for (const [name, code] of /** @type {Array<[string, number[]]>} */ ([
  ['a vector instruction', [0xfd, 12]],
  ['an atomic instruction', [0xfe, 0]],
  ['a tail call', [0x12, 0]],
  ['a call through another table', [op.callIndirect, 0, 1]],
  ['a table instruction', [0xfc, 15, 0]],
])) {
  test(`${name} is refused`, () => {
    assert.throws(() => [...instructions(Buffer.from([0, ...code, op.end]))], /an instruction|another table/);
  });
}
