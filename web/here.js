import { builtin } from './globals.js';

const script = /** @type {HTMLScriptElement | null | undefined} */ (globalThis.document?.currentScript);

// The CommonJS scripts take this for import.meta.url. In Node it is their folder, which is beside the module; in a page,
// as webpack 4 bundles for, the bundle that runs, undefined if that is not known.
export const here = builtin('url')?.pathToFileURL(__dirname).href ?? script?.src;
