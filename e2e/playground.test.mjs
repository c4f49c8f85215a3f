/**
 * Clicks through the built playground in Chromium, against the development server. `make build` and
 * `go build -o bin/ ./cmd/serve` come first.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';
import { en } from '../web/playground/texts/en.js';
import { zh } from '../web/playground/texts/zh.js';
import { closeAfterTests, startServe } from './drive/server.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const PATIENCE = 180_000; // milliseconds: what has not come by then never will

const scratch = mkdtempSync(join(tmpdir(), 'playground-'));
after(() => rmSync(scratch, { recursive: true }));
const use = closeAfterTests();
/** @type {string} */
let base;
/** @type {import('puppeteer-core').Browser} */
let browser;
/** @type {import('puppeteer-core').Page} */
let page;
/** @type {string[]} */
let complaints;

before(async () => {
  assert.ok(existsSync(join(root, 'web/dist/playground/index.html')), 'web/dist is missing: run make build');
  ({ url: base } = await use(startServe));
  browser = await use(puppeteer.launch, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    env: { ...process.env, LC_ALL: 'C', LANGUAGE: 'en' }, // the page speaks the browser's language
  });
});

beforeEach(async () => {
  page = await browser.newPage();
  complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(base);
  await until('the module runs', async () => /^Module ready/.test(await text('#module')));
});

afterEach(async () => {
  await page.evaluate(() => localStorage.clear());
  await page.close();
});

/**
 * Asks until the answer is yes.
 * @param {string} what is waited for, for the failure
 * @param {() => Promise<boolean>} holds
 */
async function until(what, holds) {
  for (const end = Date.now() + PATIENCE; !(await holds()); ) {
    assert.ok(Date.now() < end, `never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * The text of the first such element; empty if there is none or it is hidden.
 * @param {string} selector
 */
const text = (selector) =>
  page.evaluate((s) => {
    const element = document.querySelector(s);
    return element?.checkVisibility() ? (element.textContent ?? '') : '';
  }, selector);

/**
 * @param {string} selector
 * @param {string} words
 */
const says = (selector, words) =>
  until(`${selector} says ${JSON.stringify(words)}`, async () => (await text(selector)).includes(words));

/**
 * Replaces what a field holds.
 * @param {string} selector
 * @param {string} value
 */
async function fill(selector, value) {
  await page.focus(selector);
  await page.$eval(selector, (field) => /** @type {HTMLInputElement} */ (field).select());
  await page.keyboard.press('Delete');
  await page.type(selector, value);
}

/**
 * Connects by the form, and waits for the task.
 * @param {number} id the socketTaskId it will have
 * @param {string} [query] of the echo server
 * @param {string} [state] that is waited for
 */
async function connect(id, query = '', state = 'open') {
  await fill('#url', `${base.replace('http', 'ws')}/echo${query && `?${query}`}`);
  await page.click('#connect');
  await says(`#task-${id} .state`, state);
}

/** What the echo server saw of a connection that has ended. */
const reportOf = async (/** @type {string} */ id) => (await fetch(`${base}/echo?report=${id}`)).json();

const overflows = () => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

test('starts isolated, under its policy, on the server’s own echo', async () => {
  assert.equal(
    await page.$eval('#url', (url) => /** @type {HTMLInputElement} */ (url).value),
    `${base.replace('http', 'ws')}/echo`,
  );
  assert.ok(await page.evaluate(() => window.crossOriginIsolated));
  assert.equal(await page.$('#progress'), null);
  assert.deepEqual(complaints, []);
});

test('says why the module cannot run', async () => {
  await page.setRequestInterception(true);
  page.on('request', (request) =>
    request.url().endsWith('.wasm') ? request.respond({ status: 503, body: '' }) : request.continue(),
  );
  await page.reload();
  await says('#module', 'The module cannot run');
  assert.match(await text('#module'), /503/);
  await page.click('#connect');
  await says('#connect-error', 'connectSocket:fail');
});

test('connects, sends and closes with the keyboard alone', async () => {
  await fill('#protocols', 'chat.v2, chat.v1');
  await page.keyboard.press('Enter');
  await says('#task-1 .state', 'open');
  assert.equal(await text('#task-1 .protocol'), 'chat.v2');

  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('placeholder'));
  for (let i = 0; (await focused()) !== 'Message'; i++) {
    assert.ok(i < 30, 'the message is not among the next 30 tab stops');
    await page.keyboard.press('Tab');
  }
  await page.keyboard.type('first line');
  await page.keyboard.down('Shift');
  await page.keyboard.press('Enter');
  await page.keyboard.up('Shift');
  await page.keyboard.type('second ☃');
  await page.keyboard.press('Enter');
  await until('the echo', async () => (await text('#task-1 .facts .received')) === '1 · 21 B');
  assert.equal(await text('#task-1 .facts .sent'), '1 · 21 B');
  await until('both frames', async () => (await page.$$('#task-1 .entry:not(.event)')).length === 2);

  await page.focus('#task-1 .entries');
  await page.keyboard.press('ArrowUp');
  await says('#task-1 .payload h4', 'received, text, 21 B');
  assert.equal(await text('#task-1 .payload pre'), 'first line\nsecond ☃');
  await page.keyboard.press('Escape');
  assert.equal(await text('#task-1 .payload pre'), '');

  await page.focus('#task-1 .close .reason input');
  await page.keyboard.press('Enter');
  await says('#task-1 .state', 'closed');
  assert.equal(await text('#task-1 .ending .close'), '1000, clean');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'task-1');
  assert.deepEqual(complaints, []);
});

