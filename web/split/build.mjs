/**
 * Builds the module: node build.mjs DIRECTORY LIST FLAGS… writes into the directory
 *
 *   connectsocket.wasm       the first part of the captured module
 *   connectsocket.rest.wasm  what the first part leaves out
 *   connectsocket.full.wasm  the plain module: started as any Go program
 *
 * and split.json, with the SHA-256 of the rest in Base64. On any doubt about the split it writes the plain module as
 * connectsocket.wasm, no rest, and into split.json why. LIST is the file with the names of the hot functions. FLAGS are
 * those of `go build`; the environment is that of the build too.
 *
 * node build.mjs --profile DIRECTORY LIST FLAGS… writes the list instead.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SECTION } from '../restore.js';
import { divide } from './divide.mjs';
import { profile } from './profile.mjs';
import { buildLinker, captureProgram, link } from './program.mjs';
import { split, whole } from './split.mjs';
import { encode, memoryOf, parse, segments } from './wasm.mjs';

const script = fileURLToPath(new URL('../dist/connectsocket.mjs', import.meta.url));

// Shorter runs of zeros stay in the data: another segment's header costs more after compression.
const GAP = 64;

/** @param {string} out @param {string} list @param {string[]} flags */
async function build(out, list, flags) {
  const plain = parse(link(join(out, 'plain.wasm'), flags));
  const full = encode({ ...plain, data: segments(memoryOf(plain), GAP), customs: [] });
  writeFileSync(join(out, 'connectsocket.full.wasm'), full);
  rmSync(join(out, 'connectsocket.rest.wasm'), { force: true });
  try {
    const { first, rest } = await splitProgram(out, list, flags);
    writeFileSync(join(out, 'connectsocket.wasm'), first);
    writeFileSync(join(out, 'connectsocket.rest.wasm'), rest);
    writeFileSync(join(out, 'split.json'), JSON.stringify({ rest: sha256(rest) }));
  } catch (error) {
    const refused = error instanceof Error ? error.message : String(error);
    console.warn(`connectsocket.wasm is the plain module, because the split was refused: ${refused}`);
    writeFileSync(join(out, 'connectsocket.wasm'), full);
    writeFileSync(join(out, 'split.json'), JSON.stringify({ refused }));
  }
}

/**
 * The way from the source to both parts.
 * @param {string} out
 * @param {string} list
 * @param {string[]} flags
 */
async function splitProgram(out, list, flags) {
  const linker = buildLinker(out);
  const program = await captureProgram(out, linker, flags);
  const moved = await captureProgram(out, linker, flags, 'capture,moved');
  const hot = readFileSync(list, 'utf8').trim().split('\n');
  const division = divide(program, moved, hot);
  const { first, rest } = split(program.captured, division);
  const late = encode(rest);
  const early = encode({
    ...first,
    customs: [stateSection({ ...program.captured.state, rest: sha256(late) })],
  });
  for (const bytes of [early, late]) new WebAssembly.Module(bytes); // it validates
  const known = new Set(program.map.functions.map(({ name }) => name));
  const unknown = hot.filter((name) => !known.has(name));
  console.log(`split: ${division.hot.size} of ${known.size} functions are in the first part`);
  if (unknown.length > 0) console.log(`${list} has ${unknown.length} names of no function: run make hot`);
  return { first: early, rest: late };
}

/** @param {string} out @param {string} list @param {string[]} flags */
async function writeList(out, list, flags) {
  const { captured, map } = await captureProgram(out, buildLinker(out), flags);
  const module = { ...whole(captured), customs: [stateSection(captured.state)] };
  const hot = await profile(module, script, { connections: 600 });
  const names = [...hot].map((i) => map.functions[i].name).sort();
  writeFileSync(list, `${names.join('\n')}\n`);
  console.log(`${list}: ${names.length} functions`);
  process.exit(0); // the module waits for ever
}

/** @param {import('../restore.js').State} state */
const stateSection = (state) => ({ name: SECTION, bytes: Buffer.from(JSON.stringify(state)) });

/** @param {Buffer} bytes */
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('base64');

const profiling = process.argv[2] === '--profile';
const [directory, list, ...flags] = process.argv.slice(profiling ? 3 : 2);
const out = resolve(directory);
mkdirSync(out, { recursive: true });
if (profiling) await writeList(out, list, flags);
else await build(out, list, flags);
