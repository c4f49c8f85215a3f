/** Code written for the types of uni-app accepts ours, and ours refuse what is wrong. Checked by tsc, never run. */
import type plugin from 'connectsocket/uni';
import { installUni } from 'connectsocket/wx';

const own = installUni({});

export const connectSocket: typeof uni.connectSocket = own.connectSocket;
export const sendSocketMessage: typeof uni.sendSocketMessage = own.sendSocketMessage;
export const closeSocket: typeof uni.closeSocket = own.closeSocket;
export const onSocketOpen: typeof uni.onSocketOpen = own.onSocketOpen;
export const onSocketMessage: typeof uni.onSocketMessage = own.onSocketMessage;
export const onSocketError: typeof uni.onSocketError = own.onSocketError;
// @ts-expect-error: the types have an errMsg here, which uni's own does not give in H5 either
export const onSocketClose: typeof uni.onSocketClose = own.onSocketClose;

export async function use(
  option: UniNamespace.ConnectSocketOption,
  send: UniNamespace.SendSocketMessageOptions,
  close: UniNamespace.CloseSocketOptions,
) {
  const task: UniNamespace.SocketTask = await own.connectSocket(option);
  const atOnce: UniNamespace.SocketTask = own.connectSocket({ ...option, success() {} });
  const more = own.connectSocket({ ...option, timeout: 1000, perMessageDeflate: true, complete() {} });
  more.onOpen((res: UniNamespace.OnSocketOpenCallbackResult) => res.header);
  more.onMessage((res: UniNamespace.OnSocketMessageCallbackResult) => res.data);
  more.onError((res: UniNamespace.GeneralCallbackResult) => res.errMsg);
  more.onClose(({ code, reason, wasClean }) => [code, reason, wasClean]);
  more.send(send);
  more.close(close);

  // @ts-expect-error: no URL
  own.connectSocket({});
  // @ts-expect-error: a timeout is a number
  own.connectSocket({ url: '', timeout: '1s' });
  // @ts-expect-error: data is missing
  more.send({});
  // @ts-expect-error: a code is a number
  more.close({ code: '1000' });
  // @ts-expect-error: a WebSocket is none of uni's
  const theirs: UniNamespace.SocketTask = more.ws;
  return [task, atOnce, theirs];
}

export const options: plugin.Options = { maxSockets: 1, onLimit: 'replace', relay: '/relay' };
// @ts-expect-error: the limit is a number
export const wrong: plugin.Options = { maxSockets: '5' };
