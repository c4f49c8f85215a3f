import { contestants } from './contestants.js';
import { echo, fake, flood, floods, large, roundTrip } from './measure.js';

// For the driver: what the page measures, of the contestant that its query names.
const query = new URLSearchParams(location.search);
const connect = contestants[query.get('contestant') ?? 'bare'](query.get('relay') ?? undefined);

Object.assign(globalThis, {
  ready: connect.then(() => true),
  /** Opens a connection whose messages `receive(count)` receives. */
  async hold() {
    const receive = await floods(await connect, `ws://${location.host}/flood`);
    Object.assign(globalThis, { receive });
  },
  /**
   * @param {'roundTrip' | 'echo' | 'flood' | 'large' | 'fake'} name
   * @param {any} option
   */
  async measure(name, option) {
    if (name === 'fake') return fake(await connect, option);
    const path = name === 'flood' ? 'flood' : 'echo';
    return { roundTrip, echo, flood, large }[name](await connect, `ws://${location.host}/${path}`, option);
  },
});
