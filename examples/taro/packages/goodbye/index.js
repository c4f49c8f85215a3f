/** A package that Taro's compiler leaves as it is, as it does with most of node_modules. */
import Taro, { connectSocket } from '@tarojs/taro';

const part = async (connecting) => {
  const task = await connecting;
  await new Promise((resolve) => task.onOpen(resolve));
  await task.close({ code: 4003, reason: 'goodbye' });
};

export const goodbye = async (url) => part(connectSocket({ url }));
export const goodbyeByObject = async (url) => part(Taro.connectSocket({ url }));
