/**
 * One of the two that the benchmark compares, in a frame of its own: with a global object, a module and slots that
 * are not the playground's. The address says which one.
 */
import { bare, by } from '../../bench/page/connect.js';
import { echo, fake, flood, roundTrip } from '../../bench/page/measure.js';
import { connectSocket } from '../connectsocket.mjs';

const connect = location.hash === '#bare' ? bare : by(connectSocket);

/**
 * @param {import('../../bench/steps.mjs').Step['name']} name
 * @param {string} url of an echo server
 * @param {any} option
 * @throws {Error} in words, where there is no such server
 */
async function measure(name, url, option) {
  try {
    if (name === 'fake') return await fake(connect, option);
    // The server pushes once it is open, when both have their handler and the clock starts; it echoes meanwhile.
    if (name === 'flood')
      return await flood(connect, `${url}?push=${option.count}&size=${option.size}`, option);
    return await { roundTrip, echo }[name](connect, url, option);
  } catch (error) {
    const { errMsg, message } = /** @type {{ errMsg?: string, message?: string }} */ (error);
    throw new Error(errMsg ?? message ?? 'the WebSocket failed'); // its event tells nothing
  }
}

Object.assign(globalThis, { measure });
