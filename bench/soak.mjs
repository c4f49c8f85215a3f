/**
 * Draws what a soak has measured over time, as SVG.
 *
 *   node bench/soak.mjs SOAK.json SOAK.svg
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

const [from, to] = process.argv.slice(2);
/** @type {{ samples: Array<Record<string, number>> }} */
const { samples } = JSON.parse(readFileSync(from, 'utf8'));
const { document } = parseHTML('<html><body></body></html>');

/** @type {Array<[string, string, number]>} a row, its label, and what it is divided by */
const rows = [
  ['cycles', 'connections opened and closed, thousands', 1000],
  ['answered', 'messages answered, millions', 1e6],
  ['slots', 'slots of the table', 1],
  ['values', 'values that Go refers to', 1],
  ['memory', "the module's memory, MiB", 2 ** 20],
  ['heap', "the page's JavaScript heap, MiB", 2 ** 20],
  ['goroutines', 'goroutines of server, relay and proxies', 1],
  ['serverHeap', 'their heap, MiB', 2 ** 20],
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
  to,
  `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="white"/>${charts.join('\n')}</svg>\n`,
);
