/**
 * What `@tarojs/taro` has of the H5 platform, with our connectSocket and its family in place of Taro's: as
 * exports for what Taro has compiled, and on the object Taro for what it has not, as packages in node_modules.
 */
import { connectSocket as fallback } from '@tarojs/taro-h5/dist/api/index.js';
import Taro from '@tarojs/taro-h5/dist/api/taro.js';
import { install, load } from '../dist/connectsocket.mjs';

export * from '@tarojs/taro-h5/dist/api/index.js';
export * from '@tarojs/taro-h5/dist/api/taro.js';
export {
  closeSocket,
  connectSocket,
  onSocketClose,
  onSocketError,
  onSocketMessage,
  onSocketOpen,
  sendSocketMessage,
} from '../dist/connectsocket.mjs';
export default install(Taro);

load({ fallback, ...JSON.parse(CONNECTSOCKET_LOAD) });
