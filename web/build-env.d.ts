/** What build.mjs puts in. */
declare const VERSION: string;
declare const WASM_BYTES: number;
/** In Base64; empty where the module is not split. */
declare const REST_SHA256: string;
/** Whether the script is a page's own, and never Node's. */
declare const IN_PAGE: boolean;
declare module 'go:wasm_exec' {
  /** Evaluates wasm_exec.js with the given object as its global, and returns the class Go. */
  // biome-ignore lint/suspicious/noExplicitAny: the toolchain's file has no types
  export default function wasmExec(global: object): new () => any;
}
