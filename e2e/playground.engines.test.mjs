/**
 * Looks at each state of the built playground in every engine: for what axe finds, for what is wider than the page, and
 * with the keyboard. `make build` and `go build -o bin/ ./cmd/serve` come first.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, dist, startServe } from './drive/server.mjs';

/** @import { Page } from './drive/engine.mjs' */

// The built package, with axe beside it: the playground's policy lets no script in but its own server's.
const site = mkdtempSync(join(tmpdir(), 'playground-'));
after(() => rmSync(site, { recursive: true }));
cpSync(dist, site, { recursive: true });
cpSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), join(site, 'axe.js'));
for (const width of [1200, 390]) {
  // A frame, since not every browser's window can be that narrow.
  writeFileSync(
    join(site, `${width}.html`),
    `<!doctype html><iframe src="/playground/" width="${width}" height="844"></iframe>`,
  );
}

/**
 * What is visited in one load of the page, state by state: what is pressed to get there, and what is waited for.
 * @type {Record<string, string[]>[]}
 */
const visits = [
  {
    empty: [],
    options: ['#options-button', '#add-header', '.header-row'],
    code: ['#code-button', '#code pre'],
    presets: ['#presets-button', '#presets-hint'],
    settings: ['#settings-button', '#relay'],
    benchmark: ['#benchmark', '.results tbody canvas'],
  },
  {
    open: [
      '[data-try=hello]',
      '#task-1 .entry.received',
      '#task-1 .payload pre',
      '#task-1 .echo-test .toggle',
      '#task-1 .chart canvas',
    ],
  },
  { refused: ['[data-try=refused]', '#task-1 .task-error', '#task-1[data-state=closed]'] },
];

/**
 * Presses what can be pressed, and waits for what cannot, in the page or in its frame.
 * @param {Page} page
 * @param {string[]} selectors
 */
const reach = (page, selectors) =>
  page.evaluate(async (all) => {
    for (const selector of ['#stats', ...all]) {
      /** @type {HTMLElement | null | undefined} */
      let element;
      for (const end = Date.now() + 60_000; !element?.checkVisibility(); ) {
        if (Date.now() > end) throw new Error(`never came: ${selector}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
        element = (document.querySelector('iframe')?.contentDocument ?? document).querySelector(selector);
      }
      if (element.matches('button, .entry')) element.click();
    }
  }, selectors);

/**
 * Says what axe finds in the frame, and what is wider than it.
 * @param {Page} page
 * @param {'light' | 'dark'} scheme
 */
const findings = (page, scheme) =>
  page.evaluate(async (colorScheme) => {
    const frame = /** @type {any} */ (document.querySelector('iframe')?.contentWindow);
    /** @type {Document} */
    const inner = frame.document;
    if (!frame.axe) {
      const script = inner.createElement('script');
      script.src = '/axe.js';
      inner.head.append(script);
      await new Promise((resolve) => script.addEventListener('load', resolve));
    }
    inner.documentElement.style.colorScheme = colorScheme;
    // A color that is on its way to another is neither.
    await Promise.all(inner.getAnimations().map((animation) => animation.finished));
    const { violations } = await frame.axe.run(inner, { resultTypes: ['violations'] });
    const found = violations.map((/** @type {any} */ { id, nodes }) => ({
      id,
      nodes: nodes.map((/** @type {any} */ node) => `${node.target} ${node.failureSummary}`),
    }));
    const { scrollWidth, clientWidth } = inner.documentElement;
    return scrollWidth > clientWidth ? [...found, `${scrollWidth} pixels in ${clientWidth}`] : found;
  }, scheme);

for (const name of engineNames) {
  describe(`the playground in ${name}`, () => {
    const use = closeAfterTests();
    /** @type {string} */
    let url;
    /** @type {import('./drive/engine.mjs').Engine} */
    let engine;

    before(async () => {
      ({ url } = await use(startServe, { dir: site }));
      engine = await use(openEngine, name);
    });

    for (const states of visits) {
      test(`has no faults: ${Object.keys(states).join(', ')}`, async () => {
        for (const width of [1200, 390]) {
          const page = await engine.newPage(`${url}/${width}.html`);
          for (const [state, selectors] of Object.entries(states)) {
            await reach(page, selectors);
            for (const scheme of /** @type {const} */ (['light', 'dark'])) {
              assert.deepEqual(await findings(page, scheme), [], `${state}, ${width} wide, ${scheme}`);
            }
          }
          await page.close();
        }
      });
    }

    test('gives its charts the colors of the scheme', async () => {
      const page = await engine.newPage(url);
      const accent = (/** @type {string} */ scheme) =>
        page.evaluate((colorScheme) => {
          document.documentElement.style.colorScheme = colorScheme;
          return getComputedStyle(document.body).getPropertyValue('--accent');
        }, scheme);
      assert.deepEqual(
        [await accent('light'), await accent('dark')],
        ['rgb(29, 95, 209)', 'rgb(125, 174, 255)'],
      );
      await page.close();
    });

    test('is used by the keyboard alone', async () => {
      const page = await engine.newPage(url);
      await reach(page, []);
      /** @param {string} selector */
      const tabTo = async (selector) => {
        for (
          let i = 0;
          !(await page.evaluate((s) => document.activeElement?.matches(s) ?? false, selector));
          i++
        ) {
          assert.ok(i < 40, `${selector} is not among the next 40 tab stops`);
          await page.press('Tab');
        }
      };
      /** @param {string} selector */
      const text = (selector) => page.evaluate((s) => document.querySelector(s)?.textContent ?? '', selector);
      await tabTo('#options-button');
      await page.press('Enter');
      await tabTo('[name=reconnect]');
      await page.press(' ');
      await reach(page, ['#options']);
      assert.equal(await text('#chosen'), 'Set: reconnect');
      await page.evaluate(() => /** @type {HTMLElement | null} */ (document.querySelector('#url'))?.focus());
      await page.press('Enter');
      await reach(page, ['#task-1[data-state=open]']);
      await tabTo('#task-1 .message textarea');
      for (const key of ['h', 'i', 'Enter']) await page.press(key);
      await reach(page, ['#task-1 .entry.received']);
      await page.evaluate(() =>
        /** @type {HTMLElement | null} */ (document.querySelector('#tasks .clear'))?.focus(),
      );
      await tabTo('#task-1 .entries');
      await page.press('End');
      await page.press('ArrowUp');
      await reach(page, ['#task-1 .payload']);
      assert.equal(await text('#task-1 .payload h4'), '2: sent, text, 2 B');
      await tabTo('#task-1 .payload .resend');
      await page.press('Enter');
      await reach(page, ['#task-1 .rows .entry:nth-child(5)']);
      await tabTo('#task-1 form.close .reason input');
      await page.press('Enter');
      await reach(page, ['#task-1[data-state=closed]']);
      await page.close();
    });
  });
}
