/** @import { Connect } from './measure.js' */

/**
 * Opens a bare WebSocket.
 *
 * @type {Connect}
 */
export const bare = (url, onMessage) =>
  new Promise((resolve, reject) => {
    const ws = new WebSocket(url);
    ws.binaryType = 'arraybuffer';
    ws.addEventListener('message', ({ data }) => onMessage(data));
    ws.addEventListener('error', reject);
    ws.addEventListener('open', () => resolve({ send: (data) => ws.send(data), close: () => ws.close() }));
  });

/**
 * Opens a connection by a connectSocket of the mini-program world.
 *
 * @param {(option: any) => any} connectSocket
 * @param {object} [more] options
 * @returns {Connect}
 */
export const by = (connectSocket, more) => async (url, onMessage) => {
  const task = await connectSocket({ url, ...more });
  task.onMessage((/** @type {{ data: unknown }} */ { data }) => onMessage(data));
  await new Promise((resolve, reject) => {
    task.onOpen(resolve);
    task.onError(reject);
  });
  return { send: (data) => task.send({ data }), close: () => task.close({}) };
};
