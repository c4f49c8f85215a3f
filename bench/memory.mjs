/**
 * Measures what is left in a page by many small messages, and by large ones.
 *
 * @param {object} option
 * @param {(name: string) => Promise<import('./chromium.mjs').Page>} option.open
 * @param {string[]} option.names
 * @param {number} option.messages
 * @param {(text: string) => void} option.progress
 * @returns {Promise<Record<string, Record<string, number>>>} values by row and contestant
 */
export async function measureMemory({ open, names, messages, progress }) {
  /** @type {Record<string, Record<string, number>>} */
  const rows = {};
  for (const name of names) {
    const page = await open(name);
    const state = async () => {
      await page.evaluate('gc()');
      await page.evaluate('new Promise((resolve) => setTimeout(resolve, 200)).then(gc)');
      const { usedSize: heap, backingStorageSize: buffers } = await page.send('Runtime.getHeapUsage');
      const stats = await page.evaluate('globalThis.connectSocket?.stats() ?? {}');
      return { heap, buffers, ...stats };
    };
    await page.evaluate('measure("echo", { ms: 200 })');
    await page.evaluate('hold()');
    await page.evaluate('receive(50_000)');
    const before = await state();
    for (let left = messages; left > 0; left -= 50_000) await page.evaluate('receive(50_000)');
    const after = await state();
    await page.evaluate('measure("large", { count: 300 })');
    const echoed = await state();
    /** @param {string} row @param {number} value */
    const note = (row, value) => {
      rows[row] = { ...rows[row], [name]: value };
    };
    note('JS heap, KiB more', (after.heap - before.heap) / 1024);
    note('ArrayBuffers, KiB more after 300 echoes of 1 MiB', (echoed.buffers - after.buffers) / 1024);
    if ('slots' in before) {
      note('wasm memory, bytes more', after.memory - before.memory);
      note('slots more', after.slots - before.slots);
      note('_values more', after.values - before.values);
    }
    progress(`memory  ${name}  ${JSON.stringify({ before, after, echoed })}`);
    await page.close();
  }
  return rows;
}
