/** Links the program, with a linker that also says what it knows about the module, and captures it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { capture } from './capture.mjs';
import { readMap } from './map.mjs';
import { clearDeadStacks } from './stacks.mjs';
import { parse } from './wasm.mjs';

const project = fileURLToPath(new URL('../..', import.meta.url));
const addition = fileURLToPath(new URL('_linker/map.go', import.meta.url));

export const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();

/**
 * Links a program for js/wasm.
 * @param {string} file where to
 * @param {string[]} flags of `go build`
 * @param {{ program?: string, environment?: Record<string, string> }} [option] program is its package
 */
export function link(file, flags, { program = './cmd/wasm', environment } = {}) {
  execFileSync('go', ['build', ...flags, '-o', file, program], {
    cwd: project,
    env: { ...process.env, GOOS: 'js', GOARCH: 'wasm', ...environment },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return readFileSync(file);
}

/**
 * Links the program as it is captured, and captures it.
 * @param {string} out a folder for what is built
 * @param {string} linker what buildLinker has returned
 * @param {string[]} flags of `go build`
 * @param {string} [tags] of the build
 * @returns {Promise<import('./divide.mjs').Program>}
 */
export async function captureProgram(out, linker, flags, tags = 'capture') {
  const directory = mkdtempSync(join(out, 'captured-'));
  try {
    const map = join(directory, 'map');
    const bytes = link(
      join(directory, 'wasm'), // not there yet: go build does not link again what it has linked
      [...flags, `-tags=${tags}`, `-toolexec=${linker}`],
      { environment: { LINKMAP: map } },
    );
    if (!existsSync(map)) throw new Error('the linker has written no map');
    const program = {
      map: readMap(readFileSync(map, 'utf8')),
      captured: await capture(parse(bytes), goroot),
    };
    clearDeadStacks(program.captured, program.map);
    return program;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * Builds a copy of the toolchain's linker that also writes a map of the module: its sections, and for each function and
 * datum what it refers to. It links the same module as the original, byte for byte.
 * @param {string} out a folder for what is built
 * @returns {string} the value of `go build -toolexec` that links with the copy. The environment variable LINKMAP then
 *   names the file that the map goes to
 */
export function buildLinker(out) {
  const directory = join(out, '_linker');
  mkdirSync(directory, { recursive: true });
  const folder = join(goroot, 'src/cmd/link/internal/wasm');
  const original = join(folder, 'asm.go');
  const changed = join(directory, 'asm.go');
  const overlay = join(directory, 'overlay.json');
  const linker = join(directory, 'link');
  const script = join(directory, 'toolexec.sh');
  writeFileSync(changed, callMap(readFileSync(original, 'utf8')));
  writeFileSync(
    overlay,
    JSON.stringify({ Replace: { [original]: changed, [join(folder, 'map.go')]: addition } }),
  );
  execFileSync('go', ['build', '-trimpath', '-overlay', overlay, '-o', linker, 'cmd/link'], {
    cwd: join(goroot, 'src/cmd'),
    env: { ...process.env, GOOS: '', GOARCH: '', GOEXPERIMENT: '', GOFLAGS: '' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  writeFileSync(script, `#!/bin/sh\ncase "$1" in */link) shift; exec "${linker}" "$@" ;; esac\nexec "$@"\n`, {
    mode: 0o755,
  });
  return script;
}

/**
 * Adds the call of writeMap to the linker's source, where every symbol has its address.
 * @param {string} source
 */
export function callMap(source) {
  const place = '\nfunc asmb2(ctxt *ld.Link, ldr *loader.Loader) {\n';
  const parts = source.split(place);
  if (parts.length !== 2) throw new Error("the linker's asm.go is not the one this tool knows");
  return parts.join(`${place}\twriteMap(ctxt, ldr)\n`);
}
