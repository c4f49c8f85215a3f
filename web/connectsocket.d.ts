/** Types of connectsocket, after the documented API of Taro and WeChat. */

/** How a call ended: `connectSocket:ok`, or `…:fail` and why. */
export interface Result {
  errMsg: string;
}

/** Callbacks of a call: `success` or `fail`, then `complete`, each once. What is no function is ignored. */
export interface Callbacks<R extends Result = Result> {
  success?: (res: R) => void;
  fail?: (res: Result) => void;
  complete?: (res: Result) => void;
}

export interface ConnectResult extends Result {
  socketTaskId: number;
}

export interface ConnectOption extends Callbacks<ConnectResult> {
  /** A `ws:` or `wss:` URL. */
  url: string;
  /** Request header, sent through the relay. Its values are made strings; Referer is dropped. */
  // biome-ignore lint/suspicious/noExplicitAny: as the documented API has it
  header?: Record<string, any>;
  /** Subprotocols to offer. */
  protocols?: string[] | string;
  /** TCP_NODELAY of the upstream connection, set through the relay. */
  tcpNoDelay?: boolean;
  /** Compression of the upstream connection, negotiated through the relay. */
  perMessageDeflate?: boolean;
  /** Accepted; a browser has no choice of networks. */
  forceCellularNetwork?: boolean;
  /** Milliseconds that connecting may take; 60000 by default. */
  timeout?: number;
  /** `always` takes the relay even for a call that a browser could make alone. */
  relay?: 'always';
  /**
   * Reconnects, as the same task, when the connection is lost or an attempt fails: each calls onError once, and each new
   * connection calls onOpen. onClose comes when the task gives up, or is closed. Off by default.
   */
  reconnect?: boolean | ReconnectOption;
  /** Notices a connection that is lost without a word. Off by default. */
  heartbeat?: HeartbeatOption | false;
}

/**
 * When to reconnect. The pause before an attempt is `minDelay` times `factor` for each attempt in a row, at most `maxDelay`,
 * less a random part of it up to `jitter`. A connection that lasts 5 s ends the row. While the browser says that the page is
 * offline the pause is `maxDelay`, and ends when the page is online again. Close codes 1000, 1008 and 4000 to 4999 end all
 * attempts.
 */
export interface ReconnectOption {
  /** Attempts in a row that may fail; without end by default. */
  retries?: number;
  /** Milliseconds; 1000 by default. */
  minDelay?: number;
  /** Milliseconds; 30000 by default. */
  maxDelay?: number;
  /** At least 1; 2 by default. */
  factor?: number;
  /** From 0 to 1; by default 1, full jitter: the pause is anything from nothing to the whole. */
  jitter?: number;
  /**
   * Called before each attempt to reconnect, with its number in the row from 1: what it gives, or resolves to, replaces the
   * url, header or protocols of the call, for example with a fresh ticket. If it throws or rejects, or if that is not valid,
   * the attempt has failed. It counts towards the attempt's `timeout`.
   */
  option?: (attempt: number) => RenewedOption | Promise<RenewedOption>;
  /** Reconnects also while nobody sees the page; false by default. */
  whileHidden?: boolean;
}

/** What `reconnect.option` may replace. */
export type RenewedOption = Pick<Partial<ConnectOption>, 'url' | 'header' | 'protocols'>;

/**
 * A heartbeat. After `interval` without a message received, `message` is sent. If nothing is received within `timeout` after
 * that the connection counts as lost: onError, then the task reconnects or calls onClose with 1006. The time without a message
 * is known to an eighth of `interval`. The answer is delivered like any message.
 */
export interface HeartbeatOption {
  /** Milliseconds; 30000 by default. */
  interval?: number;
  /** What is sent, or a function that gives it; what the server answers to. */
  message: SendOption['data'] | (() => SendOption['data']);
  /** Milliseconds; 10000 by default. */
  timeout?: number;
}

export interface SendOption extends Callbacks {
  data: string | ArrayBuffer | ArrayBufferView | Blob;
}

export interface CloseOption extends Callbacks {
  /** 1000, the default, or 3000 to 4999. */
  code?: number;
  /** At most 123 bytes of UTF-8. */
  reason?: string;
}

