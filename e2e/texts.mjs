/**
 * The texts by which a call, a task or the relay says what went wrong, read from the sources: a test holds the documentation
 * to them.
 */
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);

/**
 * Where such texts are, by folder: which files, and how they are written there.
 * @type {Array<[folder: string, file: RegExp, text: RegExp]>}
 */
const places = [
  ['internal/task/', /^[a-z]+\.go$/, /Refusal\((?:parameterError \+ )?(["`].+?["`])(?: \+|\))/g],
  ['internal/task/', /^wire\.go$/, /^\tText\w+ = (".+")$/gm],
  ['internal/relay/', /^[a-z]+\.go$/, /\breason: (?:fmt\.Sprintf\()?("[^"]+")(?!.*\btext:)(?!,\n\s+text:)/g],
  ['internal/relay/', /^[a-z]+\.go$/, /\btext: +(?:fmt\.Sprintf\()?(".+?")[,}) ]/g],
  ['internal/relay/', /^dial\.go$/, /about\("\w+", ".+?", (".+?"),/g],
  ['internal/relay/', /^policy\.go$/, /return fmt\.Sprintf\((".+?"),/g],
  ['internal/relay/', /^[a-z]+\.go$/, /websocket\.Status\w+,\s*(?:fmt\.Sprintf\()?(".+?")/g],
  ['internal/jsbridge/', /^\w+\.js$/, /new (?:Error|DOMException)\(\s*(['"`].+?['"`])[,)\s]/g],
  ['internal/jsbridge/', /^\w+\.js$/, /[?:] (`the relay .+?`)/g],
  ['web/', /^(loader|files|rest|restore)\.js$/, /new Error\(\s*(['"`].+?['"`])[,)\s+]/g],
  ['web/', /^loader\.js$/, /NO_WEBSOCKET =\s+('.+?')/g],
];

/**
 * Cuts what is filled in out of a text, and gives the longest piece of the rest.
 * @param {string} literal
 */
const fixedPart = (literal) =>
  literal
    .slice(1, -1)
    .replace(/^(connectSocket|closeSocket):fail /, '')
    .replaceAll('\\"', '"')
    .split(/\$\{.*?(?:\}|$)|%[.\d]*[a-z]|"/)
    .reduce((longest, piece) => (piece.length > longest.length ? piece : longest), '')
    .trim();

/** The fixed part of each text. */
export const texts = [
  ...new Set(
    places.flatMap(([folder, file, text]) => {
      const names = readdirSync(new URL(folder, root)).filter(
        (name) => file.test(name) && !/_test\.go$/.test(name),
      );
      return names.flatMap((name) =>
        Array.from(readFileSync(new URL(folder + name, root), 'utf8').matchAll(text), ([, literal]) =>
          fixedPart(literal),
        ),
      );
    }),
  ),
].filter((text) => text.length > 3);
