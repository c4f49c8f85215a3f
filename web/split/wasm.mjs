/**
 * Reads and writes WebAssembly modules (WebAssembly Core Specification 1.0, section 5) as Go's linker makes them. Whatever
 * it does not know is an error. The bodies of functions stay bytes; `instructions` walks them.
 *
 * @typedef {{ params: number[], results: number[] }} Type
 * @typedef {{ module: string, name: string, kind: number, type?: number, min?: number, mutable?: number }} Import of
 *   kind FUNCTION: type is an index; TABLE, MEMORY: min; GLOBAL: type is that of the value
 * @typedef {{ type: number, body: Buffer }} Code a function
 * @typedef {{ type: number, mutable: number, init: bigint }} Global
 * @typedef {{ name: string, kind: number, index: number }} Export
 * @typedef {{ offset: number, functions: number[] }} Elements
 * @typedef {{ offset: number, bytes: Buffer }} Data
 * @typedef {{ name: string, bytes: Buffer }} Custom
 * @typedef {{
 *   types: Type[], imports: Import[], functions: Code[], table?: number, memory?: number, globals: Global[],
 *   exports: Export[], elements: Elements[], data: Data[], customs: Custom[],
 * }} Module table: its least number of slots; memory: its least number of pages
 * @typedef {{ op: number, start: number, end: number, value?: bigint, callee?: number, address?: Access, bulk?: number }} Instruction
 *   value: that of a constant; callee: the function of a call; bulk: which of the instructions after 0xfc
 * @typedef {{ offset: number, bytes: number, store: boolean }} Access what an instruction reads or writes
 */

export const FUNCTION = 0;
export const TABLE = 1;
export const MEMORY = 2;
export const GLOBAL = 3;

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;

/** Instructions that this tool writes, or looks at. */
export const op = {
  if: 0x04,
  end: 0x0b,
  call: 0x10,
  callIndirect: 0x11,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  unreachable: 0x00,
  return: 0x0f,
  i32Add: 0x6a,
  i32LessUnsigned: 0x49,
  else: 0x05,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eqz: 0x45,
};
export const NOTHING = 0x40; // the type of a block without a result

const PAGE = 65536;

/** A number without a sign in LEB128. @param {number} n */
export function unsigned(n) {
  const bytes = [];
  for (; n > 127; n = Math.floor(n / 128)) bytes.push((n % 128) | 128);
  bytes.push(n);
  return bytes;
}

/** A number with a sign in LEB128. @param {number | bigint} n */
export function signed(n) {
  let rest = BigInt(n);
  const bytes = [];
  for (; rest > 63n || rest < -64n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest & 127n));
  return bytes;
}

class Reader {
  /** @param {Buffer} bytes */
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    if (this.at >= this.bytes.length) throw new Error('the module ends too early');
    return this.bytes[this.at++];
  }

  unsigned() {
    let n = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.byte();
      n += (byte & 127) * unit;
      if (byte < 128) return n;
    }
  }

  signed() {
    let n = 0n;
    let bits = 0n;
    for (;;) {
      const byte = this.byte();
      n |= BigInt(byte & 127) << bits;
      bits += 7n;
      if (byte < 128) return byte & 64 ? n - (1n << bits) : n;
    }
  }

  /** @param {number} length */
  take(length) {
    if (this.at + length > this.bytes.length) throw new Error('the module ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  name() {
    return this.take(this.unsigned()).toString();
  }

  /**
   * @template T
   * @param {() => T} item
   */
  list(item) {
    return Array.from({ length: this.unsigned() }, item);
  }

  /** Reads a byte that can only be this one. @param {number} byte @param {string} what */
  expect(byte, what) {
    const found = this.byte();
    if (found !== byte) throw new Error(`${what}: 0x${found.toString(16)}`);
  }

  /** The smallest size of a table or memory; neither has a largest one. */
  limits() {
    this.expect(0, 'a table or memory with limits that this tool does not know');
    return this.unsigned();
  }

  /** The value of an expression that is one constant. */
  constant() {
    const code = this.byte();
    if (code !== op.i32Const && code !== op.i64Const)
      throw new Error(`an expression of 0x${code.toString(16)}`);
    const value = this.signed();
    this.expect(op.end, 'an expression that goes on');
    return value;
  }
}

/**
 * Reads a module.
 * @param {Buffer} bytes
 * @returns {Module}
 */
