import { bare, messageOf } from '../internal/jsbridge/outcome.js';
import { builtin } from './globals.js';

/**
 * Where each file of the module is unless load names another, by load's name for it. They are functions because a bundle may
 * not know its own URL. Bundlers know a file by the very words `new URL('NAME', import.meta.url)`.
 * @typedef {Record<'wasm' | 'rest' | 'full', () => URL>} Files
 */

/**
 * @typedef {object} File
 * @property {string} url
 * @property {Response} response is ok
 * @property {() => Promise<Response>} open opens the file once more, from the browser's cache
 * @property {string} hint ends the message of an error: what to add to the app, if load was given no URL
 */

// Where Vite before 8, in development, has put a copy of the script, but not of the files beside it; Nuxt too.
const VITE_DEPS = /\/node_modules\/\.[^/]+\/(?:[^/]+\/)*deps\/(?=[^/]+$)/;

/**
 * Opens a file of the module: fetches it, or in Node reads it from the disk.
 * @param {Files} files
 * @param {keyof Files} name
 * @param {string | URL | Response | Promise<Response> | undefined} given to load
 * @param {string | undefined} base of a relative URL
 * @returns {Promise<File>}
 * @throws {Error} that says where it was looked for, and what to add to the app
 */
export async function openFile(files, name, given, base) {
  const place = locate(files, name, given, base);
  const hint = typeof place === 'string' && given === undefined ? `; ${cure(name, place)}` : '';
  let response;
  try {
    response = await (typeof place === 'string' ? get(place) : place);
  } catch (error) {
    throw new Error(`the module could not be fetched: ${messageOf(error)}${hint}`);
  }
  const { ok, status, statusText, url } = response;
  if (!ok) throw new Error(`${url} answered ${status} ${statusText}`.trim() + hint);
  return { url, response, hint, open: () => get(url, { cache: 'force-cache' }) };
}

/**
 * @param {Files} files
 * @param {keyof Files} name
 * @param {string | URL | Response | Promise<Response> | undefined} given
 * @param {string | undefined} base
 * @returns {string | Response | Promise<Response>} a URL, or the response that load was given
 */
export function locate(files, name, given, base) {
  if (isResponse(given)) return given;
  const own = ownURL(files[name]);
  // A unit test in Node runs the app's load({ wasm }) too, but without the server that has this URL.
  const disk = IN_PAGE || String(given).startsWith('file:') ? undefined : onDisk(name, own);
  if (disk) return disk;
  if (given !== undefined) return new URL(String(given), base).href;
  if (own) return IN_PAGE ? own : own.replace(VITE_DEPS, '/node_modules/connectsocket/dist/');
  throw new Error(`this script does not know its own URL; ${cure(name, '')}`);
}

/**
 * @param {string | URL | Response | Promise<Response> | undefined} given to load
 * @returns {given is Response | Promise<Response>}
 */
export const isResponse = (given) => typeof given === 'object' && !('href' in given);

/**
 * The file: URL of a file where this is Node: beside the script, or, if that is in a bundle, in the package as the program
 * would find it.
 * @param {string} name
 * @param {string | undefined} own URL
 * @returns {string | undefined}
 */
function onDisk(name, own) {
  const fs = builtin('fs');
  if (!fs) return undefined;
  const { fileURLToPath, pathToFileURL } = builtin('url');
  const installed = () =>
    builtin('module')
      .createRequire(`${builtin('process').cwd()}/`)
      .resolve(`connectsocket/${name}`);
  for (const find of [() => fileURLToPath(own), installed]) {
    try {
      const path = find();
      if (fs.existsSync(path)) return pathToFileURL(path).href;
    } catch {} // it is not there
  }
  return undefined;
}

/** @param {() => URL} file */
function ownURL(file) {
  try {
    return file().href;
  } catch {
    return undefined; // an inlined script, a blob worker, or a bundle in which import.meta is empty
  }
}

/**
 * @param {keyof Files} name
 * @param {string} url at which the file is not
 */
function cure(name, url) {
  const copy = 'copy the .wasm files from node_modules/connectsocket/dist ';
  if (url.startsWith('file:')) return `${copy}there`;
  const vite = !IN_PAGE && url.includes('/node_modules/');
  const add = `add to the app: import { load } from 'connectsocket'; `;
  return vite
    ? `${add}import ${name} from 'connectsocket/${name}?url'; load({ ${name} });`
    : `${copy}to where pages can fetch them, and ${add}load({ ${name}: '/connectsocket.wasm' });`;
}

/**
 * Fetches a URL, or reads it where it is a file and this is Node, whose fetch takes no file: URL.
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function get(url, init) {
  const fs = builtin('fs');
  if (!fs || !url.startsWith('file:')) return fetch(url, init && bare(init));
  const bytes = await fs.promises.readFile(builtin('url').fileURLToPath(url));
  const headers = { get: () => 'another file' };
  return /** @type {any} */ ({ ok: true, url, headers, arrayBuffer: async () => bytes });
}

/**
 * Whether a response can be compiled while it arrives: that insists on the very MIME type, without a parameter, but a server
 * that gives another must still do.
 * @param {Response} response
 */
export const streams = ({ headers }) =>
  'compileStreaming' in WebAssembly && headers.get('content-type') === 'application/wasm';

/**
 * The bytes of a URL, at once. A page may not ask for bytes then, only for text.
 * @param {string} url
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function getNow(url) {
  const fs = builtin('fs');
  if (fs && url.startsWith('file:')) return fs.readFileSync(builtin('url').fileURLToPath(url));
  const request = new XMLHttpRequest();
  request.open('GET', url, false);
  request.overrideMimeType('text/plain; charset=x-user-defined');
  request.send();
  if (request.status !== 200) throw new Error(`${url} answered ${request.status}`);
  return Uint8Array.from(request.responseText, (character) => character.charCodeAt(0)); // the lowest 8 bits
}
