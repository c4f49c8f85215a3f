/**
 * `make bench-flags`: shows what each way to build the module is worth in bytes, in instructions of a receive, and
 * in CPU time to start, and writes bench/results/flags.md. Option: --rounds N.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { smallestBrotli } from '../web/brotli.mjs';
import { output, root } from './build.mjs';
import { Chromium } from './chromium.mjs';
import { circumstances, table } from './report.mjs';
import { start } from './server.mjs';
import { spread } from './statistics.mjs';

const rounds = Number(parseArgs({ options: { rounds: { type: 'string', default: '9' } } }).values.rounds);
const small = ['-trimpath', '-ldflags=-s -w'];
const noInlining = '-gcflags=all=-l';
const ownInlining = '-gcflags=connectsocket/...=';
const optimize = join(root, 'bench/node_modules/binaryen/bin/wasm-opt');

/** @type {Record<string, { flags: string[], experiment?: string, passes?: string[] }>} */
const variants = {
  'go build': { flags: [] },
  '-s -w': { flags: small },
  '-l': { flags: [...small, noInlining] },
  nogreenteagc: { flags: small, experiment: 'nogreenteagc' },
  '-l, nogreenteagc': { flags: [...small, noInlining], experiment: 'nogreenteagc' },
  'the same, own packages inlined': {
    flags: [...small, noInlining, ownInlining],
    experiment: 'nogreenteagc',
  },
  'and wasm-opt -O2': {
    flags: [...small, noInlining, ownInlining],
    experiment: 'nogreenteagc',
    passes: ['-O2'],
  },
  'and wasm-opt -Oz': {
    flags: [...small, noInlining, ownInlining],
    experiment: 'nogreenteagc',
    passes: ['-Oz'],
  },
};

const { version } = JSON.parse(readFileSync(join(root, 'web/package.json'), 'utf8'));
const link = `-X=connectsocket/internal/jsbridge.version=${version}`;
execFileSync('go', ['build', '-o', `${output}/`, './bench/server'], { cwd: root });
const lines = [];
const names = Object.keys(variants);
for (const [i, name] of names.entries()) {
  const { flags, experiment = '', passes } = variants[name];
  const directory = join(output, `flags${i}`);
  const file = join(directory, 'connectsocket.wasm');
  mkdirSync(directory, { recursive: true });
  cpSync(join(root, 'web/dist/connectsocket.js'), join(directory, 'connectsocket.js'));
  cpSync(join(root, 'bench/page/start'), join(directory, 'start'), { recursive: true });
  const args = flags.map((flag) => (flag.startsWith('-ldflags') ? `${flag} ${link}` : flag));
  if (!flags.some((flag) => flag.startsWith('-ldflags'))) args.push(`-ldflags=${link}`);
  execFileSync('go', ['build', ...args, '-o', file, './cmd/wasm'], {
    cwd: root,
    env: { ...process.env, GOOS: 'js', GOARCH: 'wasm', GOEXPERIMENT: experiment },
  });
  if (passes) {
    const features = ['--enable-bulk-memory', '--enable-sign-ext', '--enable-nontrapping-float-to-int'];
    execFileSync(process.execPath, [optimize, ...features, ...passes, file, '-o', file]);
  }
  const wasm = readFileSync(file);
  const compressed = await smallestBrotli(wasm);
  writeFileSync(`${file}.br`, compressed);
  const counted = execFileSync(process.execPath, [join(root, 'bench/count.mjs'), '--wasm', file], {
    encoding: 'utf8',
  });
  const [, receive, send] = /** @type {RegExpExecArray} */ (
    /Receive \d+ (\d+).*Send \d+ (\d+)/s.exec(counted)
  );
  lines.push([name, wasm.length.toLocaleString('en'), compressed.length.toLocaleString('en'), receive, send]);
  process.stderr.write(`${lines.at(-1)?.join('  ')}\n`);
}

const server = await start(join(output, 'server'), ['-dir', output]);
const { loopback } = JSON.parse(server.line);
const browser = new Chromium();
/** @type {number[][]} */
const cpu = names.map(() => []);
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < names.length; i++) {
    const page = await browser.open(`http://flags${round}.${loopback}/flags${i}/start/fetched.html`);
    await page.until('times.open');
    cpu[i].push((await page.metrics()).TaskDuration * 1000);
    await page.close();
  }
  process.stderr.write(
    `round ${round + 1}/${rounds}  ${cpu.map((samples) => samples[round].toFixed(1)).join('  ')}\n`,
  );
}
await browser.close();
server.stop();
const head = ['', 'raw', 'brotli', 'instructions a receive', 'a send', 'CPU until onOpen, ms'];
const sections = [
  '# What each way to build the module is worth',
  `Written by \`make bench-flags\`: ${circumstances(new Date().toISOString())}; bytes and instructions are counted, CPU is the main thread's in Chromium, medians of ${rounds} rounds, quartiles in brackets.`,
  table(
    head,
    lines.map((line, i) => {
      const { median, low, high } = spread(cpu[i]);
      return [...line, `${median.toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`];
    }),
  ),
];
mkdirSync(join(root, 'bench/results'), { recursive: true });
writeFileSync(join(root, 'bench/results/flags.md'), `${sections.join('\n\n')}\n`);
process.exit();
