// The fractional parts of the square and cube roots of the first primes, as FIPS 180-4 has them.
/** @type {number[]} */
const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
const roots = primes.slice(0, 8).map((prime) => (Math.sqrt(prime) * 2 ** 32) | 0);
const constants = primes.map((prime) => (Math.cbrt(prime) * 2 ** 32) | 0);

/**
 * The SHA-256 of some bytes (FIPS 180-4), in Base64: at once, which no API of the browser can do.
 * @param {Uint8Array} bytes fewer than 2²⁹
 */
export function sha256(bytes) {
  const { length } = bytes;
  const padded = new Uint8Array((length + 72) & ~63); // a bit, zeros, and the length in bits fill the last block
  padded.set(bytes);
  padded[length] = 128;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, length << 3);
  let hash = roots;
  const words = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      const x = words[i - 15];
      const y = words[i - 2];
      words[i] =
        i < 16
          ? view.getInt32(at + 4 * i)
          : (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) +
            (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10)) +
            words[i - 7] +
            words[i - 16];
      const t = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + words[i];
      const u = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = (d + t) | 0;
      d = c;
      c = b;
      b = a;
      a = (t + u) | 0;
    }
    hash = [a, b, c, d, e, f, g, h].map((word, i) => (word + hash[i]) | 0);
  }
  hash.forEach((word, i) => {
    view.setInt32(4 * i, word);
  });
  return btoa(String.fromCharCode(...padded.subarray(0, 32)));
}

/** @param {number} word @param {number} by */
const turn = (word, by) => (word >>> by) | (word << (32 - by));
