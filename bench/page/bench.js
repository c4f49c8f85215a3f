import { contestants } from './contestants.js';
import { echo, fake, flood, large, roundTrip } from './measure.js';

// For the driver: what the page measures, of the contestant that its query names.
const query = new URLSearchParams(location.search);
const connect = contestants[query.get('contestant') ?? 'bare'](query.get('relay') ?? undefined);

Object.assign(globalThis, {
  ready: connect.then(() => true),
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
