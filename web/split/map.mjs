/**
 * Reads what the linker wrote about the module (see _linker/map.go).
 *
 * @typedef {{ name: string, references: number[] }} MapFunction with the addresses that it names
 * @typedef {{ at: number, end: number, name: string, references: Array<{ offset: number, to: number }> }} Datum
 * @typedef {{ name: string, at: number, end: number }} Section
 * @typedef {{ sections: Map<string, Section>, functions: MapFunction[], data: Datum[], find: (address: number) => Datum | undefined }} LinkMap
 *   data: in order of their addresses; find: the datum at an address
 */

/**
 * @param {string} text
 * @returns {LinkMap}
 */
export function readMap(text) {
  const sections = new Map();
  /** @type {MapFunction[]} */
  const functions = [];
  /** @type {Datum[]} */
  const all = [];
  for (const line of text.split('\n')) {
    const fields = line.split('\t');
    if (fields[0] === 'S') {
      const [at, size] = fields.slice(1, 3).map(Number);
      sections.set(fields[3], { name: fields[3], at, end: at + size });
    } else if (fields[0] === 'F') {
      if (Number(fields[1]) !== functions.length) throw new Error('the link map has functions out of order');
      functions.push({ name: fields[2], references: references(fields[3]).map(({ to }) => to) });
    } else if (fields[0] === 'D') {
      const [at, size] = fields.slice(1, 3).map(Number);
      all.push({ at, end: at + size, name: fields[3], references: references(fields[4]) });
    } else if (line !== '') throw new Error(`the link map has a line that begins with ${fields[0]}`);
  }
  const data = inOrder(all);
  return { sections, functions, data, find: (address) => find(data, address) };
}

/**
 * Offsets of 32 bits ("~") are left out: they lead from types to names, methods and other types, and whoever follows one needs
 * the module data for it.
 * @param {string} list
 */
function references(list) {
  return list
    .split(' ')
    .filter((reference) => reference.includes('='))
    .map((reference) => {
      const [offset, to] = reference.split('=').map(Number);
      return { offset, to };
    });
}

/** @param {Datum[]} all */
function inOrder(all) {
  const data = all.sort((a, b) => a.at - b.at);
  data.forEach((datum, i) => {
    if (i > 0 && data[i - 1].end > datum.at)
      throw new Error(`${data[i - 1].name} and ${datum.name} overlap in the link map`);
  });
  return data;
}

/** @param {Datum[]} data @param {number} address */
function find(data, address) {
  let low = 0;
  let high = data.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (data[middle].at <= address) low = middle + 1;
    else high = middle;
  }
  const datum = data[low - 1];
  return datum && address < datum.end ? datum : undefined;
}

/**
 * The one datum of that name.
 * @param {LinkMap} map
 * @param {string} name
 */
export function named(map, name) {
  const found = map.data.filter((datum) => datum.name === name);
  if (found.length !== 1) throw new Error(`the link map has ${found.length} data of the name ${name}`);
  return found[0];
}
