import { connectsocket } from './loader.js';

export const {
  load,
  ready,
  install,
  stats,
  connectSocket,
  connectTask,
  sendSocketMessage,
  closeSocket,
  onSocketOpen,
  onSocketMessage,
  onSocketError,
  onSocketClose,
  offSocketOpen,
  offSocketMessage,
  offSocketError,
  offSocketClose,
} = connectsocket({
  wasm: () => new URL('connectsocket.wasm', import.meta.url),
  rest: () => new URL('connectsocket.rest.wasm', import.meta.url),
  full: () => new URL('connectsocket.full.wasm', import.meta.url),
});
