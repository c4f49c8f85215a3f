/** Code written for the types of Taro accepts ours, and ours refuse what is wrong. Checked by tsc, never run. */
import Taro from '@tarojs/taro';
import * as ours from 'connectsocket';
import { install } from 'connectsocket';
import type plugin from 'connectsocket/taro';

export const connectSocket: typeof Taro.connectSocket = ours.connectSocket;
export const sendSocketMessage: typeof Taro.sendSocketMessage = ours.sendSocketMessage;
export const closeSocket: typeof Taro.closeSocket = ours.closeSocket;
export const onSocketOpen: typeof Taro.onSocketOpen = ours.onSocketOpen;
export const onSocketMessage: typeof Taro.onSocketMessage = ours.onSocketMessage;
export const onSocketError: typeof Taro.onSocketError = ours.onSocketError;
export const onSocketClose: typeof Taro.onSocketClose = ours.onSocketClose;
export const taro: typeof Taro = install(Taro);

export async function use(option: Taro.connectSocket.Option, close: Taro.SocketTask.CloseOption) {
  const task: Taro.SocketTask = await ours.connectSocket(option);
  const atOnce: Taro.SocketTask = ours.connectSocket(option);
  const own = await ours.connectSocket({ ...option, perMessageDeflate: true, timeout: 1000 });
  own.onOpen((res: Taro.SocketTask.OnOpenCallbackResult) => res.header);
  own.onMessage<string>(({ data }) => data.length);
  own.onMessage(({ data }) => (typeof data === 'string' ? data.length : data.byteLength));
  own.onClose(({ code, reason, wasClean }) => [code, reason, wasClean]);
  own.close(close);

  // @ts-expect-error: no URL
  ours.connectSocket({});
  // @ts-expect-error: a timeout is a number
  ours.connectSocket({ url: '', timeout: '1s' });
  // @ts-expect-error: of the promise, not of the task
  own.then();
  // @ts-expect-error: data is missing
  own.send({});
  // @ts-expect-error: objects are not sent
  own.send({ data: { json: true } });
  // @ts-expect-error: a code is a number
  own.close({ code: '1000' });
  // @ts-expect-error: the state is the task's
  own.readyState = 1;
  // @ts-expect-error: no error has a code
  own.onError(({ code }) => code);
  // @ts-expect-error: a WebSocket is none of Taro's
  const theirs: Taro.SocketTask = own.ws;
  return [task, atOnce, theirs];
}

export const options: plugin.Options = { maxSockets: 1, onLimit: 'replace', relay: '/relay' };
// @ts-expect-error: the limit is a number
export const wrong: plugin.Options = { maxSockets: '5' };
