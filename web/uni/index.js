const { join, sep } = require('node:path');

const UNI = '@dcloudio/uni-h5';
const UNI_FILE = /\/@dcloudio\/uni-h5\/dist[^/]*\/uni-h5\.es\.js(\?|$)/;
const API = join(__dirname, 'api.mjs').split(sep).join('/'); // as Vite writes paths

// What uni-h5 calls its functions with: see api.mjs.
const INTERNALS = [
  'hasCallback',
  'invokeApi',
  'wrapperReturnValue',
  'scopedInterceptors',
  'globalInterceptors',
];

/**
 * A Vite plugin for uni-app (Vue 3, H5): uni.connectSocket and its family are ours, in `uni` and `uni build`. What
 * uni's compiler makes of `uni.connectSocket`, and the global `uni` itself, come from one module, which is replaced
 * by api.mjs.
 *
 * @param {import('./index.js').Options} [options] what load is called with when the app starts
 * @returns {import('./index.js').Plugin}
 */
module.exports = (options = {}) => ({
  name: 'connectsocket:uni',

  // A bundle made beforehand is away from the wasm, which is beside the script.
  config: () => ({ optimizeDeps: { exclude: ['connectsocket'] } }),

  resolveId: {
    order: 'pre', // before uni's own, wherever this plugin stands
    handler(id, importer, { ssr }) {
      if (id === UNI && importer !== API && !ssr) return API;
    },
  },

  transform(code, id) {
    if (id === API) {
      return { code: code.replace('CONNECTSOCKET_LOAD', () => JSON.stringify(options)), map: null };
    }
    if (UNI_FILE.test(id)) {
      const missing = INTERNALS.filter((name) => !new RegExp(`^(const|function) ${name}\\b`, 'm').test(code));
      if (missing.length > 0) {
        throw new Error(`connectsocket/uni does not work with this version of ${UNI}: no ${missing} in it`);
      }
      return { code: `${code}\nexport { ${INTERNALS.join(', ')} };\n`, map: null };
    }
  },
});
