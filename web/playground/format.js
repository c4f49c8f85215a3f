import { locale } from './texts.js';

const numbers = new Intl.NumberFormat(locale);

/** @param {number} n */
export const formatCount = (n) => numbers.format(n);

/** @param {number} n of bytes */
export function formatBytes(n) {
  if (n < 1024) return `${n} B`;
  const power = Math.min(3, Math.floor(Math.log2(n) / 10));
  return `${(n / 1024 ** power).toFixed(1)} ${['KiB', 'MiB', 'GiB'][power - 1]}`;
}

/** @param {number} ms since 1970 */
export function formatTime(ms) {
  const date = new Date(ms);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const millis = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}

/** @param {number} ms of a duration */
export const formatMillis = (ms) => `${ms < 10 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
