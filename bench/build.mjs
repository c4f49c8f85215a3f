/** Writes bench/build: the pages, the contestants, and the module from web/dist, which `make build` wrote. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { smallestBrotli } from '../web/brotli.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const output = join(root, 'bench/build');

/**
 * Compiles a Go package to WebAssembly.
 *
 * @param {string} name of the package's folder below bench
 * @param {string[]} flags
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Buffer}
 */
function compile(name, flags, env) {
  const file = join(output, 'compiled.wasm');
  execFileSync('go', ['build', ...flags, '-o', file, `./bench/${name}`], {
    cwd: root,
    env: { ...process.env, GOOS: 'js', GOARCH: 'wasm', ...env },
  });
  const wasm = readFileSync(file);
  rmSync(file);
  return wasm;
}

/** @param {Buffer} data */
const sizes = async (data) => ({
  raw: data.length,
  gzip: gzipSync(data, { level: 9 }).length,
  brotli: (await smallestBrotli(data)).length,
});

/**
 * Builds all that the server serves.
 *
 * @returns {Promise<Record<string, { raw: number, gzip: number, brotli: number }>>} bytes by what they are of
 */
export async function buildAll() {
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  execFileSync('go', ['build', '-o', `${output}/`, './bench/server', './bench/ceiling', './cmd/relay'], {
    cwd: root,
  });
  cpSync(join(root, 'web/dist'), output, { recursive: true });
  cpSync(join(root, 'bench/page/index.html'), join(output, 'index.html'));
  cpSync(join(root, 'bench/page/start'), join(output, 'start'), { recursive: true });
  const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
  cpSync(join(goroot, 'lib/wasm/wasm_exec.js'), join(output, 'wasm_exec.js'));
  await build({
    entryPoints: {
      bench: join(root, 'bench/page/bench.js'),
      // Its index draws in components and styles; the API is one file.
      taro: join(root, 'bench/node_modules/@tarojs/taro-h5/dist/api/network/websocket/index.js'),
    },
    outdir: output,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: ['/connectsocket.mjs', '/taro.js', '/wasm_exec.js'],
    logLevel: 'warning',
  });

  const nhooyr = compile('nhooyr', ['-trimpath', '-ldflags=-s -w']);
  writeFileSync(join(output, 'nhooyr.wasm'), nhooyr);
  writeFileSync(join(output, 'nhooyr.wasm.br'), await smallestBrotli(nhooyr));
  for (const script of ['connectsocket.js', 'wasm_exec.js']) {
    writeFileSync(join(output, `${script}.br`), await smallestBrotli(readFileSync(join(output, script))));
  }
  // The very flags of the module, as make tells them.
  const [env, ...flags] = execFileSync('make', ['-s', 'wasm-flags'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n');
  return {
    'connectsocket.wasm': await sizes(readFileSync(join(output, 'connectsocket.wasm'))),
    'connectsocket.js': await sizes(readFileSync(join(output, 'connectsocket.js'))),
    'empty main, the same flags': await sizes(
      compile('empty', flags, { GOEXPERIMENT: env.replace('GOEXPERIMENT=', '') }),
    ),
    'empty main, default flags': await sizes(compile('empty', [])),
    'nhooyr.io/websocket': await sizes(nhooyr),
  };
}
