/**
 * Writes web/dist from the folder that split/build.mjs has written the module to, given as the first argument: the
 * scripts, the types, the module's files with their compressed forms and their provenance, and the playground. The other
 * arguments are the flags with which the module was built.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { minify } from 'uglify-js';
import { quickBrotli, smallestBrotli } from './brotli.mjs';
import { cutDown } from './wasm-exec.mjs';

const web = fileURLToPath(new URL('.', import.meta.url));
const dist = join(web, 'dist');
const [, , folder, ...flags] = process.argv;
const split = JSON.parse(readFileSync(join(folder, 'split.json'), 'utf8'));
const modules = ['connectsocket.wasm', 'connectsocket.rest.wasm', 'connectsocket.full.wasm']
  .filter((name) => existsSync(join(folder, name))) // no rest if the split was refused
  .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
const { version } = JSON.parse(readFileSync(join(web, 'package.json'), 'utf8'));
const { GOROOT, GOEXPERIMENT, GOWASM } = JSON.parse(
  output('go', 'env', '-json', 'GOROOT', 'GOEXPERIMENT', 'GOWASM'),
);

/** @type {import('esbuild').Plugin} */
const wasmExec = {
  name: 'go:wasm_exec',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^go:wasm_exec$/ }, ({ path }) => ({ path, namespace: 'go' }));
    onLoad({ filter: /.*/, namespace: 'go' }, () => ({
      contents: cutDown(
        readFileSync(join(GOROOT, 'lib/wasm/wasm_exec.js'), 'utf8'),
        new WebAssembly.Module(modules[modules.length - 1].bytes),
      ),
    }));
  },
};

/**
 * Names of fields and methods that only the scripts themselves read, neither Go nor the page: a script has shorter ones in their
 * place.
 */
const ownNames = `
  act admit afterJudgement askAgain asked attempt beat began callbacks callGo callOther carrying carryOut constructOf
  deliver dial die endAll endPause enter established exited expire failAttempt failure fetchWhenIdle follow forget
  goLive handlers handOver hold importObject isBetween isHidden isInDomains isOffline isPaused isRelayed judged keep kinds
  leave letGo limitAttempt lossError mayHold maySend offGlobal onAnswer onDeath onGlobal onLoss onStart openEarly post
  opens other others pass pendingBytes pendingMessages phase queueReplay receive redial redialled redials relayed relayLoss
  renewing replay replayQueued restarts setSources shed startTimer tick timeoutError timer unsendable waitForNext
  waitForTick whenFree whenJudged whenOnline whenSettled whenVisible whyNotOpen
`
  .trim()
  .split(/\s+/);
const browserNames = JSON.parse(
  readFileSync(new URL(import.meta.resolve('uglify-js/tools/domprops.json')), 'utf8'),
);
const shared = ownNames.filter((name) => browserNames.includes(name));
if (shared.length > 0) throw new Error(`not only the scripts' own names: ${shared}`);
const shorter = {
  mangleProps: new RegExp(`^(?:_[a-z].*|${ownNames.join('|')})$`), // wasm_exec.js marks its own by a _
  reserveProps: /^(?:_pendingEvent|_makeFuncWrapper)$/, // which Go knows
};

/** @param {import('esbuild').BuildOptions} options */
const bundle = (options) =>
  build({
    bundle: true,
    minify: true,
    sourcemap: 'linked',
    metafile: true,
    legalComments: 'inline',
    plugins: [wasmExec],
    logLevel: 'warning',
    // As TypeScript esbuild makes a class's fields plain assignments for older engines, which is shorter and faster.
    loader: { '.js': 'ts' },
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false, verbatimModuleSyntax: true } },
    ...options,
    inject: [join(web, 'globals.js'), ...(options.inject ?? [])],
    define: {
      VERSION: JSON.stringify(version),
      WASM_BYTES: String(modules[0].bytes.length),
      REST_SHA256: JSON.stringify(split.rest ?? ''),
      IN_PAGE: 'false',
      ...options.define,
    },
  });

// The scripts of the package are for engines too old for the module: there they give the fallback.
/** @satisfies {Record<string, import('esbuild').BuildOptions>} */
const kinds = {
  classic: { ...shorter, format: 'iife', target: 'es2018', define: { IN_PAGE: 'true' } },
  module: {
    ...shorter,
    ...{ minify: false, minifySyntax: true, minifyWhitespace: true }, // identifiers are uglify-js's
    format: 'esm',
    target: 'es2020',
    outExtension: { '.js': '.mjs' },
    external: ['./connectsocket.mjs'], // there is one in a page
  },
  // For require: Node, Jest and webpack 4, which knows neither "exports" nor import.meta.
  common: {
    format: 'cjs',
    target: 'es2018',
    outdir: join(dist, 'cjs'),
    inject: [join(web, 'here.js')],
    define: { 'import.meta.url': 'here' },
    plugins: [
      wasmExec,
      {
        name: 'beside',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^\.\/connectsocket\.mjs$/ }, () => ({
            path: './connectsocket.js',
            external: true,
          })),
      },
    ],
  },
};

