/** @import { Cell, Way } from './cells.mjs' */

/** What pages have seen, by fault and way. */
export class Table {
  /** @type {Map<string, string>} */
  #engines = new Map();
  /** @type {Map<string, { slow: boolean, seen: Map<string, string[]> }>} */
  #rows = new Map();
  #cells = 0;

  /**
   * @param {string} name
   * @param {string} version
   */
  engine(name, version) {
    this.#engines.set(name, version);
  }

  /**
   * @param {Cell} cell
   * @param {Way} way
   * @param {string} where engine and scheme
   * @param {string} seen
   * @param {number} took milliseconds, of interest where the cell is slow
   */
  add({ fault, slow = false }, way, where, seen, took) {
    const key = `${fault} | ${way}`;
    const row = this.#rows.get(key) ?? { slow, seen: new Map() };
    this.#rows.set(key, row);
    const places = row.seen.get(seen) ?? [];
    row.seen.set(seen, places);
    places.push(slow ? `${where} ${Math.round(took / 1000)} s` : where);
    this.#cells++;
  }

  /** The table as Markdown: a line for each thing seen, and where, if that is not everywhere. */
  markdown() {
    const lines = [...this.#rows].flatMap(([key, { slow, seen }]) =>
      [...seen].map(([events, places]) => {
        const where = seen.size > 1 || slow ? places.join(', ') : 'all';
        return `| ${key} | ${events.replaceAll('|', '\\|')} | ${where} |`;
      }),
    );
    return `# What a page sees when a connection fails

Written by \`make test-faults\`: ${this.#cells} cells in ${[...this.#engines.values()].join(', ')}. "text" is a message that
has come back whole, "failed" and "lost" stand for \`WebSocket connection to "…" failed\` and \`was lost\`. In each cell the
call ended once, nothing came after the close, the slot came back, and the next socket worked.

| fault | where it is | what the page saw | in |
|---|---|---|---|
${lines.join('\n')}
`;
  }
}
