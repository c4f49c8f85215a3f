/**
 * What is measured in every round, of every contestant.
 *
 * @typedef {object} Step
 * @property {'roundTrip' | 'echo' | 'flood' | 'fake'} name of a function of page/measure.js
 * @property {object} option for it
 * @property {boolean} [short] part of the short form
 * @property {number} [turns] how often in a round: what runs on which core makes short echoes differ by half
 * @property {(result: any, cpu: number) => Record<string, number>} values by the name of their row in the report, of
 *   what the function resolved to and of the main thread's CPU seconds meanwhile
 */

const KiB = 1024;
const MiB = KiB * KiB;

/** @param {number} size */
const bytes = (size) => (size >= MiB ? `${size / MiB} MiB` : size >= KiB ? `${size / KiB} KiB` : `${size} B`);

/**
 * @param {number} size
 * @param {number} count of messages in a flood
 * @returns {Step[]}
 */
const small = (size, count) => [
  {
    name: 'echo',
    option: { size },
    short: size === 64,
    turns: 3,
    values: ({ rate, messages }, cpu) => ({
      [`echo ${bytes(size)}, messages/s`]: rate,
      ...(size === 64 && cpu && { 'CPU of an echo, µs': (cpu / messages) * 1e6 }),
    }),
  },
  {
    name: 'flood',
    option: { size, count },
    short: size === 64,
    values: ({ rate, messages }, cpu) => ({
      [`flood ${bytes(size)}, messages/s`]: rate,
      ...(size === 64 && cpu && { 'CPU of a receive, µs': (cpu / messages) * 1e6 }),
    }),
  },
];

/**
 * @param {number} size
 * @param {'text' | 'binary'} type
 * @returns {Step}
 */
const large = (size, type) => ({
  name: 'echo',
  option: { size, type, ms: 600 },
  values: ({ rate }) => ({ [`echo ${bytes(size)} ${type}, MB/s`]: (rate * size) / 1e6 }),
});

/** Who is measured with messages, by the names of page/contestants.js. All others are compared with the first. */
export const contestants = ['bare', 'again', 'taro', 'uni', 'nhooyr', 'connectsocket', 'relayed'];

/** Whose start is measured, by the names of the pages in page/start. All others are compared with the first. */
export const pages = ['bare', 'connectsocket', 'preloaded', 'fetched', 'plain', 'nhooyr'];

/** @type {Step[]} */
export const steps = [
  {
    name: 'roundTrip',
    option: {},
    short: true,
    values: ({ p50, p99 }) => ({ 'round trip p50, µs': p50 * 1000, 'round trip p99, µs': p99 * 1000 }),
  },
  ...small(64, 60_000),
  ...small(4 * KiB, 20_000),
  ...small(64 * KiB, 2000),
  ...[MiB, 16 * MiB].flatMap((size) => [large(size, 'text'), large(size, 'binary')]),
  {
    name: 'echo',
    option: { sockets: 5 },
    turns: 3,
    values: ({ rate }) => ({ 'five sockets, echo 64 B, messages/s': rate }),
  },
  {
    name: 'fake',
    option: {},
    short: true,
    values: ({ receive, send }) => ({ 'fake socket receive, ns': receive, 'fake socket send, ns': send }),
  },
];

/**
 * The figures to reach, by row: a ratio to the bare WebSocket, at most or at least; or a difference. They are for the
 * contestant connectsocket, unless another is named.
 *
 * @type {Record<string, { of?: string, most?: number, least?: number, more?: number }>}
 */
export const targets = {
  'round trip p50, µs': { most: 1.05 },
  'round trip p99, µs': { most: 1.15 },
  ...Object.fromEntries(
    ['64 B', '4 KiB', '64 KiB'].flatMap((size) => [
      [`echo ${size}, messages/s`, { least: 0.95 }],
      [`flood ${size}, messages/s`, { least: 0.95 }],
    ]),
  ),
  ...Object.fromEntries(
    ['1 MiB text', '1 MiB binary', '16 MiB text', '16 MiB binary'].map((size) => [
      `echo ${size}, MB/s`,
      { least: 0.95 },
    ]),
  ),
  'CPU of an echo, µs': { most: 1.1 },
  'CPU of a receive, µs': { most: 1.1 },
  'fake socket receive, ns': { most: 1.2 },
  'fake socket send, ns': { more: 300 },
  'start loopback, brotli, cold: onOpen, ms': { most: 1.6 },
  'start loopback, brotli, warm: onOpen, ms': { most: 1.5 },
  'start 50ms, cold: onOpen, ms': { most: 1.3 },
  'start 50ms, warm: onOpen, ms': { most: 1.1 },
  'start slow4g, cold: onOpen, ms': { most: 2.6 },
};