test('sends a file as binary, shown as hex', async () => {
  const file = join(scratch, 'bytes.bin');
  writeFileSync(
    file,
    Uint8Array.from({ length: 70_000 }, (_, i) => i),
  );
  await connect(1);
  const input = /** @type {import('puppeteer-core').ElementHandle<HTMLInputElement> | null} */ (
    await page.$('#task-1 .file input')
  );
  await input?.uploadFile(file);
  await says('#task-1 .facts .received', '1 · 68.4 KiB');
  await until('its row', async () => (await page.$$('#task-1 .entry.received')).length === 1);
  assert.match(await text('#task-1 .entry.received'), /bin\s*68\.4 KiB\s*00 01 02 03/);

  await page.click('#task-1 .entry.received');
  await says('#task-1 .payload h4', 'received, binary, 70,000 B');
  const dump = () => text('#task-1 .payload pre');
  assert.match(await dump(), /^000040 {2}40 41 42 43 44 45 46 47 .*@ABCDEFG/m);
  assert.doesNotMatch(await dump(), /^001000 /m);
  await page.click('#task-1 .payload .more');
  assert.match(await dump(), /^00fff0 /m);
  await page.click('#task-1 .payload .more');
  assert.match(await dump(), /hijklmno$/);
  assert.equal(await text('#task-1 .payload .more'), '');
});

test('refuses a sixth task and frees a slot with a code and a reason that reach the server', async () => {
  for (let id = 1; id <= 5; id++) await connect(id, `id=playground-${id}`);
  await page.click('#connect');
  await says('#connect-error', 'connectSocket:fail exceed max concurrent count 5');
  assert.equal((await page.$$('.task')).length, 5);

  await fill('#task-2 .close .code input', '1001');
  await page.click('#task-2 .close .submit');
  await says('#task-2 .close-error', 'closeSocket:fail');
  assert.equal(await text('#task-2 .state'), 'open');
  await fill('#task-2 .close .code input', '4001');
  await fill('#task-2 .close .reason input', 'enough');
  await page.click('#task-2 .close .submit');
  await says('#task-2 .state', 'closed');
  assert.equal(await text('#task-2 .ending .close'), '4001 “enough”, clean');
  const report = await reportOf('playground-2');
  assert.deepEqual([report.code, report.reason], [4001, 'enough']);

  await connect(6);
  assert.equal(await text('#connect-error'), '');
  await page.click('#remove-closed');
  assert.deepEqual(await page.$$eval('.task', (all) => all.map(({ id }) => id)), [
    'task-1',
    'task-3',
    'task-4',
    'task-5',
    'task-6',
  ]);
});

test('tells in words what was refused', async () => {
  await connect(1, 'status=403', 'closed');
  await says('#task-1 .task-error', 'connectSocket:fail');
  assert.equal(await text('#task-1 .ending .close'), '1006, not clean');

  await fill('#url', 'ftp://127.0.0.1/');
  await page.click('#connect');
  await says('#connect-error', 'connectSocket:fail invalid url "ftp://127.0.0.1/"');

  await fill('#timeout', '50');
  await connect(2, 'delay=30s', 'closed');
  await says('#task-2 .task-error', 'connectSocket:fail timeout');

  await page.click('#task-1 header .remove');
  assert.equal(await page.$('#task-1'), null);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'task-2');
});

