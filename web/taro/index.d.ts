import type { Settings } from '../dist/cjs/connectsocket.js';

/** A plugin of Taro's build: see its `plugins` option. */
declare function connectsocket(ctx: object, options: connectsocket.Options): void;

declare namespace connectsocket {
  /** What `load` is called with when the app starts. */
  interface Options extends Settings {
    /** URL of connectsocket.wasm; the one that the build has put out by default. */
    wasm?: string;
  }
}

export = connectsocket;
