/**
 * Writes docs/images/playground-light.png and playground-dark.png: the built playground with a conversation, in Chromium.
 * `make screenshots` builds what this needs.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';
import { startServe } from '../e2e/drive/server.mjs';

const MOST_BYTES = 150_000;
const images = fileURLToPath(new URL('../docs/images', import.meta.url));
const messages = [
  '{"type":"subscribe","channel":"orders"}',
  '{"type":"order","id":12345678901234567890,"items":[{"sku":"A-1","count":2}],"paid":true}',
];

mkdirSync(images, { recursive: true });
const server = await startServe();
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  env: { ...process.env, LC_ALL: 'C', LANGUAGE: 'en' },
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1180, height: 880 });
  await page.goto(server.url);
  await page.click('[data-try=hello]');
  for (const [i, message] of messages.entries()) {
    await page.type('#task-1 textarea', message);
    await page.keyboard.press('Enter');
    await page.waitForSelector(`#task-1 .rows .entry:nth-child(${5 + 2 * i})`);
    await page.$eval('#task-1 textarea', (field) => field.select());
  }
  await page.click('#task-1 .echo-test .toggle');
  await page.focus('#task-1 .entries');
  await page.keyboard.press('End');
  await page.waitForFunction(() => Number(document.querySelector('#task-1 .echoes')?.textContent) >= 60);
  await page.click('#task-1 .echo-test .toggle');
  await page.evaluate(() => scrollTo(0, 0));
  for (const scheme of ['light', 'dark']) {
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: 'reduce' }, // no color is on its way to another
    ]);
    const file = join(images, `playground-${scheme}.png`);
    await page.screenshot({ path: /** @type {`${string}.png`} */ (file) });
    const { size } = statSync(file);
    if (size > MOST_BYTES) throw new Error(`${file} has ${size} bytes, more than ${MOST_BYTES}`);
    console.log(`${file}: ${size} bytes`);
  }
} finally {
  await browser.close();
  await server.close();
}