/**
 * Writes a script and its source map. A page waits for each byte of it, and uglify-js finds what esbuild leaves: 6 % after
 * compression.
 *
 * @param {import('esbuild').OutputFile} script
 * @param {import('esbuild').OutputFile} map
 * @param {string[] | undefined} exports of a module
 */
function writeSmaller(script, map, exports) {
  const {
    error,
    code,
    map: smaller,
  } = minify(script.text, {
    // A template converts an object in another way than a sum does. A var of a parameter's name is lost where an app's
    // tools turn async functions into generators. Compressed, the script is smaller without comparisons and sequences.
    compress: {
      passes: 5,
      inline: 1,
      comparisons: false,
      hoist_funs: true,
      sequences: false,
      templates: false,
      varify: false,
    },
    mangle: { reserved: exports ?? [] },
    module: exports !== undefined, // its outermost names are its own
    sourceMap: { content: JSON.parse(map.text), includeSources: true, url: basename(map.path) },
  });
  if (error) throw error;
  writeFileSync(script.path, `${code}\n`);
  writeFileSync(map.path, String(smaller));
}

/** @param {import('esbuild').Metafile | undefined} metafile */
const exportsOf = (metafile) => Object.values(metafile?.outputs ?? {}).flatMap(({ exports }) => exports);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
/** @type {Array<[keyof typeof kinds, Record<string, string>]>} */
const scripts = [
  ['classic', { 'connectsocket.bridge': 'standalone.js', connectsocket: 'classic.js' }],
  ['module', { connectsocket: 'module.js', wx: 'wx.js', websocket: 'websocket.js' }],
  ['common', { connectsocket: 'module.js', wx: 'wx.js', websocket: 'websocket.js', classic: 'classic.js' }],
];
for (const [kind, entries] of scripts) {
  for (const [out, file] of Object.entries(entries)) {
    const keepNames = out === 'websocket'; // of its class
    const { outputFiles: [map, script] = [], metafile } = await bundle({
      outdir: dist,
      keepNames,
      ...kinds[kind],
      entryPoints: [{ in: join(web, file), out }],
      write: kind === 'common', // which is for bundlers, and Node finds its names as esbuild writes them
    });
    if (script) writeSmaller(script, map, kind === 'module' ? exportsOf(metafile) : undefined);
  }
}
writeFileSync(join(dist, 'cjs/package.json'), '{ "type": "commonjs" }\n');
for (const types of ['connectsocket.d.ts', 'classic.d.ts', 'wx.d.ts', 'websocket.d.ts']) {
  for (const folder of ['', 'cjs']) cpSync(join(web, types), join(dist, folder, types));
}
await bundle({
  entryPoints: ['playground.js', 'contestant.js', 'playground.css'].map((file) =>
    join(web, 'playground', file),
  ),
  outdir: join(dist, 'playground'),
  format: 'esm',
  target: 'es2022',
  external: ['../connectsocket.mjs'], // the playground uses the package as it is built
});
for (const file of ['index.html', 'contestant.html', 'favicon.svg']) {
  cpSync(join(web, 'playground', file), join(dist, 'playground', file));
}

for (const { name, bytes } of modules) {
  // The others are not waited for.
  const brotli = await (name === 'connectsocket.wasm' ? smallestBrotli(bytes) : quickBrotli(bytes));
  const gzip = gzipSync(bytes, { level: 9 });
  writeFileSync(join(dist, name), bytes);
  writeFileSync(join(dist, `${name}.br`), brotli);
  writeFileSync(join(dist, `${name}.gz`), gzip);
  console.log(`${name}: ${bytes.length} bytes, gzip ${gzip.length}, brotli ${brotli.length}`);
}

// What it takes to build the same files again: `make build` does, of this commit with this toolchain.
const provenance = {
  version,
  commit: commit(),
  go: output('go', 'version'),
  environment: { GOOS: 'js', GOARCH: 'wasm', GOEXPERIMENT, GOWASM },
  flags,
  sha256: Object.fromEntries(
    modules.map(({ name, bytes }) => [name, createHash('sha256').update(bytes).digest('hex')]),
  ),
  ...(split.refused && { refused: split.refused }), // why the module is in one part
};
writeFileSync(join(dist, 'provenance.json'), `${JSON.stringify(provenance, null, 2)}\n`);
cpSync(join(GOROOT, 'LICENSE'), join(dist, 'LICENSE.golang')); // of what the module and the scripts have from Go

/**
 * @param {string} program
 * @param {string[]} args
 */
function output(program, ...args) {
  return execFileSync(program, args, {
    cwd: web,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** The commit of the source, with `-dirty` where files differ from it; null outside a repository. */
function commit() {
  try {
    return output('git', 'describe', '--always', '--dirty', '--abbrev=40', '--match=', '--exclude=*');
  } catch {
    return null;
  }
}
