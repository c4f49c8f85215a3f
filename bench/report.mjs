import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { root } from './build.mjs';
import { spread } from './statistics.mjs';
import { contestants, pages, targets } from './steps.mjs';

/**
 * What a run has measured.
 *
 * @typedef {object} Results
 * @property {string} when
 * @property {string} engine and its version
 * @property {number} rounds
 * @property {Record<string, { raw: number, gzip: number, brotli: number }>} bytes
 * @property {Record<string, number>} ceiling messages a second that the server gives a native client, by measure
 * @property {Record<string, Record<string, number[]>>} rows samples, one a round, by row and contestant
 * @property {Record<string, Record<string, number>>} [memory] by row and contestant
 */

/** @param {number} value */
const short = (value) =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));

/**
 * The samples of a contestant as ratios to those of the bare WebSocket in the same round.
 *
 * @param {Record<string, number[]>} row
 * @param {string} contestant
 */
const ratios = (row, contestant) => row[contestant].map((sample, round) => sample / row.bare[round]);

const columns = [...new Set([...contestants, ...pages])].slice(1);

/**
 * Whoever is in some of the rows beside the bare WebSocket, in the order of the columns.
 *
 * @param {[string, Record<string, number[]>][]} rows
 */
const othersOf = (rows) => columns.filter((name) => rows.some(([, row]) => row[name]));

/**
 * A Markdown table.
 *
 * @param {string[]} head
 * @param {string[][]} lines
 */
