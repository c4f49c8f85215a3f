/** The program of this project is captured and split, and each reason for doubt is one to refuse. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { capture } from './capture.mjs';
import { divide } from './divide.mjs';
import { named } from './map.mjs';
import { buildLinker, captureProgram, goroot, link } from './program.mjs';
import { split } from './split.mjs';
import { clearDeadStacks } from './stacks.mjs';
import { encode, op, parse, signed } from './wasm.mjs';

/** @import { Program } from './divide.mjs' */

const root = fileURLToPath(new URL('../..', import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'connectsocket-split-'));
after(() => rmSync(out, { recursive: true }));

const [environment, ...flags] = execFileSync('make', ['-s', 'wasm-flags'], { cwd: root, encoding: 'utf8' })
  .trim()
  .split('\n');
process.env.GOEXPERIMENT = environment.split('=')[1];

const hot = readFileSync(new URL('hot.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');
const linker = buildLinker(out);
const program = await captureProgram(out, linker, flags);
const moved = await captureProgram(out, linker, flags, 'capture,moved');

/** A copy of the captured program, to be broken. @returns {Program} */
const copy = () => ({
  map: { ...program.map, sections: new Map(program.map.sections) },
  captured: {
    ...program.captured,
    module: structuredCopy(program.captured.module),
    memory: Buffer.from(program.captured.memory),
  },
});

/** @param {import('./wasm.mjs').Module} module */
const structuredCopy = (module) => ({
  ...module,
  functions: module.functions.map((f) => ({ ...f })),
  elements: module.elements.map((e) => ({ ...e })),
});

/** @param {string} name */
const numberOf = (name) => program.map.functions.findIndex((f) => f.name === name);

describe('the linker', () => {
  test('with a map links the same bytes as without', () => {
    const stock = link(join(out, 'stock.wasm'), [...flags, '-tags=capture']);
    const mapped = link(join(out, 'mapped.wasm'), [...flags, '-tags=capture', `-toolexec=${linker}`]);
    assert.ok(stock.equals(mapped));
  });
});

describe('capture', () => {
  test('gives the same state each time', async () => {
    const again = await captureProgram(out, linker, flags);
    assert.ok(again.captured.memory.equals(program.captured.memory));
    assert.deepEqual(again.captured.state, program.captured.state);
    assert.deepEqual(again.captured.globals, program.captured.globals);
  });

  test('holds nothing of JavaScript but by names that every page has', () => {
    const { held, told } = program.captured.state;
    for (const name of held)
      assert.ok(name === null || ['Object', 'Array', 'connectsocketBridge'].includes(name));
    assert.ok(told.some((value) => typeof (/** @type {any} */ (value)?.go) === 'number'));
  });

  for (const [name, message] of /** @type {Array<[string, RegExp]>} */ ([
    ['timer', /calls runtime.scheduleTimeoutEvent before it is captured/],
    ['value', /refers to a JavaScript value without a name/],
    ['exit', /calls runtime.wasmExit before it is captured/],
    ['silent', /without having told the bridge/],
  ])) {
    test(`refuses the program testdata/${name}`, async () => {
      const wasm = link(join(out, `${name}.wasm`), flags, { program: `./web/split/testdata/${name}` });
      await assert.rejects(capture(parse(wasm), goroot), message);
    });
  }

  test('refuses fields of wasm_exec.js that it does not know', async () => {
    const wasm = link(join(out, 'again.wasm'), [...flags, '-tags=capture']);
    const other = join(out, 'goroot');
    mkdirSync(join(other, 'lib/wasm'), { recursive: true });
    const source = readFileSync(join(goroot, 'lib/wasm/wasm_exec.js'), 'utf8');
    writeFileSync(
      join(other, 'lib/wasm/wasm_exec.js'),
      source.replace('this._pendingEvent = null;', 'this._pendingEvent = null; this._more = 1;'),
    );
    await assert.rejects(capture(parse(wasm), other), /has other fields: .*_more/);
  });

  test('clears dead stack, and refuses a stack that makes no sense', () => {
    const broken = copy();
    const list = named(program.map, 'runtime.allgs').at;
    const first = broken.captured.memory.readUInt32LE(broken.captured.memory.readUInt32LE(list));
    broken.captured.memory.writeUInt32LE(17, first); // its lower end
    assert.throws(() => clearDeadStacks(broken.captured, broken.map), /a goroutine at \d+ whose stack/);
    const filled = copy();
    assert.ok(clearDeadStacks(filled.captured, filled.map, 0xa5) > 10_000);
    assert.ok(!filled.captured.memory.equals(program.captured.memory));
  });
});

describe('division', () => {
  const division = divide(program, moved, hot);

  test('has exports hot and what describes functions cold', () => {
    const { exports, imports } = program.captured.module;
    for (const { name, kind, index } of exports)
      if (kind === 0)
        assert.equal(
          division.hot.has(index - imports.length),
          !['run', 'settle', 'stretch'].includes(name),
          name,
        );
    const tables = /** @type {{ at: number, end: number }} */ (program.map.sections.get('.gopclntab'));
    assert.ok(division.isCold(tables.at) && division.isCold(tables.end - 1));
    assert.ok(!division.isCold(named(program.map, 'runtime.mheap_').at));
  });

  for (const reader of ['runtime.findmoduledatap', 'runtime.activeModules', 'runtime.resolveNameOff']) {
    test(`refuses ${reader} among hot functions`, () => {
      assert.ok(numberOf(reader) >= 0);
      assert.throws(
        () => divide(program, moved, [...hot, reader]),
        new RegExp(`${reader} is hot and reads runtime\\.(firstmoduledata|modulesSlice)`),
      );
    });
  }

  test('follows fields of types where a hot function reads them', () => {
    const all = divide(program, moved, [...hot, 'runtime.typesEqual']);
    let [few, many] = [0, 0];
    for (let at = 0; at < program.captured.memory.length; at++) {
      if (division.isCold(at)) few++;
      if (all.isCold(at)) many++;
    }
    assert.ok(many < few - 1000, `${few} bytes are cold, ${many} with fields followed`);
  });

  test('refuses another layout of the table', () => {
    for (const change of /** @type {Array<(m: import('./wasm.mjs').Module) => void>} */ ([
      (m) => m.elements[0].offset++,
      (m) => m.elements.push(m.elements[0]),
      (m) => {
        m.elements[0].functions = m.elements[0].functions.toReversed();
      },
      (m) => {
        m.table = 3;
      },
    ])) {
      const other = copy();
      change(other.captured.module);
      assert.throws(() => divide(other, moved, hot), /the table is not laid out/);
    }
  });

  test('refuses other sections, and a map of another module', () => {
    const other = copy();
    other.map.sections.delete('.itablink');
    assert.throws(() => divide(other, moved, hot), /has other sections/);
    const short = copy();
    short.map.functions = short.map.functions.slice(1);
    assert.throws(() => divide(short, moved, hot), /the link map has \d+ functions and the module \d+/);
  });

  test('refuses a word of hot data that is an address of cold data', () => {
    const tables = /** @type {{ at: number }} */ (program.map.sections.get('.gopclntab'));
    for (const at of [named(program.map, 'runtime.sched').at, program.captured.memory.length - 64]) {
      const other = copy();
      other.captured.memory.writeBigUInt64LE(BigInt(tables.at + 64), at);
      assert.throws(() => divide(other, moved, hot), /is hot and may refer to/);
    }
  });

  test('takes a word for a number where it stays the same though the data moves', () => {
    const tables = /** @type {{ at: number }} */ (program.map.sections.get('.gopclntab'));
    const [one, two] = [
      copy(),
      { ...moved, captured: { ...moved.captured, memory: Buffer.from(moved.captured.memory) } },
    ];
    const at = one.captured.memory.length - 64;
    for (const { captured } of [one, two]) captured.memory.writeBigUInt64LE(BigInt(tables.at + 64), at);
    divide(one, two, hot);
  });

  test('refuses to compare with data that has not moved', () => {
    assert.throws(() => divide(program, program, hot), /has not moved/);
  });

  test('refuses a constant of a hot function that the linker made a cold address', () => {
    const tables = /** @type {{ at: number }} */ (program.map.sections.get('.gopclntab'));
    const other = copy();
    const i = numberOf('connectsocket/internal/task.(*Set).Event');
    assert.ok(division.hot.has(i));
    const { body } = other.captured.module.functions[i];
    const cold = tables.at + 1;
    other.captured.module.functions[i].body = Buffer.concat([
      body.subarray(0, -1),
      Buffer.from([op.i64Const, ...signed(cold), 0x1a, op.end]),
    ]);
    divide(other, moved, hot); // a number
    other.map.functions = other.map.functions.with(i, { ...other.map.functions[i], references: [cold] });
    assert.throws(() => divide(other, moved, hot), /is hot and (reads|names)/);
  });
});

describe('the parts', () => {
  const division = divide(program, moved, hot);

  test('are valid, and the first is the smaller by far', () => {
    const { first, rest } = split(program.captured, division);
    const [early, late] = [encode(first), encode(rest)];
    new WebAssembly.Module(early);
    new WebAssembly.Module(late);
    assert.ok(early.length * 4 < late.length);
  });

  test('that do not add up to the captured memory are refused', () => {
    let asked = 0;
    const { length } = program.captured.memory;
    const forgetful = {
      ...division,
      isCold: (/** @type {number} */ at) => asked++ < length && division.isCold(at),
    };
    assert.throws(() => split(program.captured, forgetful), /do not add up|which is hot/);
  });
});