test('adds and removes header rows, and says how headers get there', async () => {
  await page.click('#options-button');
  await says('#header-hint', 'go through this server’s relay');
  await page.click('#add-header');
  await page.keyboard.type('X-Playground');
  await page.keyboard.press('Tab');
  await page.keyboard.type('yes');
  await page.click('#add-header');
  assert.equal((await page.$$('.header-row')).length, 2);
  await page.click('.header-row:last-child .remove');
  assert.equal((await page.$$('.header-row')).length, 1);
  await says('#chosen', 'Set: header');
  await connect(1, 'id=playground-header');
  await page.click('#task-1 .close .submit');
  await says('#task-1 .state', 'closed');
  assert.deepEqual((await reportOf('playground-header')).header['X-Playground'], ['yes']);
  await fill('#url', 'wss://api.example/');
  await says('#header-hint', 'it will refuse api.example');
});

test('passes what only the relay can do', async () => {
  await page.click('#options-button');
  await page.select('[name=perMessageDeflate]', 'true');
  await page.select('[name=tcpNoDelay]', 'false');
  await says('#chosen', 'Set: perMessageDeflate, tcpNoDelay');
  await connect(1, 'id=playground-deflate');
  await page.select('[name=perMessageDeflate]', 'false');
  await connect(2, 'id=playground-inflate');
  for (const id of [1, 2]) {
    await page.click(`#task-${id} .close .submit`);
    await says(`#task-${id} .state`, 'closed');
  }
  const extensions = async (/** @type {string} */ id) =>
    String((await reportOf(id)).header['Sec-Websocket-Extensions'] ?? '');
  assert.match(await extensions('playground-deflate'), /permessage-deflate/);
  assert.doesNotMatch(await extensions('playground-inflate'), /permessage-deflate/);
});

test('reconnects, and says how often', async () => {
  await page.click('#options-button');
  await page.click('[name=reconnect]');
  await fill('[name=minDelay]', '1');
  await connect(1, 'code=1006&after=1');
  await page.type('#task-1 .message textarea', 'drop me');
  await page.keyboard.press('Enter');
  await says('#task-1 .reconnected', '1×');
  await says('#task-1 .state', 'open');
  assert.equal(await text('#task-1 .task-error'), '');
  await page.keyboard.press('Enter');
  await says('#task-1 .reconnected', '2×');
});

test('offers the relay where a handshake failed, which says why', async () => {
  await connect(1, 'status=403', 'closed');
  await page.click('#task-1 .offer .ask');
  await says('#task-2 .task-error', '403 Forbidden');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'task-2');
  assert.equal(await text('#task-1 .offer'), '');
  assert.equal(await text('#task-2 .offer'), '');
});

test('takes a relay and hosts, which hold from one load of the page to the next', async () => {
  await page.click('#settings-button');
  await fill('#relay', 'http://[');
  await page.keyboard.press('Enter');
  await says('#settings-error', 'Not a URL: http://[');
  await fill('#relay', '');
  await fill('#domains', `${base.replace('http', 'ws')}, wss://a.example`);
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  await says('#module', 'Module ready');

  await page.click('#options-button');
  await says('#header-hint', 'Without a relay they are not sent');
  await connect(1, 'status=403', 'closed');
  assert.equal(await text('#task-1 .offer'), '');
  await fill('#url', 'wss://b.example/');
  await page.click('#connect');
  await says('#connect-error', 'connectSocket:fail url not in domain list');
  await page.click('#code-button');
  await says('#code pre', `data-domains="${base.replace('http', 'ws')} wss://a.example"`);
});

const allowClipboard = () =>
  browser
    .defaultBrowserContext()
    .overridePermissions(base, ['clipboard-read', 'clipboard-write', 'clipboard-sanitized-write']);

/** Waits until the clipboard has a text. */
const copies = (/** @type {string} */ words) =>
  until('the copy', async () => (await page.evaluate(() => navigator.clipboard.readText())) === words);

