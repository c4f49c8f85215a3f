/**
 * @param {number[]} samples
 * @param {number} q from 0 to 1
 */
function quantile(samples, q) {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at % 1);
}

/**
 * The median and the quartiles about it.
 *
 * @param {number[]} samples
 * @returns {{ median: number, low: number, high: number }}
 */
export const spread = (samples) => ({
  median: quantile(samples, 0.5),
  low: quantile(samples, 0.25),
  high: quantile(samples, 0.75),
});

/**
 * The same in an order of chance. Who comes after whom must not matter: one leaves work behind, such as garbage to collect.
 *
 * @template T
 * @param {T[]} all
 */
export const shuffled = (all) =>
  all
    .map((each) => ({ each, by: Math.random() }))
    .sort((a, b) => a.by - b.by)
    .map(({ each }) => each);