export function parse(bytes) {
  if (bytes.subarray(0, 8).toString('hex') !== '0061736d01000000')
    throw new Error('not a WebAssembly module');
  const reader = new Reader(bytes, 8);
  /** @type {Module} */
  const module = {
    types: [],
    imports: [],
    functions: [],
    globals: [],
    exports: [],
    elements: [],
    data: [],
    customs: [],
  };
  /** @type {number[]} */
  let types = [];
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const content = reader.take(reader.unsigned());
    const r = new Reader(content);
    switch (id) {
      case 0: {
        const name = r.name();
        module.customs.push({ name, bytes: content.subarray(r.at) });
        r.at = content.length;
        break;
      }
      case 1:
        module.types = r.list(() => {
          r.expect(0x60, 'a type that is not of a function');
          return { params: r.list(() => r.byte()), results: r.list(() => r.byte()) };
        });
        break;
      case 2:
        module.imports = r.list(() => {
          const [from, name] = [r.name(), r.name()];
          r.expect(FUNCTION, `the import ${from}.${name} is of a kind that this tool does not know`);
          return { module: from, name, kind: FUNCTION, type: r.unsigned() };
        });
        break;
      case 3:
        types = r.list(() => r.unsigned());
        break;
      case 4:
        [module.table] = r.list(() => {
          r.expect(0x70, 'a table of something else than functions');
          return r.limits();
        });
        break;
      case 5:
        [module.memory] = r.list(() => r.limits());
        break;
      case 6:
        module.globals = r.list(() => ({ type: r.byte(), mutable: r.byte(), init: r.constant() }));
        break;
      case 7:
        module.exports = r.list(() => ({ name: r.name(), kind: r.byte(), index: r.unsigned() }));
        break;
      case 9:
        module.elements = r.list(() => {
          r.expect(0, 'elements of a kind that this tool does not know');
          return { offset: Number(r.constant()), functions: r.list(() => r.unsigned()) };
        });
        break;
      case 10:
        module.functions = r.list(() => ({ type: 0, body: r.take(r.unsigned()) }));
        module.functions.forEach((f, i) => {
          f.type = types[i];
        });
        break;
      case 11:
        module.data = r.list(() => {
          r.expect(0, 'data of a kind that this tool does not know');
          return { offset: Number(r.constant()), bytes: r.take(r.unsigned()) };
        });
        break;
      default:
        throw new Error(`a section of kind ${id}`);
    }
    if (r.at !== content.length) throw new Error(`a section of kind ${id} with more in it than its list`);
  }
  if (types.length !== module.functions.length) throw new Error('functions without a body');
  return module;
}

/** @param {string} text */
const string = (text) => {
  const bytes = Buffer.from(text);
  return [...unsigned(bytes.length), ...bytes];
};

/** @param {Iterable<number>[]} items */
const list = (items) =>
  Buffer.concat([Buffer.from(unsigned(items.length)), ...items.map((item) => Buffer.from([...item]))]);

/** @param {number} length @param {Buffer} bytes */
const counted = (length, bytes) => Buffer.concat([Buffer.from(unsigned(length)), bytes]);

/**
 * Writes a module. Functions' bodies are taken as they are: whoever moves functions has renumbered the calls.
 * @param {Module} module
 */
export function encode(module) {
  const { types, imports, functions, table, memory, globals, exports, elements, data, customs } = module;
  /** @type {Array<[number, Buffer]>} */
  const sections = [
    [
      1,
      list(
        types.map((t) => [0x60, ...list([...t.params.map((p) => [p])]), ...list(t.results.map((p) => [p]))]),
      ),
    ],
    [2, list(imports.map((i) => [...string(i.module), ...string(i.name), i.kind, ...described(i)]))],
    [3, list(functions.map((f) => unsigned(f.type)))],
    [4, list(table === undefined ? [] : [[0x70, 0, ...unsigned(table)]])],
    [5, list(memory === undefined ? [] : [[0, ...unsigned(memory)]])],
    [6, list(globals.map((g) => [g.type, g.mutable, constOf(g.type), ...signed(g.init), op.end]))],
    [7, list(exports.map((e) => [...string(e.name), e.kind, ...unsigned(e.index)]))],
    [
      9,
      list(
        elements.map((e) => [
          0,
          op.i32Const,
          ...signed(e.offset),
          op.end,
          ...list(e.functions.map(unsigned)),
        ]),
      ),
    ],
    [10, vector(functions.map((f) => counted(f.body.length, f.body)))],
    [
      11,
      vector(
        data.map((d) =>
          Buffer.concat([
            Buffer.from([0, op.i32Const, ...signed(d.offset), op.end]),
            counted(d.bytes.length, d.bytes),
          ]),
        ),
      ),
    ],
    ...customs.map(
      (c) => /** @type {[number, Buffer]} */ ([0, Buffer.concat([Buffer.from(string(c.name)), c.bytes])]),
    ),
  ];
  return Buffer.concat([
    Buffer.from('0061736d01000000', 'hex'),
    ...sections
      .filter(([id, content]) => id === 0 || content.length > 1)
      .flatMap(([id, content]) => [Buffer.from([id]), counted(content.length, content)]),
  ]);
}

/** @param {Buffer[]} items */
const vector = (items) => counted(items.length, Buffer.concat(items));

/** @param {number} type */
const constOf = (type) => (type === I32 ? op.i32Const : op.i64Const);

/** @param {Import} i */
function described({ kind, type = 0, min = 0, mutable = 0 }) {
  if (kind === FUNCTION) return unsigned(type);
  if (kind === GLOBAL) return [type, mutable];
  return [...(kind === TABLE ? [0x70] : []), 0, ...unsigned(min)];
}

