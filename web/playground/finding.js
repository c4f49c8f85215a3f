import { formatCount } from './format.js';
import { texts } from './texts.js';

/**
 * @typedef {object} Measured
 * @property {string} title
 * @property {boolean} isRate whether more is better
 * @property {boolean} isOwn whether the difference counts, in nanoseconds, and not the ratio
 * @property {{ median: number, low: number, high: number }} ratio connectSocket's figure divided by the bare one
 * @property {number} difference by how much connectSocket's figure is above the bare one
 */

const FEW = 5; // rounds: with fewer the quartiles say little

/**
 * Says in words what a run of the benchmark found: a ratio is a difference only where its quartiles are on one side of 1.
 * @param {Measured[]} measures the two that are isOwn: receive, send
 * @param {number} rounds
 */
export function findingOf(measures, rounds) {
  const own = measures.filter(({ isOwn }) => isOwn);
  const compared = measures.filter(({ isOwn }) => !isOwn);
  /** @type {Record<'level' | 'slower' | 'faster', string[]>} */
  const found = { level: [], slower: [], faster: [] };
  for (const { title, isRate, ratio } of compared) {
    const { median, low, high } = ratio;
    if (low <= 1 && high >= 1) found.level.push(title);
    else found[median > 1 === isRate ? 'faster' : 'slower'].push(`${title} (${median.toFixed(2)})`);
  }
  const parts = [
    found.level.length > 0 && texts.findingLevel(found.level.join(texts.comma)),
    found.slower.length > 0 && texts.findingSlower(found.slower.join(texts.comma)),
    found.faster.length > 0 && texts.findingFaster(found.faster.join(texts.comma)),
  ].filter(Boolean);
  const [receive, send] = own.map(({ difference }) => formatCount(Math.max(0, Math.round(difference))));
  return [
    texts.finding(rounds, parts.join(texts.and)),
    texts.findingOwn(receive, send),
    rounds < FEW ? texts.findingFew : '',
  ]
    .filter(Boolean)
    .join(' ');
}
