import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

const compress = promisify(brotliCompress);

/**
 * Compresses a file with Brotli (RFC 7932) at the highest level. How distances are coded is worth up to half a percent of
 * a module, which way round changes with every build: some ways are tried, and the smallest result is taken.
 *
 * @param {Buffer} data
 * @returns {Promise<Buffer>}
 */
export async function smallestBrotli(data) {
  const ways = [
    { postfix: 1, direct: 0 },
    { postfix: 2, direct: 0 },
    { postfix: 2, direct: 8 },
  ];
  const results = await Promise.all(ways.map((way) => brotli(data, way)));
  return results.reduce((best, result) => (result.length < best.length ? result : best));
}

/**
 * The same in one way alone, in a third of the time.
 * @param {Buffer} data
 * @returns {Promise<Buffer>}
 */
export const quickBrotli = (data) => brotli(data, { postfix: 1, direct: 0 });

/**
 * @param {Buffer} data
 * @param {{ postfix: number, direct: number }} way
 */
const brotli = (data, { postfix, direct }) =>
  compress(data, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: data.length,
      [constants.BROTLI_PARAM_NPOSTFIX]: postfix,
      [constants.BROTLI_PARAM_NDIRECT]: direct,
    },
  });
