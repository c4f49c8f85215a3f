/** @param {Uint8Array} bytes */
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');

/** @param {Uint8Array} bytes */
const ascii = (bytes) =>
  Array.from(bytes, (b) => (b > 31 && b < 127 ? String.fromCharCode(b) : '·')).join('');

/**
 * Gives all bytes as hex, with spaces between.
 * @param {ArrayBuffer} data
 */
export const toHex = (data) => hex(new Uint8Array(data));

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

/**
 * Reads hex digits, in any case, with any white space between bytes.
 * @param {string} text
 * @returns {ArrayBuffer | undefined} undefined where it is not hex
 */
export function fromHex(text) {
  if (!/^\s*([0-9a-f]{2}\s*)*$/i.test(text)) return undefined;
  const pairs = text.match(/[0-9a-f]{2}/gi) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16)).buffer;
}

/**
 * Reads Base64 (RFC 4648 section 4), with or without padding and white space.
 * @param {string} text
 * @returns {ArrayBuffer | undefined} undefined where it is not Base64
 */
export function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  } catch {
    return undefined;
  }
}

/**
 * Gives Base64 (RFC 4648 section 4).
 * @param {ArrayBuffer} data
 */
export function toBase64(data) {
  const step = 0x8000; // arguments that every engine takes
  let text = '';
  for (let at = 0; at < data.byteLength; at += step) {
    text += String.fromCharCode(...new Uint8Array(data, at, Math.min(step, data.byteLength - at)));
  }
  return btoa(text);
}

/**
 * Says whether the needle is in the data.
 * @param {ArrayBuffer} data
 * @param {Uint8Array} needle
 */
export function hasBytes(data, needle) {
  const bytes = new Uint8Array(data);
  for (let at = bytes.indexOf(needle[0]); at >= 0; at = bytes.indexOf(needle[0], at + 1)) {
    if (needle.every((b, i) => bytes[at + i] === b)) return true;
  }
  return needle.length === 0;
}
