const numbers = new Intl.NumberFormat('en');

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

/** @param {Uint8Array} bytes */
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');

/** @param {Uint8Array} bytes */
const ascii = (bytes) =>
  Array.from(bytes, (b) => (b > 31 && b < 127 ? String.fromCharCode(b) : '·')).join('');

/**
 * Gives the first bytes on one line, as hex and as ASCII.
 * @param {ArrayBuffer} data
 */
export function hexLine(data) {
  const bytes = new Uint8Array(data, 0, Math.min(16, data.byteLength));
  return `${hex(bytes)}  ${ascii(bytes)}`;
}

/**
 * Gives the first `length` bytes in lines of `width`: offset, hex, ASCII.
 * @param {ArrayBuffer} data
 * @param {number} length
 * @param {number} width
 */
export function hexDump(data, length, width) {
  const lines = [];
  for (let at = 0; at < Math.min(length, data.byteLength); at += width) {
    const bytes = new Uint8Array(data, at, Math.min(width, data.byteLength - at));
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex(bytes).padEnd(3 * width)} ${ascii(bytes)}`);
  }
  return lines.join('\n');
}
