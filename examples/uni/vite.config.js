import uni from '@dcloudio/vite-plugin-uni';
import connectsocket from 'connectsocket/uni';
import { defineConfig } from 'vite';

// Here the environment chooses, so that builds can be compared; an app has the plugin.
const { STOCK, RELAY = '/relay' } = process.env;

export default defineConfig({
  plugins: [STOCK ? [] : connectsocket({ maxSockets: 6, relay: RELAY }), uni()],
});
