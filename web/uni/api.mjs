/**
 * What `@dcloudio/uni-h5` exports, with our connectSocket and its family in place of uni's: as exports for what uni's
 * compiler has rewritten, and on the object `uni` for what it has not.
 */
import {
  globalInterceptors,
  hasCallback,
  invokeApi,
  scopedInterceptors,
  connectSocket as uniConnectSocket,
  uni as uniObject,
  wrapperReturnValue,
} from '@dcloudio/uni-h5';
import * as ours from '../dist/connectsocket.mjs';

export * from '@dcloudio/uni-h5';
export { onSocketClose, onSocketError, onSocketMessage, onSocketOpen } from '../dist/connectsocket.mjs';

/**
 * Calls one of ours as uni calls its own: through what was given to `uni.addInterceptor`.
 *
 * @param {string} name
 * @param {(option: any) => any} call
 * @param {any} option
 */
function intercept(name, call, option) {
  let own = option;
  try {
    if (Object(option) === option) own = { ...option }; // an interceptor may write to it
  } catch {
    return call(option); // which says what is wrong with it
  }
  let value = invokeApi(name, call, own, []);
  // An interceptor that returns false has stopped the call: its promise stays pending, as uni's does.
  if (value === undefined && isAsync(option)) value = new Promise(() => {});
  return wrapperReturnValue(name, value);
}

/** As uni has it: returns the task where the option has a callback, else a promise. */
export const connectSocket = (option) =>
  intercept('connectSocket', isAsync(option) ? ours.connectSocket : ours.connectTask, option);
export const sendSocketMessage = (option) => intercept('sendSocketMessage', ours.sendSocketMessage, option);
export const closeSocket = (option) => intercept('closeSocket', ours.closeSocket, option);

function isAsync(option) {
  try {
    return !hasCallback(option);
  } catch {
    return true;
  }
}

export const uni = /* @__PURE__ */ Object.assign(/* @__PURE__ */ ours.install(uniObject), {
  connectSocket,
  sendSocketMessage,
  closeSocket,
});

/** Uni's own connectSocket without interceptors: ours has called them already. */
function fallback(option) {
  const scoped = scopedInterceptors.connectSocket;
  const global = { ...globalInterceptors };
  delete scopedInterceptors.connectSocket;
  for (const hook of Object.keys(global)) delete globalInterceptors[hook];
  try {
    return uniConnectSocket(option);
  } finally {
    if (scoped) scopedInterceptors.connectSocket = scoped;
    Object.assign(globalInterceptors, global);
  }
}

ours.load({ fallback, ...CONNECTSOCKET_LOAD });
