import { defineConfig } from 'vite';

/* What Mpx's own build, by webpack, does to its packages for the web. */
export default defineConfig({
  resolve: { extensions: ['.web.js', '.js', '.ts', '.json'] },
  build: { target: 'es2022', rollupOptions: { shimMissingExports: true } },
  define: { __mpx_mode__: '"web"', __mpx_env__: '""', global: 'globalThis', mpxGlobal: 'globalThis' },
});
