// The built ES module, as the playground imports it.
export * from './connectsocket.js';