test('gives the form as code', async () => {
  await allowClipboard();
  await page.click('#options-button');
  await page.click('[name=reconnect]');
  await page.click('[name=heartbeat]');
  await page.click('[name=relay]');
  await page.click('#code-button');
  assert.equal(await text('#options'), '');
  await says('#code pre', 'connectSocket({\n');
  for (const line of [
    'reconnect: true,',
    "heartbeat: { interval: 30000, message: 'ping', timeout: 10000 },",
    "relay: 'always',",
  ]) {
    await says('#code pre', line);
  }
  for (const [style, line] of [
    ['taro', 'await Taro.connectSocket({'],
    ['uni', 'const task = uni.connectSocket({'],
    ['wx', 'const task = wx.connectSocket({'],
  ]) {
    await page.click(`[name=style][value=${style}]`);
    await says('#code pre', line);
  }
  await page.click('#code .copy');
  await copies(await text('#code pre'));
});

/** Fills the form with what the list names so. */
const startFrom = (/** @type {string} */ name) =>
  page.$eval(
    '#start',
    (select, label) => {
      const list = /** @type {HTMLSelectElement} */ (select);
      const option = [...list.options].find(({ text }) => text === label);
      if (!option) throw new Error(`${label} is not among ${[...list.options].map(({ text }) => text)}`);
      option.selected = true;
      list.dispatchEvent(new Event('change'));
    },
    name,
  );

const value = (/** @type {string} */ selector) =>
  page.$eval(selector, (field) => /** @type {HTMLInputElement} */ (field).value);

test('keeps history and presets over a reload, header values only where asked to', async () => {
  await page.click('#options-button');
  await page.click('#add-header');
  await page.keyboard.type('Authorization');
  await page.keyboard.press('Tab');
  await page.keyboard.type('Bearer secret');
  await fill('#protocols', 'chat.v2');
  await connect(1, 'id=kept');
  await page.click('#presets-button');
  await page.click('[form=preset-form][type=submit]');
  await says('#presets-hint', 'Give the preset a name');
  await fill('#preset-name', 'without');
  await page.keyboard.press('Enter');
  await says('#presets-hint', 'Saved “without”');
  const stored = () => page.evaluate(() => JSON.stringify(localStorage));
  assert.match(await stored(), /Authorization/);
  assert.doesNotMatch(await stored(), /secret/);
  await page.click('#preset-values');
  await fill('#preset-name', 'with');
  await page.keyboard.press('Enter');
  await says('#presets-hint', 'Saved “with”');
  assert.match(await stored(), /secret/);

  await page.reload();
  await says('#module', 'Module ready');
  assert.equal(await value('#protocols'), '');
  await page.click('#options-button');
  for (const [name, secret] of [
    ['with', 'Bearer secret'],
    ['without', ''],
    [`${base.replace('http', 'ws')}/echo?id=kept · header · protocols`, ''],
  ]) {
    await startFrom('Echo');
    assert.equal((await page.$$('.header-row')).length, 0);
    await startFrom(name);
    assert.equal(await value('#url'), `${base.replace('http', 'ws')}/echo?id=kept`);
    assert.equal(await value('#protocols'), 'chat.v2');
    assert.equal(await value('.header-row .name'), 'Authorization');
    assert.equal(await value('.header-row .value'), secret);
  }

  await page.click('#presets-button');
  await startFrom('with');
  await page.click('#delete-preset');
  await says('#presets-hint', 'Deleted “with”');
  assert.doesNotMatch(await stored(), /secret/);
  await page.click('#clear-history');
  assert.equal(await text('#clear-history'), '');
  await startFrom('without');
});

test('starts with something to try', async () => {
  await page.click('[data-try=hello]');
  await says('#task-1 .facts .received', '1 · 5 B');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'task-1');
  assert.equal(await text('#empty'), '');
  await page.click('#task-1 .close .submit');
  await says('#task-1 .state', 'closed');
  await page.click('#remove-closed');
  await page.click('[data-try=push]');
  await says('#task-2 .facts .received', '10,000 · ');
  await page.click('#task-2 .close .submit');
  await says('#task-2 .state', 'closed');
  await page.click('#remove-closed');
  await page.click('[data-try=refused]');
  await says('#task-3 .task-error', '403 Forbidden');
});

/** Sends what is typed. */
async function send(/** @type {string} */ message) {
  await fill('#task-1 .message textarea', message);
  await page.keyboard.press('Enter');
}

