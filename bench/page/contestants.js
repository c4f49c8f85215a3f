/** Who is measured: each is a way to open a connection, made ready by `prepare`. */

import { bare, by } from './connect.js';

/** @import { Connect } from './measure.js' */

/** The least that uni-app's H5 does: lists of callbacks, called one by one, and the platform's own events. */
class UniSocketTask {
  /** @type {Record<string, Array<(event: any) => void>>} */
  callbacks = { open: [], message: [], error: [], close: [] };

  /** @param {{ url: string }} option */
  constructor({ url }) {
    this.ws = new WebSocket(url);
    this.ws.binaryType = 'arraybuffer';
    for (const kind of ['open', 'message', 'error', 'close']) {
      this.ws.addEventListener(kind, (event) => {
        const res = kind === 'message' ? { data: /** @type {MessageEvent} */ (event).data } : {};
        for (const callback of this.callbacks[kind]) {
          try {
            callback(res);
          } catch (error) {
            console.error(error);
          }
        }
      });
    }
  }

  /** @param {{ data: any, success?: Function, fail?: Function, complete?: Function }} option */
  send({ data, success, fail, complete }) {
    const errMsg = 'sendSocketMessage:ok';
    try {
      if (this.ws.readyState !== WebSocket.OPEN) throw new Error('SocketTask.readyState is not OPEN');
      this.ws.send(data);
      success?.({ errMsg });
      complete?.({ errMsg });
    } catch (error) {
      fail?.({ errMsg: `sendSocketMessage:fail ${error}` });
      complete?.({ errMsg: `sendSocketMessage:fail ${error}` });
    }
  }

  close() {
    this.ws.close(1000);
  }

  /** @param {(event: any) => void} f */
  onOpen(f) {
    this.callbacks.open.push(f);
  }
  /** @param {(event: any) => void} f */
  onMessage(f) {
    this.callbacks.message.push(f);
  }
  /** @param {(event: any) => void} f */
  onError(f) {
    this.callbacks.error.push(f);
  }
}

/** @param {import('../../web/connectsocket.js').LoadOption} [option] */
async function loaded(option) {
  // @ts-expect-error: the server has it there
  const { load, connectSocket } = await import('/connectsocket.mjs');
  await load(option);
  return connectSocket;
}

async function nhooyr() {
  // @ts-expect-error: the server has it there
  await import('/wasm_exec.js');
  const { Go, nhooyrConnect: _ } = /** @type {any} */ (globalThis);
  const go = new Go();
  const { instance } = await WebAssembly.instantiateStreaming(fetch('/nhooyr.wasm'), go.importObject);
  go.run(instance);
  /** @type {Connect} */
  return (url, onMessage) =>
    new Promise((resolve) => {
      /** @type {any} */ (globalThis).nhooyrConnect(
        url,
        (/** @type {(data: any) => void} */ send, /** @type {() => void} */ close) =>
          resolve({ send, close }),
        onMessage,
      );
    });
}

/**
 * The contestants by name. prepare makes one ready; relay is the URL of a relay that allows the server.
 *
 * @type {Record<string, (relay?: string) => Promise<Connect>>}
 */
export const contestants = {
  bare: async () => bare,
  again: async () => bare, // as far as it is from the first, a difference is noise
  // @ts-expect-error: the server has it there
  taro: async () => by((await import('/taro.js')).connectSocket),
  uni: async () => by((option) => new UniSocketTask(option)),
  nhooyr,
  connectsocket: async () => by(await loaded()),
  relayed: async (relay) => by(await loaded({ relay }), { relay: 'always' }),
};
