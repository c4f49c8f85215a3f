import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { root } from './build.mjs';
import { spread } from './statistics.mjs';
import { targets } from './steps.mjs';

/**
 * What a run has measured.
 *
 * @typedef {object} Results
 * @property {string} when
 * @property {string} engine and its version
 * @property {number} rounds
 * @property {Record<string, { raw: number, gzip: number, brotli: number }>} bytes
 * @property {Record<string, number>} ceiling messages a second that the server gives a native client, by measure
 * @property {Record<string, Record<string, number[]>>} rows samples, one a round, by row and contestant
 * @property {Record<string, Record<string, number>>} [memory] by row and contestant
 * @property {string} [machine]
 * @property {string} [go]
 */

/** @param {Results} results */
export async function report(results) {
  console.log(JSON.stringify(results));
}