test('indents JSON without a change, searches, sends again, copies and exports', async () => {
  await allowClipboard();
  await connect(1);
  const json = '{"big":12345678901234567890,"same":1,"same":[1.0,{}]}';
  await send(json);
  await send('ordinary Words');
  await says('#task-1 .count', '4 messages, 1 event');
  await fill('#task-1 .query', 'BIG');
  await says('#task-1 .count', '4 messages, 1 event, 2 shown');
  await page.select('#task-1 .filter .direction', 'sent');
  await says('#task-1 .count', '1 shown');
  await page.focus('#task-1 .entries');
  await page.keyboard.press('End');
  const indented = `{
  "big": 12345678901234567890,
  "same": 1,
  "same": [
    1.0,
    {}
  ]
}`;
  await says('#task-1 .payload pre', indented);
  await page.click('#task-1 .payload .pretty');
  assert.equal(await text('#task-1 .payload pre'), json);
  await page.click('#task-1 .payload .copy');
  await copies(json);
  await page.click('#task-1 .payload .resend');
  await says('#task-1 .count', '6 messages, 1 event, 2 shown');
  await page.select('#task-1 .filter .direction', 'event');
  await says('#task-1 .count', '0 shown');

  const session = await page.createCDPSession();
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: scratch });
  await page.click('#task-1 .export');
  const file = join(scratch, 'task-1.json');
  /** @type {any} */
  let log;
  await until('the export', async () => {
    try {
      log = JSON.parse(readFileSync(file, 'utf8'));
    } catch {} // it is not there, or not written to its end
    return log;
  });
  assert.equal(log.length, 7);
  assert.deepEqual(log[1], { n: 2, time: log[1].time, direction: 'sent', size: 53, text: json });
  await page.click('#task-1 .clear');
  await says('#task-1 .count', '6 messages, 1 event, none kept, 0 shown');
});

test('takes binary as hex or Base64, and finds it by either', async () => {
  await connect(1);
  await page.select('#task-1 .type select', 'hex');
  await send('de ad be');
  await says('#task-1 .facts .received', '1 · 3 B');
  await send('xyz');
  await says('#task-1 .send-error', 'Not hex');
  await page.select('#task-1 .type select', 'base64');
  await send('aGVsbG8=');
  await says('#task-1 .facts .received', '2 · 8 B');
  assert.equal(await text('#task-1 .send-error'), '');
  await send('???');
  await says('#task-1 .send-error', 'Not Base64');
  await fill('#task-1 .query', 'AD be');
  await says('#task-1 .count', '2 shown');
  await fill('#task-1 .query', 'ello');
  await says('#task-1 .count', '2 shown');
  await page.focus('#task-1 .entries');
  await page.keyboard.press('End');
  await says('#task-1 .payload pre', '000000  68 65 6c 6c 6f');
  assert.match(await text('#task-1 .payload pre'), /hello$/);
});

test('speaks the browser’s language', async () => {
  await page.evaluateOnNewDocument(() =>
    Object.defineProperty(navigator, 'languages', { get: () => ['fr-FR', 'zh-TW', 'en'] }),
  );
  await page.reload();
  await says('#module', zh.ready('', '').slice(0, 4));
  await page.click('[data-try=hello]');
  await says('#task-1 .state', zh.stateOpen);
  await says('#task-1 .count', `2 ${zh.messageCount(2, '')}`.replace('  ', ' '));
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
  const words = await page.evaluate(() => document.body.innerText.split('\n').map((line) => line.trim()));
  const english = Object.entries(en)
    .filter(([key, phrase]) => typeof phrase === 'string' && phrase !== zh[/** @type {'url'} */ (key)])
    .map(([, phrase]) => phrase);
  assert.deepEqual(
    words.filter((line) => english.includes(line)),
    [],
  );
});

test('outlives a flood', async () => {
  await connect(1, 'push=100000');
  await says('#task-1 .facts .received', '100,000 · 6.1 MiB');
  await says('#task-1 .count', '100,000 messages, 1 event, newest 5,000 kept');
  assert.ok((await page.$$('#task-1 .entry')).length < 100);
  assert.match(await text('#task-1 .entry:last-child'), /0000099999/);

  await page.focus('#task-1 .entries');
  await page.keyboard.press('Home');
  await says('#task-1 .payload pre', '0000095000');
  await says('#task-1 .entry[aria-selected=true]', '0000095000');
  await page.click('#task-1 .latest');
  await says('#task-1 .entry:last-child', '0000099999');
});

