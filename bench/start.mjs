import { shuffled } from './statistics.mjs';
import { pages } from './steps.mjs';

/**
 * A page that begins to load.
 *
 * @typedef {object} StartPage
 * @property {(expression: string) => Promise<any>} until waits for an expression to be true, and returns its value
 * @property {(expression: string) => Promise<any>} evaluate
 * @property {() => Promise<unknown>} close
 */

/**
 * Measures how long a page takes from its navigation to a callable connectSocket and to its first onOpen. Cold is
 * an origin that the browser has never seen; warm is one that it has, long enough ago to have cached the code.
 *
 * @param {object} option
 * @param {(url: string) => Promise<StartPage>} option.open
 * @param {Record<string, string>} option.origins of the server, by network
 * @param {number} option.rounds
 * @param {boolean} option.short
 * @param {(contestant: string, values: Record<string, number>) => void} option.note
 * @param {(text: string) => void} option.progress
 */
export async function measureStart({ open, origins, rounds, short, note, progress }) {
  const places = [
    { network: 'loopback', path: '' },
    { network: 'loopback', path: 'raw/' },
    { network: '50ms', path: '' },
    { network: 'slow4g', path: '' },
  ].slice(0, short ? 3 : 4);
  let hosts = 0;

  /**
   * @param {string} url
   * @param {number} [stay] milliseconds
   */
  async function visit(url, stay = 0) {
    const page = await open(url);
    // The times are the document's own.
    const times = await page.until('times.open && times');
    const tasks = await page.evaluate(`new Promise((resolve) => {
      const durations = [];
      new PerformanceObserver((list) => durations.push(...list.getEntries().map(({ duration }) => duration)))
        .observe({ type: 'longtask', buffered: true });
      setTimeout(() => resolve(durations), ${50 + stay});
    })`);
    // Of what came before the connection was open; a cached file counts as 0.
    const wire = await page.evaluate(`performance.getEntries()
      .filter((entry) => entry.responseEnd > 0 && (entry.entryType === 'navigation' || entry.responseEnd <= times.open))
      .reduce((bytes, { transferSize }) => bytes + transferSize, 0)`);
    await page.close();
    return { ...times, long: Math.max(0, ...tasks), wire };
  }

  /** @type {Map<string, string>} */
  const warm = new Map();
  for (let round = 0; round < rounds; round++) {
    for (const { network, path } of places) {
      let line = '';
      for (const name of shuffled(pages)) {
        /** @param {string} host */
        const url = (host) => `http://${host}.${origins[network]}/${path}start/${name}.html`;
        const key = `${name} ${network} ${path}`;
        const place = `${network}${path ? ', raw' : network === 'loopback' ? ', brotli' : ''}`;
        /** @param {'cold' | 'warm'} state @param {any} times */
        const take = (state, { tag, callable, open: opened, long, wire }) => {
          note(name, {
            [`start ${place}, ${state}: onOpen, ms`]: opened,
            [`start ${place}, ${state}: tag to callable, ms`]: callable - tag,
            [`start ${place}, ${state}: longest task, ms`]: long,
            [`start ${place}, ${state}: on the wire before onOpen, KB`]: wire / 1000,
          });
          line += `  ${name} ${state} ${opened.toFixed(0)}`;
        };
        const fresh = `cold${hosts++}`;
        take('cold', await visit(url(fresh)));
        let host = warm.get(key);
        if (!host) {
          host = fresh;
          warm.set(key, host);
          for (let i = 0; i < 2; i++) await visit(url(host), 3000);
        }
        take('warm', await visit(url(host)));
      }
      progress(`round ${round + 1}/${rounds}  start ${network} ${path}${line}`);
    }
  }
}