/** Clock of the handshake: times in milliseconds since 1970, durations in milliseconds; those that are known. */
export interface Profile {
  fetchStart?: number;
  domainLookUpStart?: number;
  domainLookUpEnd?: number;
  connectStart?: number;
  connectEnd?: number;
  /** TCP and TLS together. */
  rtt?: number;
  handshakeCost?: number;
  cost?: number;
}

export interface OpenResult<P = Profile> {
  /** The upstream's response header through the relay; else the subprotocol, where one was negotiated. */
  header: Record<string, string>;
  profile: P;
  /** How often the task has reconnected; absent the first time. */
  reconnected?: number;
}

export interface MessageResult<T = string | ArrayBuffer> {
  data: T;
}

export interface CloseResult {
  code: number;
  reason: string;
  wasClean: boolean;
}

/** One connection. */
export interface SocketTask {
  /**
   * Sends a message. Views send their window only.
   * @returns a promise of `sendSocketMessage:ok`; it rejects where the task is not open or the data is of
   * another type, which is never reported as an unhandled rejection
   */
  send(option: SendOption): Promise<Result>;
  /**
   * Closes the connection and frees its slot at once; the code and the reason reach the server. On a closing
   * or closed task it succeeds without effect; while connecting it abandons the attempt, without onError.
   * @returns a promise of `closeSocket:ok`; it rejects where the code or the reason is not allowed, and the
   * connection stays
   */
  close(option?: CloseOption): Promise<Result>;
  /**
   * Handlers accumulate; the same function twice is called once. The first of a kind is given, in a microtask,
   * the events that came before it.
   */
  onOpen<P = Profile>(handler: (res: OpenResult<P>) => void): void;
  onMessage<T = string | ArrayBuffer>(handler: (res: MessageResult<T>) => void): void;
  onError(handler: (res: Result) => void): void;
  /** Called exactly once for each task, as its last event. */
  onClose(handler: (res: CloseResult) => void): void;
  /** Takes a handler off, or all handlers of its kind. Events of a kind without a handler are held again. */
  offOpen(handler?: (res: OpenResult<never>) => void): void;
  offMessage(handler?: (res: MessageResult<never>) => void): void;
  offError(handler?: (res: Result) => void): void;
  offClose(handler?: (res: CloseResult) => void): void;
  readonly readyState: number;
  readonly CONNECTING: number;
  readonly OPEN: number;
  readonly CLOSING: number;
  readonly CLOSED: number;
  readonly socketTaskId: number;
  readonly errMsg: string;
  /** The subprotocol that was negotiated, or empty. */
  readonly protocol: string;
  /** Bytes that were sent and have not left the browser. */
  readonly bufferedAmount: number;
  /** The browser's WebSocket, which leads to the relay where that is used; null on a refused call. */
  readonly ws: WebSocket;
}

/** The promise of a task, usable as the task itself at once. */
export interface SocketTaskPromise extends Promise<SocketTask>, SocketTask {}

/**
 * Opens a WebSocket.
 * @returns a promise of its task, with the task's own methods; it resolves when the call is accepted, not when
 * the connection is open, and rejects with `{ errMsg }` where it is refused
 */
export function connectSocket(option: ConnectOption): SocketTaskPromise;

/** The same without the promise: returns the task at once. If the call is refused, the task's onError and onClose are called. */
export function connectTask(option: ConnectOption): SocketTask;

/** The functions below are for the newest task that is connecting or open, beside its own. */
export function sendSocketMessage(option: SendOption): Promise<Result>;
export function closeSocket(option?: CloseOption): Promise<Result>;
export function onSocketOpen(handler: (res: OpenResult) => void): void;
export function onSocketMessage<T = string | ArrayBuffer>(handler: (res: MessageResult<T>) => void): void;
export function onSocketError(handler: (res: Result) => void): void;
export function onSocketClose(handler: (res: CloseResult) => void): void;

/** Takes a handler of a global function off, or all of its kind. They are exports only: `install` does not put them anywhere. */
export function offSocketOpen(handler?: (res: OpenResult) => void): void;
export function offSocketMessage(handler?: (res: MessageResult<never>) => void): void;
export function offSocketError(handler?: (res: Result) => void): void;
export function offSocketClose(handler?: (res: CloseResult) => void): void;