test('keeps still what is read further up while frames come and go', async () => {
  await connect(1, 'push=5000');
  await says('#task-1 .count', '5,000 messages, 1 event');
  await page.$eval('#task-1 .entries', (frames) => frames.scrollTo(0, 50_000));
  const read = () =>
    page.$eval('#task-1 .entries', (frames) => {
      const { left, top } = frames.getBoundingClientRect();
      return document.elementFromPoint(left + 20, top + 30)?.closest('.entry')?.textContent;
    });
  await until('the middle', async () => /000000\d{4}/.test((await read()) ?? ''));
  const before = await read();
  await fill('#task-1 .times input', '200');
  await page.click('#task-1 .send .submit');
  await says('#task-1 .count', '5,400 messages, 1 event');
  assert.equal(await read(), before);
});

test('sends repeatedly', async () => {
  await connect(1);
  await fill('#task-1 .message textarea', 'again');
  await fill('#task-1 .times input', '1200');
  await page.click('#task-1 .send .submit');
  await says('#task-1 .facts .received', '1,200 · 5.9 KiB');
  await says('#task-1 .send .submit', 'Send');
});

test('measures and draws round trips', async () => {
  await connect(1);
  await page.click('#task-1 .echo-test .toggle');
  await until('ten echoes', async () => Number(await text('#task-1 .echoes')) >= 10);
  assert.match(await text('#task-1 .p50'), /^\d+\.\d+ ms$/);
  assert.match(await text('#task-1 .p99'), /^\d+\.\d+ ms$/);
  const drawn = await page.$eval('#task-1 .chart canvas', (canvas) => {
    const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
    const context = /** @type {HTMLCanvasElement} */ (canvas).getContext('2d');
    return context?.getImageData(0, 0, width, height).data.some((byte) => byte > 0);
  });
  assert.ok(drawn, 'the chart is empty');
  assert.equal(await text('#task-1 .facts .received'), '0 · 0 B');
  await page.click('#task-1 .echo-test .toggle');
  assert.equal(await page.$eval('#task-1 .echo-test .toggle', (button) => button.ariaPressed), 'false');

  await page.click('#task-1 .echo-test .toggle');
  await page.click('#task-1 .close .submit');
  await says('#task-1 .state', 'closed');
  assert.equal(await page.$eval('#task-1 .echo-test .toggle', (button) => button.ariaPressed), 'false');
});

/** @param {string} tab */
const isShown = async (tab) => {
  const [selected, shown] = await page.evaluate(() => [
    [...document.querySelectorAll('[role=tab][aria-selected=true]')].map(({ id }) => id),
    [...document.querySelectorAll('[role=tabpanel]:not([hidden])')].map(({ id }) => id),
  ]);
  assert.deepEqual([selected, shown], [[tab], [`${tab}-panel`]]);
};

test('shows a tab by its address, a click or the keyboard', async () => {
  await isShown('connections');
  await page.click('#benchmark');
  await isShown('benchmark');
  assert.equal(await page.evaluate(() => location.hash), '#benchmark');
  await page.reload();
  await isShown('benchmark');

  await page.focus('#benchmark');
  for (const [key, tab] of /** @type {const} */ ([
    ['ArrowRight', 'connections'],
    ['ArrowLeft', 'benchmark'],
    ['Home', 'connections'],
    ['End', 'benchmark'],
  ])) {
    await page.keyboard.press(key);
    await isShown(tab);
    assert.equal(await page.evaluate(() => document.activeElement?.id), tab);
  }
  await page.keyboard.press('Tab'); // the other tab is no stop
  assert.ok(await page.evaluate(() => document.activeElement?.matches('.rounds input')));
  await page.evaluate(() => {
    location.hash = '#connections';
  });
  await says('#tasks-title', 'Tasks');
  assert.deepEqual(complaints, []);
});

/** What the benchmark's table says, a row for each measure. */
const measured = () =>
  page.$$eval('.results tbody tr', (rows) =>
    rows.map((row) => {
      const cell = (/** @type {string} */ name) => row.querySelector(name)?.textContent ?? '';
      return {
        name: cell('.name'),
        numbers: ['.bare', '.ours', '.median'].map((name) => Number(cell(name).replaceAll(',', ''))),
        quartiles: cell('.quartiles'),
      };
    }),
  );