// Instructions after 0xfc that work on ranges of memory.
export const COPY = 10;
export const FILL = 11;

// Bytes that each load and store touches, from 0x28 on; those above 0x35 store.
const widths = [4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4, 4, 8, 4, 8, 1, 2, 1, 2, 4];

/**
 * The instructions of a function's body, in order.
 * @param {Buffer} body
 * @returns {Generator<Instruction, void>}
 */
export function* instructions(body) {
  const r = new Reader(body, codeStart(body));
  while (r.at < body.length) {
    const start = r.at;
    const code = r.byte();
    /** @type {Instruction} */
    const instruction = { op: code, start, end: 0 };
    if (code >= 0x28 && code <= 0x3e) {
      r.unsigned(); // alignment
      instruction.address = { offset: r.unsigned(), bytes: widths[code - 0x28], store: code > 0x35 };
    } else if (code === op.i32Const || code === op.i64Const) {
      instruction.value = r.signed();
    } else if (code === op.call) {
      instruction.callee = r.unsigned();
    } else if (code === 0xfc) {
      instruction.bulk = r.unsigned();
      if (instruction.bulk === COPY) r.take(2);
      else if (instruction.bulk === FILL) r.take(1);
      else if (instruction.bulk > 7) throw new Error(`an instruction 0xfc ${instruction.bulk}`);
    } else {
      skipOperands(r, code);
    }
    instruction.end = r.at;
    yield instruction;
  }
}

/** @param {Reader} r @param {number} code */
function skipOperands(r, code) {
  if (code >= 0x02 && code <= op.if) r.signed();
  else if (code === 0x0c || code === 0x0d || (code >= op.localGet && code <= op.globalSet)) r.unsigned();
  else if (code === 0x0e) {
    r.list(() => r.unsigned());
    r.unsigned();
  } else if (code === op.callIndirect) {
    r.unsigned();
    r.expect(0, 'a call through another table');
  } else if (code === 0x3f || code === 0x40) r.expect(0, 'a memory of another number');
  else if (code === 0x43) r.take(4);
  else if (code === 0x44) r.take(8);
  else if (
    !(code <= 0x01 || [0x05, op.end, 0x0f, 0x1a, 0x1b].includes(code) || (code >= 0x45 && code <= 0xc4))
  )
    throw new Error(`an instruction 0x${code.toString(16)}`);
}

/** Where the code begins, after the declarations of locals. @param {Buffer} body */
export const codeStart = (body) => readLocals(body).end;

/**
 * Adds locals to a function.
 * @param {Buffer} body
 * @param {number[]} types
 * @returns {{ body: Buffer, first: number }} first is the place of the first of them, counted without parameters
 */
export function addLocals(body, types) {
  const { groups, end } = readLocals(body);
  const all = [...groups, ...types.map((type) => ({ count: 1, type }))];
  const declared = list(all.map(({ count, type }) => [...unsigned(count), type]));
  return {
    body: Buffer.concat([declared, body.subarray(end)]),
    first: groups.reduce((sum, { count }) => sum + count, 0),
  };
}

/** @param {Buffer} body */
function readLocals(body) {
  const r = new Reader(body);
  return { groups: r.list(() => ({ count: r.unsigned(), type: r.byte() })), end: r.at };
}

/**
 * A body with other instructions in the place of some.
 * @param {Buffer} body
 * @param {(instruction: Instruction) => number[] | undefined} replace undefined leaves an instruction as it is
 */
export function rewrite(body, replace) {
  const parts = [];
  let from = 0;
  for (const instruction of instructions(body)) {
    const bytes = replace(instruction);
    if (!bytes) continue;
    parts.push(body.subarray(from, instruction.start), Buffer.from(bytes));
    from = instruction.end;
  }
  parts.push(body.subarray(from));
  return Buffer.concat(parts);
}

/**
 * The memory of a module as its data makes it.
 * @param {Module} module
 */
export function memoryOf({ memory = 0, data }) {
  const bytes = Buffer.alloc(memory * PAGE);
  for (const { offset, bytes: part } of data) bytes.set(part, offset);
  return bytes;
}

/**
 * Divides memory into data segments. Zeros are left out where there are enough of them: the header of another segment costs
 * more than a few zeros do.
 * @param {Buffer} memory
 * @param {number} gap the least number of zeros that end a segment
 * @param {(address: number) => boolean} [may] where a segment may lie
 * @returns {Data[]}
 */
export function segments(memory, gap, may = () => true) {
  /** @type {Data[]} */
  const found = [];
  let start = -1;
  let end = 0; // after the last byte that is not zero
  const close = () => {
    if (start >= 0) found.push({ offset: start, bytes: memory.subarray(start, end) });
    start = -1;
  };
  for (let at = 0; at < memory.length; at++) {
    if (start >= 0 && (at - end >= gap || !may(at))) close();
    if (memory[at] === 0) continue;
    if (!may(at)) throw new Error(`data at ${at}, where there must be none`);
    if (start < 0) start = at;
    end = at + 1;
  }
  close();
  return found;
}
