/**
 * Reports what a soak has measured: a JSON file as bench/results/soak.md, with soak.svg.
 *
 *   node bench/soak.mjs FILE
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { root } from './build.mjs';

const directory = join(root, 'bench/results');
mkdirSync(directory, { recursive: true });
/**
 * @type {{
 *   engine: string, scheme: string, seed: number, messages: number, cycles: number, faults: number, idle: number,
 *   lanes: Array<{ answered: number, lost: number, connections: number }>, failures: string[],
 *   samples: Array<Record<string, number>>,
 * }}
 */
const run = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { samples } = run;
const { document } = parseHTML('<html><body></body></html>');

/** @type {Array<[string, string, number]>} a row, its label, and what it is divided by */
const rows = [
  ['cycles', 'connections opened and closed, thousands', 1000],
  ['answered', 'messages answered, millions', 1e6],
  ['slots', 'slots of the table', 1],
  ['values', 'values that Go refers to', 1],
  ['timers', 'timers of the package that wait', 1],
  ['listeners', 'listeners of the package on the page', 1],
  ['memory', "the module's memory, MiB", 2 ** 20],
  ['heap', "the page's JavaScript heap, MiB", 2 ** 20],
  ['goroutines', 'goroutines of server and relay', 1],
  ['serverHeap', 'heap of server, relay and proxies, MiB', 2 ** 20],
];
const [width, height] = [760, 130];
const charts = rows.map(([name, label, unit], i) => {
  const chart = Plot.plot({
    document,
    width,
    height,
    marginLeft: 50,
    x: { label: i === rows.length - 1 ? 'seconds' : null },
    y: { label, zero: true, grid: true, ticks: 4, nice: true },
    marks: [Plot.lineY(samples, { x: 'seconds', y: (sample) => sample[name] / unit, stroke: 'steelblue' })],
  });
  chart.setAttribute('y', String(i * height));
  chart.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return chart.outerHTML;
});
const size = `width="${width}" height="${rows.length * height}"`;
writeFileSync(
  join(directory, 'soak.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="white"/>${charts.join('\n')}</svg>\n`,
);

const number = (/** @type {number} */ value) => value.toLocaleString('en');
const sum = (/** @type {'answered' | 'lost' | 'connections' | 'tickets' | 'beats'} */ name) =>
  run.lanes.reduce((total, lane) => total + lane[name], 0);
const last = samples[samples.length - 1];
const halfway = samples.find(({ cycles }) => cycles >= run.cycles / 2) ?? last;
const lines = rows
  .slice(2)
  .map(([name, label, unit]) => [
    label,
    ...[samples[0], halfway, last].map((sample) => number(Math.round((sample[name] / unit) * 10) / 10)),
    number(Math.round((Math.max(...samples.map((sample) => sample[name])) / unit) * 10) / 10),
  ]);
const flat = run.cycles >= 10_000 ? ', and nothing grew' : '';
const verdict =
  run.failures.length > 0
    ? `Wrong: ${run.failures.join('; ')}.`
    : `None was lost, doubled, reordered or changed while its connection lived${flat}.`;
writeFileSync(
  join(directory, 'soak.md'),
  `# Soak

Written by \`make soak\`: ${run.engine}, ${run.scheme}, seed ${run.seed}, ${number(Math.round(last.seconds))} s.

${number(run.cycles)} connections were opened and closed, in five ways. Then ${run.lanes.length} tasks, two of them through the
relay and all with a heartbeat, had ${number(sum('answered'))} messages answered, each numbered and checked in both directions,
over ${number(sum('connections'))} connections, while the network failed ${number(run.faults)} times. The page asked for
${number(sum('tickets'))} tickets and sent ${number(sum('beats'))} heartbeats. ${number(sum('lost'))} messages were on the way when
their connection was lost.
${verdict}

| | at the start | after half of the connections | at the end | most |
|---|--:|--:|--:|--:|
${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}

![over time](soak.svg)
`,
);