/** @param {string} rounds */
async function startBenchmark(rounds) {
  await page.click('#benchmark');
  await fill('.rounds input', rounds);
  await page.keyboard.press('Enter');
}

test('compares with the bare WebSocket, and keeps connections meanwhile', async () => {
  await connect(1);
  await page.click('#task-1 .echo-test .toggle');
  await startBenchmark('2');
  await says('.benchmark .state', 'Round 2 of 2');
  await until('its end', async () => (await text('.benchmark .state')) === '2 rounds done.');
  assert.match(
    await text('.finding'),
    /^Over 2 rounds, compared with the bare WebSocket, connectSocket was .*round trip p50.* Its own code took [\d,]+ ns/,
  );
  const rows = await measured();
  assert.deepEqual(
    rows.map(({ name }) => name),
    [
      'round trip p50',
      'round trip p99',
      'echo 64 B',
      'flood 64 B',
      'fake socket receive',
      'fake socket send',
    ],
  );
  for (const { name, numbers, quartiles } of rows) {
    assert.ok(
      numbers.every((n) => Number.isFinite(n) && n > 0),
      `${name}: ${numbers}`,
    );
    assert.match(quartiles, /^[\d.]+–[\d.]+$/);
  }
  assert.equal(await text('.benchmark .primary'), 'Start');
  assert.equal(await page.$('iframe'), null);

  await page.click('#connections');
  const echoes = Number(await text('#task-1 .echoes'));
  await until('echoes go on', async () => Number(await text('#task-1 .echoes')) > echoes);
  assert.equal(await text('#task-1 .state'), 'open');
  assert.equal(await text('#stat-tasks'), '1');
  assert.deepEqual(complaints, []);
});

test('waits with the benchmark in the background, and stops it in mid-run', async () => {
  await startBenchmark('99');
  await until('the first ratio', async () => ((await measured())[0].numbers[2] ?? 0) > 0);
  /** @param {boolean} hidden */
  const hide = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await hide(true);
  await says('.benchmark .state', 'Waiting until the page is in front.');
  assert.equal(await page.$('iframe'), null);
  await hide(false);
  await says('.benchmark .state', 'Round 1 of 99');
  await until('a step', async () => (await text('.benchmark .step')) !== '');

  await page.click('.benchmark .primary');
  await says('.benchmark .state', 'Stopped after 0 rounds.');
  assert.equal(await page.$('iframe'), null);
  assert.equal(await text('.benchmark .primary'), 'Start');
  assert.equal(await text('.benchmark-error'), '');
  assert.ok((await measured())[0].numbers[2] > 0);
  assert.deepEqual(complaints, []);
});

test('says that the server has no echo', async () => {
  await page.evaluateOnNewDocument(() => {
    const { WebSocket } = globalThis;
    globalThis.WebSocket = class extends WebSocket {
      constructor() {
        super(`ws://${location.host}/nowhere`);
      }
    };
  });
  await page.reload();
  await startBenchmark('1');
  await says('.benchmark-error', `round trip, bare, with ${base.replace('http', 'ws')}/echo: the WebSocket`);
  assert.equal(await text('.benchmark .state'), 'Stopped after 0 rounds.');
  assert.equal(await text('.benchmark .primary'), 'Start');
});

test('fits a phone, in light and dark', async () => {
  await page.setViewport({ width: 360, height: 740, isMobile: true, hasTouch: true });
  await page.click('#options-button');
  await page.click('#add-header');
  await connect(1, 'push=3&size=4096&type=binary');
  await until('its frames', async () => (await page.$$('#task-1 .entry.received')).length === 3);
  await page.click('#task-1 .entry.received');
  await page.click('#task-1 .echo-test .toggle');
  await says('#task-1 .p50', 'ms');
  assert.equal(await overflows(), false);

  await page.click('#benchmark');
  assert.equal(await overflows(), false);
  await page.click('#connections');

  const surface = () => page.$eval('#task-1', (task) => getComputedStyle(task).backgroundColor);
  const light = await surface();
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  assert.notEqual(await surface(), light);
  assert.equal(await overflows(), false);
});
