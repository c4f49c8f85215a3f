import { defineConfig } from '@tarojs/cli';

// Here the environment chooses, so that builds can be compared; an app has one compiler, and the plugin.
const { COMPILER = 'webpack5', STOCK, OUTPUT = 'dist', RELAY = '/relay', NO_PREBUNDLE } = process.env;

export default defineConfig<'webpack5' | 'vite'>({
  projectName: 'connectsocket-example-taro',
  date: '2025-01-01',
  designWidth: 750,
  deviceRatio: { 750: 1 },
  sourceRoot: 'src',
  outputRoot: OUTPUT,
  framework: 'react',
  compiler:
    COMPILER === 'vite' ? 'vite' : { type: 'webpack5', prebundle: NO_PREBUNDLE ? { enable: false } : {} },
  plugins: STOCK ? [] : [['connectsocket/taro', { maxSockets: 6, relay: RELAY }]],
  h5: {
    publicPath: '/',
    staticDirectory: 'static',
    devServer: { host: '127.0.0.1', open: false },
  },
});
