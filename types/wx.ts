/** Code written for the types of WeChat accepts ours, and ours refuse what is wrong. Checked by tsc, never run. */
import { install, installUni } from '../web/wx.js';

const own = install({ name: 'wx' });
const name: string = own.name;

const connectSocket: WechatMiniprogram.Wx['connectSocket'] = own.connectSocket;
const task: WechatMiniprogram.SocketTask = own.connectSocket({ url: 'wss://a.example' });
const onSocketOpen: WechatMiniprogram.Wx['onSocketOpen'] = own.onSocketOpen;
const onSocketMessage: WechatMiniprogram.Wx['onSocketMessage'] = own.onSocketMessage;
const onSocketError: WechatMiniprogram.Wx['onSocketError'] = own.onSocketError;
const onSocketClose: WechatMiniprogram.Wx['onSocketClose'] = own.onSocketClose;
const option: WechatMiniprogram.ConnectSocketOption = { url: 'wss://a.example', timeout: 1000 };
own.connectSocket(option);

// @ts-expect-error: the task itself, no promise
own.connectSocket(option).then;
// @ts-expect-error: no URL
own.connectSocket({});
// @ts-expect-error: a URL is a string
own.connectSocket({ url: new URL('wss://a.example') });
// @ts-expect-error: not a WebSocket's name for it
own.connectSocket(option).onopen;
// @ts-expect-error: a WebSocket is none of WeChat's
const webSocket: WechatMiniprogram.SocketTask = new WebSocket('wss://a.example');
// @ts-expect-error: there is nothing to put it on
install(undefined);

const uni = installUni({});
const withCallback: WechatMiniprogram.SocketTask = uni.connectSocket({
  url: 'wss://a.example',
  complete() {},
});
const without: PromiseLike<WechatMiniprogram.SocketTask> = uni.connectSocket({ url: 'wss://a.example' });
// @ts-expect-error: with a callback there is no promise
uni.connectSocket({ url: 'wss://a.example', success() {} }).then;

export {
  connectSocket,
  name,
  onSocketClose,
  onSocketError,
  onSocketMessage,
  onSocketOpen,
  task,
  webSocket,
  withCallback,
  without,
};
