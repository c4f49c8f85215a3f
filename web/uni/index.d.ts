import type { Settings } from '../dist/cjs/connectsocket.js';

/** A Vite plugin for uni-app (Vue 3, H5), to stand beside `uni()` in `plugins`. */
declare function connectsocket(options?: connectsocket.Options): connectsocket.Plugin;

declare namespace connectsocket {
  /** What `load` is called with when the app starts; uni's own connectSocket is its fallback. */
  interface Options extends Settings {
    /** URL of connectsocket.wasm; the one that the build has put out by default. */
    wasm?: string;
  }

  /** A plugin of any Vite. */
  interface Plugin {
    name: string;
    config(): { optimizeDeps: { exclude: string[] } };
    resolveId: {
      order: 'pre';
      handler(id: string, importer: string | undefined, options: { ssr?: boolean }): string | undefined;
    };
    transform(code: string, id: string): { code: string; map: null } | undefined;
  }
}

export = connectsocket;
