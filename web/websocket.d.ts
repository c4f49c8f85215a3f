import type { ConnectOption, OpenResult, Result } from './connectsocket.js';

/** What connectSocket takes beside the URL and the subprotocols. */
export type WebSocketOption = Omit<ConnectOption, 'url' | 'protocols'>;

/** The open event of such a WebSocket: what onOpen of a task is given. */
export type OpenEvent = Event & OpenResult;

/** The error event of such a WebSocket; `errMsg` says why, where that is known. */
export type ErrorEvent = Event & Partial<Result>;

/**
 * A WebSocket over a task, after the WHATWG's interface (https://websockets.spec.whatwg.org): for libraries that take
 * one. It differs where the task does: see the README.
 */
export type WebSocket = globalThis.WebSocket;

export interface WebSocketConstructor {
  /**
   * Connects; events tell the rest.
   * @param url `ws:`, `wss:`, `http:` or `https:`, or relative to the page; without a fragment
   * @throws DOMException SyntaxError where the URL or a subprotocol is invalid, or one is given twice
   */
  new (url: string | URL, protocols?: string | string[], option?: WebSocketOption): WebSocket;
  /** Makes a class whose WebSockets have these options: for a library that takes a class. */
  with(option: WebSocketOption): WebSocketConstructor;
  readonly prototype: WebSocket;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
}

export const WebSocket: WebSocketConstructor;