export const table = (head, lines) =>
  [head, head.map((_, i) => (i === 0 ? '---' : '--:')), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

/**
 * A figure to reach, and how the samples stand to it: ✓ by their median, ≈ by a quarter of them, ✗ by fewer.
 *
 * @param {string} name of the row
 * @param {Record<string, number[]>} row
 */
function target(name, row) {
  const { of = 'connectsocket', most, least, more } = targets[name] ?? {};
  if (!row[of]) return '';
  /** @param {boolean} median @param {boolean} quarter */
  const mark = (median, quarter) => (median ? '✓' : quarter ? '≈' : '✗');
  if (more !== undefined) {
    const { median, low } = spread(row[of].map((sample, round) => sample - row.bare[round]));
    return `+${short(median)}, at most +${more} ${mark(median <= more, low <= more)}`;
  }
  const { median, low, high } = spread(ratios(row, of));
  if (most !== undefined) return `≤ ${most} ${mark(median <= most, low <= most)}`;
  if (least !== undefined) return `≥ ${least} ${mark(median >= least, high >= least)}`;
  return '';
}

/**
 * Rows as a table: the bare WebSocket's median, and everybody's ratio to it with its quartiles.
 *
 * @param {[string, Record<string, number[]>][]} rows
 */
function ratioTable(rows) {
  const others = othersOf(rows);
  return table(
    ['', 'bare', ...others, 'figure'],
    rows.map(([name, row]) => [
      name,
      short(spread(row.bare).median),
      ...others.map((other) => {
        if (!row[other]) return '';
        const { median, low, high } = spread(ratios(row, other));
        return `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
      }),
      target(name, row),
    ]),
  );
}

/**
 * Rows as a table without spreads.
 *
 * @param {[string, Record<string, number[]>][]} rows
 */
function shortTable(rows) {
  const others = othersOf(rows);
  return table(
    ['', 'bare', ...others],
    rows.map(([name, row]) => [
      name,
      short(spread(row.bare).median),
      ...others.map((other) => (row[other] ? spread(ratios(row, other)).median.toFixed(2) : '')),
    ]),
  );
}

/**
 * Rows as a table of medians, as measured.
 *
 * @param {[string, Record<string, number[]>][]} rows
 */
function medianTable(rows) {
  const all = ['bare', ...othersOf(rows)];
  return table(
    ['', ...all],
    rows.map(([name, row]) => [name, ...all.map((who) => (row[who] ? short(spread(row[who]).median) : ''))]),
  );
}

/**
 * Puts a text between the marks of a page.
 *
 * @param {string} name of its file
 * @param {string} text
 */
function show(name, text) {
  const page = join(root, name);
  const [begin, end] = ['<!-- make bench -->', '<!-- /make bench -->'];
  const old = readFileSync(page, 'utf8');
  writeFileSync(page, `${old.split(begin)[0]}${begin}\n\n${text}\n\n${end}${old.split(end)[1]}`);
}

/**
 * The words of the short table of starts in each README.
 *
 * @type {Record<string, { head: string[], networks: Record<string, string> }>}
 */
const readmes = {
  'README.md': {
    head: ['until the first `onOpen`; a bare page is 1', 'first visit', 'fetched', 'later visits', 'fetched'],
    networks: { 'loopback, brotli': 'same machine', '50ms': '50 ms a response', slow4g: 'slow 4G' },
  },
  'README.zh-CN.md': {
    head: ['到第一次 `onOpen` 的时间，原生页面为 1', '首次访问', '提前 fetch', '再次访问', '提前 fetch'],
    networks: { 'loopback, brotli': '本机', '50ms': '每个响应 50 毫秒', slow4g: '慢速 4G' },
  },
};

/**
 * How long a page takes to its first onOpen with a script tag, and if it begins to fetch the module beside that.
 *
 * @param {Results['rows']} rows
 * @param {{ head: string[], networks: Record<string, string> }} words
 */
const startTable = (rows, { head, networks }) =>
  table(
    head,
    Object.entries(networks).map(([network, text]) => [
      text,
      ...['cold', 'warm'].flatMap((state) =>
        ['connectsocket', 'fetched'].map((how) =>
          spread(ratios(rows[`start ${network}, ${state}: onOpen, ms`], how)).median.toFixed(1),
        ),
      ),
    ]),
  );

/**
 * Where a first visit with a script tag spends its time, in ms.
 *
 * @param {Results['rows']} rows
 */
const phaseTable = (rows) =>
  table(
    ['first visit, ms', 'bare page', 'the script is callable', 'onOpen after that', 'together'],
    Object.entries(readmes['README.md'].networks).map(([network, text]) => {
      const median = (/** @type {string} */ what, /** @type {string} */ who) =>
        Math.round(spread(rows[`start ${network}, cold: ${what}, ms`][who]).median);
      const bare = median('onOpen', 'bare');
      const callable = median('tag to callable', 'connectsocket');
      const together = median('onOpen', 'connectsocket');
      return [text, bare, callable, together - bare - callable, together].map(String);
    }),
  );

/**
 * @param {string} file
 * @param {import('@observablehq/plot').PlotOptions} options
 */
function chart(file, options) {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const plot = Plot.plot({ document, style: { background: 'white', fontSize: '12px' }, ...options });
  const svg = plot.tagName.toLowerCase() === 'svg' ? plot : plot.querySelector('svg:last-of-type');
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  writeFileSync(file, `${svg.outerHTML}\n`);
}

const go = execFileSync('go', ['version'], { encoding: 'utf8' }).trim();
const machine = `${cpus().length} × ${cpus()[0].model.trim()}, Linux ${release()}`;

/** When a run was, and what on. @param {string} when */
export const circumstances = (when) => `${when.slice(0, 10)}, ${machine}, ${go}, Node ${process.version}`;

/** @param {Results['rows']} all */
function byKind(all) {
  const rows = Object.entries(all);
  const others = rows.filter(([row]) => /^start /.test(row) && !/: onOpen/.test(row));
  return {
    messages: rows.filter(([row]) => !row.startsWith('start ')),
    starts: rows.filter(([row]) => /^start .*: onOpen/.test(row)),
    others,
    wire: others.filter(([row]) => /, cold: on the wire/.test(row)),
  };
}

/**
 * Writes the tables of a whole run in Chromium to README.md, its translation and docs/speed.md.
 *
 * @param {Results} results
 */
export function showPages(results) {
  const { messages, starts, wire } = byKind(results.rows);
  for (const [page, words] of Object.entries(readmes)) show(page, startTable(results.rows, words));
  show(
    'docs/speed.md',
    [
      `${results.engine}; ${machine}; ${go}; ${results.when.slice(0, 10)}. Medians of ${results.rounds} rounds: of the bare WebSocket as measured, of the others as ratios to it in the same round.`,
      shortTable(messages),
      shortTable(starts),
      medianTable(wire),
      phaseTable(results.rows),
    ].join('\n\n'),
  );
}

/**
 * Writes a run to bench/results: JSON, a Markdown table and charts, named for the engine.
 *
 * @param {Results} results
 */
export function report(results) {
  const name = results.engine
    .split('/')[0]
    .toLowerCase()
    .replace('headless', '')
    .replace('chrome', 'chromium')
    .replace('gtk', '');
  const file = (/** @type {string} */ rest) => join(root, 'bench/results', `${name}${rest}`);
  mkdirSync(file('/..'), { recursive: true });
  writeFileSync(file('.json'), `${JSON.stringify({ machine, go, ...results }, null, 1)}\n`);

  const { messages, starts, others } = byKind(results.rows);
  const sections = [
    `# ${results.engine}`,
    `${circumstances(results.when)}; medians of ${results.rounds} rounds in one run, of short echoes three times in each, quartiles in brackets. A figure is reached (✓) by the median, or by a quarter of the rounds (≈), or by fewer (✗).`,
    messages.length > 0 &&
      `## Messages, as ratios to the bare WebSocket\n\n${ratioTable(messages)}\n\n![messages](${name}-messages.svg)`,
    starts.length > 0 &&
      `## From navigation to the first onOpen, as ratios to the bare page\n\n${ratioTable(starts)}\n\n![start](${name}-start.svg)`,
    others.length > 0 && `## While starting\n\n${medianTable(others)}`,
    results.memory &&
      `## What is left, after a million messages of 64 B\n\n${table(
        ['', ...Object.keys(Object.values(results.memory)[0])],
        Object.entries(results.memory).map(([row, by]) => [
          row,
          ...Object.keys(Object.values(results.memory ?? {})[0]).map((who) =>
            who in by ? short(by[who]) : '',
          ),
        ]),
      )}`,
    `## Bytes\n\n${table(
      ['', 'raw', 'gzip', 'brotli', 'brotli, ours to this'],
      Object.entries(results.bytes).map(([what, { raw, gzip, brotli }]) => [
        what,
        ...[raw, gzip, brotli].map((bytes) => bytes.toLocaleString('en')),
        (results.bytes['connectsocket.wasm'].brotli / brotli).toFixed(2),
      ]),
    )}\n\n![bytes](${name}-bytes.svg)`,
    `## What the server gives a native client, messages/s\n\n${table(
      ['', 'messages/s'],
      Object.entries(results.ceiling).map(([what, rate]) => [what, short(rate)]),
    )}`,
  ];
  writeFileSync(file('.md'), `${sections.filter(Boolean).join('\n\n')}\n`);

  /** @param {[string, Record<string, number[]>][]} all */
  const points = (all) =>
    all.flatMap(([row, by]) =>
      othersOf([[row, by]]).map((who) => ({ row, who, ...spread(ratios(by, who)) })),
    );
  /** The contestants' colours, in a line above the rows. @param {[string, Record<string, number[]>][]} all */
  const legend = (all) => othersOf(all).map((who, i) => ({ who, row: ' ', x: 0.4 * 1.6 ** i }));
  /** @param {string} label @param {[string, Record<string, number[]>][]} all */
  const ratioPlot = (label, all) => ({
    width: 900,
    marginLeft: 260,
    height: 60 + 24 * all.length,
    color: { legend: false, scheme: /** @type {const} */ ('observable10') },
    x: {
      type: /** @type {const} */ ('log'),
      label,
      grid: true,
      tickFormat: (/** @type {number} */ d) => `${d}`,
    },
    y: { label: null, domain: [' ', ...all.map(([row]) => row)] },
    marks: [
      Plot.ruleX([1], { stroke: 'black' }),
      Plot.link(points(all), {
        x1: 'low',
        x2: 'high',
        y1: 'row',
        y2: 'row',
        stroke: 'who',
        strokeOpacity: 0.5,
      }),
      Plot.dot(points(all), { x: 'median', y: 'row', fill: 'who', r: 4 }),
      Plot.dot(legend(all), { x: 'x', y: 'row', fill: 'who', r: 4 }),
      Plot.text(legend(all), { x: 'x', y: 'row', text: 'who', dx: 8, textAnchor: 'start' }),
    ],
  });
  // A send that does nothing costs next to nothing: a ratio to that has no place beside the others.
  const plotted = messages.filter(([row]) => !row.startsWith('fake'));
  if (plotted.length > 0) chart(file('-messages.svg'), ratioPlot('ratio to the bare WebSocket →', plotted));
  if (starts.length > 0) chart(file('-start.svg'), ratioPlot('ratio to the bare page →', starts));
  chart(file('-bytes.svg'), {
    width: 900,
    marginLeft: 200,
    x: { label: 'brotli, KB →', grid: true },
    y: { label: null },
    marks: [
      Plot.barX(
        Object.entries(results.bytes).map(([what, { brotli }]) => ({ what, KB: brotli / 1000 })),
        { x: 'KB', y: 'what', fill: 'steelblue', sort: { y: '-x' } },
      ),
    ],
  });
  process.stdout.write(`written: ${file('.md')}\n`);
}
