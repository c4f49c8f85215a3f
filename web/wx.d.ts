import type {
  Callbacks,
  ConnectOption,
  ConnectResult,
  Family,
  SocketTask,
  SocketTaskPromise,
} from './connectsocket.js';

/** What both have beside the family. */
interface Named {
  /**
   * Whether a name of the family, of the task, or of their parameters is there: `connectSocket.object.protocols`. Where
   * the object that is given to install has its own canIUse, that stays.
   */
  canIUse(schema: string): boolean;
}

/** The family as WeChat has it. */
export interface Wx extends Omit<Family, 'connectSocket'>, Named {
  /** Opens a WebSocket. If the call is refused, the task's onError and onClose are called. */
  connectSocket(option: ConnectOption): SocketTask;
}

/** A callback at least. */
type AnyCallback = { [K in keyof Callbacks]-?: Required<Pick<Callbacks<ConnectResult>, K>> }[keyof Callbacks];

/** The family as uni-app has it. */
export interface Uni extends Omit<Family, 'connectSocket'>, Named {
  /** Opens a WebSocket. If the call is refused, the task's onError and onClose are called. */
  connectSocket(option: ConnectOption & AnyCallback): SocketTask;
  connectSocket(option: ConnectOption): SocketTaskPromise;
}

/** Puts WeChat's connectSocket and its family on an object, `globalThis.wx ??= {}` for example, and returns it. */
export function install<T extends object>(target: T): T & Wx;

/** Puts uni-app's connectSocket and its family on an object, `globalThis.uni ??= {}` for example, and returns it. */
export function installUni<T extends object>(target: T): T & Uni;
