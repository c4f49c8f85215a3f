/**
 * The toolchain's wasm_exec.js, cut down for the scripts.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cutDown } from './wasm-exec.mjs';

const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
const source = readFileSync(join(goroot, 'lib/wasm/wasm_exec.js'), 'utf8');
const code = readFileSync(new URL('dist/connectsocket.full.wasm', import.meta.url));
const whole = new WebAssembly.Module(code);

/** The class Go of a cut-down source. @param {string} text */
function evaluate(text) {
  const body = text.replace('export default function (globalThis)', 'return function (globalThis)');
  return new Function(body)()({});
}

test('a program has the imports of its module, and no others', () => {
  const { gojs, ...others } = new (evaluate(cutDown(source, whole)))().importObject;
  const wanted = WebAssembly.Module.imports(whole).map(({ name }) => name);
  assert.deepEqual(Object.keys(gojs).sort(), wanted.sort());
  assert.deepEqual(others, {});
});

test('what Go writes is logged line by line', (t) => {
  const log = t.mock.method(console, 'log', () => {});
  const program = new (evaluate(cutDown(source, whole)))();
  const memory = new WebAssembly.Memory({ initial: 1 });
  program._inst = { exports: { mem: memory } };
  program.mem = new DataView(memory.buffer);
  for (const text of ['panic: ', 'lost\n\ngor', 'outine 1\n', 'rest']) {
    const { written } = new TextEncoder().encodeInto(text, new Uint8Array(memory.buffer, 64));
    program.mem.setUint32(8, 2, true);
    program.mem.setUint32(16, 64, true);
    program.mem.setInt32(24, written, true);
    program.importObject.gojs['runtime.wasmWrite'](0);
  }
  assert.deepEqual(
    log.mock.calls.map(({ arguments: [line] }) => line),
    ['panic: lost\n', 'goroutine 1'],
  );
});

test('a source that is laid out in another way is refused', () => {
  assert.throws(
    () => cutDown(source.replaceAll('_gotest', '_test'), whole),
    /wasm_exec\.js has nothing like /,
  );
  assert.throws(
    () => cutDown(source.replace('"runtime.walltime"', '"runtime.time"'), whole),
    /wasm_exec\.js lacks runtime\.walltime$/,
  );
});
