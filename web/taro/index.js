const { dirname, join } = require('node:path');

const API = '@tarojs/taro-h5/dist/api';

/**
 * A plugin of Taro's build: in web builds Taro.connectSocket and its family are ours, with the webpack and the
 * Vite runner alike. Whatever an app imports of the API comes from two modules; both are replaced by api.mjs.
 *
 * @param {{ paths: { appPath: string }, modifyRunnerOpts(change: (runner: { opts: any }) => void): void }} ctx
 * @param {import('./index.js').Options} options what load is called with when the app starts
 */
module.exports = (ctx, options) => {
  // The first versions of 3.6 do not set TARO_PLATFORM, and none has set it yet when it loads its plugins.
  const isWeb = () => process.env.TARO_PLATFORM === 'web' || process.env.TARO_ENV === 'h5';
  if (isWeb()) checkVersion(ctx.paths.appPath);
  ctx.modifyRunnerOpts(({ opts }) => {
    if (!isWeb()) return;
    const h5 = dirname(resolve(`${API}/index`, resolve('@tarojs/plugin-platform-h5', ctx.paths.appPath)));
    opts.alias = {
      ...opts.alias,
      [`${API}/index`]: join(__dirname, 'api.mjs'),
      [`${API}/taro`]: join(__dirname, 'api.mjs'),
      // By these names api.mjs imports what it replaces.
      [`${API}/index.js`]: join(h5, 'index.js'),
      [`${API}/taro.js`]: join(h5, 'taro.js'),
      // Watch mode may bundle packages beforehand, and away from what is beside them.
      ...Object.fromEntries(
        ['connectsocket.wasm', 'connectsocket.rest.wasm', 'connectsocket.full.wasm'].map((file) => [
          file,
          join(__dirname, '../dist', file),
        ]),
      ),
    };
    opts.defineConstants = {
      ...opts.defineConstants,
      CONNECTSOCKET_LOAD: JSON.stringify(JSON.stringify(options)),
    };
  });
};

/**
 * Older ones have no such modules for the web: their runners have all of it in themselves.
 * @param {string} appPath
 */
function checkVersion(appPath) {
  const { version } = require(resolve('@tarojs/taro/package.json', appPath));
  const [major, minor] = version.split('.').map(Number);
  if (major < 3 || (major === 3 && minor < 6))
    throw new Error(`connectsocket/taro needs Taro 3.6 or later, and this app has ${version}`);
}

/**
 * Finds a module of the app, which need not be one that this package can see.
 * @param {string} module
 * @param {string} from
 */
const resolve = (module, from) => require.resolve(module, { paths: [from] });