export interface Family {
  connectSocket: typeof connectSocket;
  sendSocketMessage: typeof sendSocketMessage;
  closeSocket: typeof closeSocket;
  onSocketOpen: typeof onSocketOpen;
  onSocketMessage: typeof onSocketMessage;
  onSocketError: typeof onSocketError;
  onSocketClose: typeof onSocketClose;
}

/** Puts connectSocket and its family on an object, `Taro` or `wx` for example, and returns it. */
export function install<T extends object>(target: T): T & Family;

export interface Settings {
  /** URL of a relay: with it header, tcpNoDelay and perMessageDeflate are honoured. */
  relay?: string;
  /** How many connections may be live at once; 5 by default. */
  maxSockets?: number;
  /** What one connection more does: fails, the default, or replaces the oldest. */
  onLimit?: 'fail' | 'replace';
  /** The only hosts that may be connected to, as `wss://a.example`; all where it is absent. */
  domains?: string[];
  /** How much one task holds until it has an onMessage handler; 16 MiB and 10,000 by default. */
  maxHeldBytes?: number;
  maxHeldMessages?: number;
  /**
   * Serves the calls when the module cannot be had: there is no WebAssembly, a policy forbids it, the module cannot be
   * fetched, or it has died three times. Promise, task, handlers and calls that wait are kept, and a warning says why. What
   * else a task can do is the fallback's: it may ignore header, timeout and reconnect.
   * @param option url, protocols, timeout and what else was given, checked
   * @returns a task, or a promise of one; it throws, rejects, or calls `option.fail` when the call fails
   */
  // biome-ignore lint/suspicious/noExplicitAny: each framework has a type of its own for it
  fallback?: (option: any) => unknown;
}

export interface Progress {
  /** Bytes of the module that have arrived, uncompressed. */
  loaded: number;
  total: number;
}

export interface LoadOption extends Settings {
  /**
   * URL of connectsocket.wasm, beside this script by default; or its response, for a page that begins to fetch it
   * before this script has come. Unlike a preload, that finds the compiled code which the browser has cached.
   */
  wasm?: string | URL | Response | Promise<Response>;
  /**
   * The same for connectsocket.rest.wasm, which is fetched when the page is idle; beside connectsocket.wasm by default.
   */
  rest?: string | URL | Response | Promise<Response>;
  /** Called as the module arrives. */
  onProgress?: (progress: Progress) => void;
}

/**
 * Loads the module, once in a page: later calls return the same promise. Without it the first connectSocket
 * loads with the defaults.
 * @returns a promise that resolves when the module runs and rejects with the reason when it cannot
 */
export function load(option?: LoadOption): Promise<void>;

/** Resolves when the module runs; rejects when it cannot. It does not start loading. */
export const ready: Promise<void>;

export interface Stats {
  /** Tasks that have not ended. */
  tasks: number;
  /** Size of the table in which payloads wait, and how much of it is in use. */
  slots: number;
  slotsInUse: number;
  /** Bytes of the module's memory; 0 before it runs. */
  memory: number;
  /** JavaScript values that Go refers to. */
  values: number;
  /** Whether the rest of the module is in place. */
  restJoined: boolean;
  /** How often the page had to wait for it, since it was needed before it had arrived. */
  restForced: number;
}

/** What the module holds now: none of it grows with the number of messages. */
export function stats(): Stats;

/** What the classic script puts on the global connectSocket. */
export interface Api extends Family {
  connectTask: typeof connectTask;
  load: typeof load;
  ready: typeof ready;
  install: typeof install;
  stats: typeof stats;
  offSocketOpen: typeof offSocketOpen;
  offSocketMessage: typeof offSocketMessage;
  offSocketError: typeof offSocketError;
  offSocketClose: typeof offSocketClose;
}

declare global {
  // biome-ignore lint/suspicious/noRedeclare: the page's global is this very function
  var connectSocket: typeof import('./connectsocket.js').connectSocket & Api;

  /**
   * What the classic script gives to `load`, for a page or a worker that sets it before. Attributes of the script element
   * come first.
   */
  var connectsocketOptions: LoadOption | undefined;
}
