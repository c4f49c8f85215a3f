// The fractional parts of the square and cube roots of the first primes, as FIPS 180-4 has them.
/** @type {number[]} */
const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
const roots = primes.slice(0, 8).map((prime) => (Math.sqrt(prime) * 2 ** 32) | 0);
const constants = Int32Array.from(primes, (prime) => (Math.cbrt(prime) * 2 ** 32) | 0);

/**
 * The SHA-256 of some bytes (FIPS 180-4), in Base64: at once, which no API of the browser can do.
 * @param {Uint8Array} bytes
 */
export function sha256(bytes) {
  const { length } = bytes;
  const tail = new Uint8Array(length % 64 < 56 ? 64 : 128);
  const whole = length - (length % 64);
  tail.set(bytes.subarray(whole));
  tail[length % 64] = 128;
  const end = new DataView(tail.buffer);
  end.setUint32(tail.length - 8, Math.floor(length / 2 ** 29));
  end.setUint32(tail.length - 4, length << 3);
  const hash = Int32Array.from(roots);
  const words = new Int32Array(64);
  const main = new DataView(bytes.buffer, bytes.byteOffset, whole);
  for (let at = 0; at < whole; at += 64) digest(main, at, words, hash);
  for (let at = 0; at < tail.length; at += 64) digest(end, at, words, hash);
  return btoa(
    String.fromCharCode(...[...hash].flatMap((word) => [24, 16, 8, 0].map((by) => (word >>> by) & 255))),
  );
}

/**
 * Takes a block of 64 bytes into the hash.
 * @param {DataView} view
 * @param {number} at
 * @param {Int32Array} words
 * @param {Int32Array} hash
 */
function digest(view, at, words, hash) {
  for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15];
    const y = words[i - 2];
    words[i] =
      (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) +
      (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10)) +
      words[i - 7] +
      words[i - 16];
  }
  let [a, b, c, d, e, f, g, h] = hash;
  for (let i = 0; i < 64; i++) {
    const t =
      (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + words[i]) | 0;
    const u = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t) | 0;
    d = c;
    c = b;
    b = a;
    a = (t + u) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    hash[i] += word;
  });
}

/** @param {number} word @param {number} by */
const turn = (word, by) => (word >>> by) | (word << (32 - by));
