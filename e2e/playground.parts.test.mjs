/**
 * Tests parts of the playground by themselves, and runs the code that it gives. `make build` and
 * `go build -o bin/ ./cmd/serve` come first.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fromBase64, fromHex, hasBytes, hexDump, toBase64, toHex } from '../web/playground/bytes.js';
import { codeOf } from '../web/playground/code.js';
import { asksForRelay, toOption } from '../web/playground/draft.js';
import { Entries } from '../web/playground/entries.js';
import { indentJson } from '../web/playground/json.js';
import { Store } from '../web/playground/store.js';
import { en } from '../web/playground/texts/en.js';
import { zh } from '../web/playground/texts/zh.js';
import { openEngine } from './drive/engine.mjs';
import { closeAfterTests, startServe, startSite } from './drive/server.mjs';

const folder = fileURLToPath(new URL('../web/playground', import.meta.url));

describe('texts', () => {
  /** @param {object} table */
  const shape = (table) =>
    Object.entries(table).map(([key, text]) => [key, typeof text === 'function' ? text.length : 'text']);

  test('have the same keys and the same figures in both languages', () => {
    assert.deepEqual(shape(zh), shape(en));
    for (const table of [en, zh]) {
      for (const [key, text] of Object.entries(table)) {
        const words = typeof text === 'function' ? /** @type {any} */ (text)(1, '«', '»') : text;
        assert.match(words, /\S/, key);
        assert.doesNotMatch(words, /undefined/, key);
      }
    }
  });

  test('are all used, and all there', () => {
    const html = readFileSync(join(folder, 'index.html'), 'utf8');
    const marked = [...html.matchAll(/data-(?:text|label|placeholder|tip)="(\w+)"/g)].map(([, key]) => key);
    for (const key of marked) assert.equal(typeof en[/** @type {'url'} */ (key)], 'string', key);
    const scripts = readdirSync(folder)
      .filter((file) => file.endsWith('.js'))
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('\n');
    const named = [...scripts.matchAll(/\btexts\.(\w+)\b(?!')/g)].map(([, key]) => key);
    const indexed = ['sent', 'received', 'event', 'roundTrip', 'echo', 'flood', 'fake']; // texts[direction], texts[step]
    assert.deepEqual(Object.keys(en).toSorted(), [...new Set([...marked, ...named, ...indexed])].toSorted());
  });
});

test('a draft becomes an option without its defaults', () => {
  assert.deepEqual(toOption({ fields: { url: ' ws://a ' }, headers: [['', 'x']] }), { url: 'ws://a' });
  const option = toOption({
    fields: {
      url: 'ws://a',
      protocols: 'a, b',
      timeout: '5',
      reconnect: 'on',
      retries: '0',
      maxDelay: '9',
      heartbeat: 'on',
      interval: '7',
      message: 'ping',
      patience: '3',
      relay: 'on',
      perMessageDeflate: 'false',
      tcpNoDelay: 'true',
    },
    headers: [[' X ', ' y ']],
  });
  assert.deepEqual(option, {
    url: 'ws://a',
    header: { X: ' y ' },
    protocols: ['a', 'b'],
    timeout: 5,
    reconnect: { retries: 0, maxDelay: 9 },
    heartbeat: { interval: 7, message: 'ping', timeout: 3 },
    relay: 'always',
    perMessageDeflate: false,
    tcpNoDelay: true,
  });
  assert.equal(asksForRelay(option), true);
  assert.equal(asksForRelay({ url: 'ws://a', perMessageDeflate: false }), true);
  assert.equal(asksForRelay({ url: 'ws://a' }), false);
});

test('JSON is indented by its tokens', () => {
  assert.equal(
    indentJson('{"a":[],"b":{"c":[1.0,"x\\"{,"]}}'),
    '{\n  "a": [],\n  "b": {\n    "c": [\n      1.0,\n      "x\\"{,"\n    ]\n  }\n}',
  );
  for (const other of ['1', '"a"', '{', '{"a":1,}', 'text', '']) assert.equal(indentJson(other), undefined);
});

test('bytes are read and shown', () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i).buffer;
  assert.deepEqual(fromHex(toHex(bytes)), bytes);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  assert.equal(fromHex('0'), undefined);
  assert.equal(fromHex('0g'), undefined);
  assert.equal(fromBase64('*'), undefined);
  assert.deepEqual(fromHex(' DE ad\n be'), Uint8Array.of(0xde, 0xad, 0xbe).buffer);
  assert.equal(hexDump(bytes, 4, 2), '000000  00 01  ··\n000002  02 03  ··');
  assert.equal(hasBytes(bytes, Uint8Array.of(254, 255, 0)), true);
  assert.equal(hasBytes(bytes, Uint8Array.of(255, 255)), false);
  assert.equal(hasBytes(new ArrayBuffer(0), Uint8Array.of(0)), false);
});

test('a log counts all, keeps the newest and shows what is searched', () => {
  const entries = new Entries();
  entries.add('event', 'open');
  for (let i = 0; i < 5001; i++) entries.add('sent', `Message ${i % 2}`);
  entries.add('received', Uint8Array.of(0xab, 0x4d).buffer);
  assert.deepEqual([entries.messages, entries.events, entries.kept.length], [5002, 1, 5000]);
  assert.equal(entries.takeGone(), 3);
  entries.search('', 'AGE 1');
  assert.equal(entries.shown.length, 2499);
  entries.add('sent', 'message 1');
  assert.equal(entries.shown.length, 2500);
  entries.add('sent', 'other');
  assert.deepEqual([entries.shown.length, entries.takeGone()], [2499, 1]); // the oldest of them has gone
  entries.search('received', 'AB');
  assert.equal(entries.shown.length, 1);
  entries.search('sent', 'AB');
  assert.equal(entries.shown.length, 0);
  entries.clear();
  assert.deepEqual([entries.messages, entries.kept.length], [5004, 0]);
});

describe('a store', () => {
  /** @param {string} url */
  const draft = (url) => ({
    fields: { url },
    headers: /** @type {[string, string][]} */ ([['A', 'secret']]),
  });
  /** @param {Partial<Storage>} storage */
  const storeIn = (storage) => {
    Object.defineProperty(globalThis, 'localStorage', { value: storage, configurable: true });
    return new Store();
  };
  /** @param {Map<string, string>} map */
  const storageOf = (map) => ({
    getItem: (/** @type {string} */ key) => map.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ text) => void map.set(key, text),
    removeItem: (/** @type {string} */ key) => void map.delete(key),
  });

  test('keeps twenty connections, each once, the newest first, without header values', () => {
    const store = storeIn(storageOf(new Map()));
    for (let i = 0; i < 30; i++) store.record(draft(`ws://${i}`));
    store.record(draft('ws://20'));
    assert.equal(store.history.length, 20);
    assert.deepEqual(store.history[0], { fields: { url: 'ws://20' }, headers: [['A', '']] });
    assert.equal(store.history.filter(({ fields }) => fields.url === 'ws://20').length, 1);
  });

  test('survives what it did not write', () => {
    for (const text of ['{', 'null', '1', '[null, {"name": 1}, {"fields": {}}]', '{"relay": {}}']) {
      const store = storeIn({ ...storageOf(new Map()), getItem: () => text });
      assert.deepEqual([store.history, store.presets], [[], []], text);
      assert.equal(typeof store.settings.relay, 'string', text);
    }
  });

  test('works in a browser that keeps nothing, and says so', () => {
    const store = storeIn({
      setItem() {
        throw new Error('QuotaExceededError');
      },
    });
    assert.equal(store.lasts, false);
    store.save('a', draft('ws://a'), true);
    assert.deepEqual(store.presets, [{ name: 'a', draft: draft('ws://a') }]);
  });
});

describe('what the benchmark found', async () => {
  Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en'] }, configurable: true });
  const { findingOf } = await import('../web/playground/finding.js');
  /**
   * @param {string} title
   * @param {[number, number, number]} quartiles
   */
  const measured = (title, [low, median, high], isRate = false) => ({
    title,
    isRate,
    isOwn: false,
    ratio: { low, median, high },
    difference: 0,
  });
  const own = [100.4, -3].map((difference) => ({ ...measured('own', [1, 2, 3]), isOwn: true, difference }));

  test('is level where the quartiles are on both sides of 1', () => {
    const measures = [
      measured('a', [0.9, 1.1, 1.2]),
      measured('b', [1.1, 1.2, 1.3]),
      measured('c', [1.1, 1.2, 1.3], true),
      ...own,
    ];
    assert.equal(
      findingOf(measures, 5),
      'Over 5 rounds, compared with the bare WebSocket, connectSocket was level in a; slower in b (1.20); faster in c (1.20). Its own code took 100 ns for each received message and 0 ns for each sent one.',
    );
  });

  test('says where rounds are few', () => {
    assert.match(
      findingOf([measured('a', [0.8, 0.9, 0.95]), ...own], 1),
      /^Over 1 round, .* faster in a \(0\.90\)\. .* run more to be sure\.$/,
    );
  });
});

describe('code', () => {
  const use = closeAfterTests();
  const hostile = `it's "</script><!-- \\ \n☃`;

  test('runs as it is given, in each style', async () => {
    const { url, echo } = await use(startServe);
    const settings = { relay: `${url}/relay`, domains: [new URL(echo).origin] };
    const option = {
      url: `${echo}?headers=1`,
      header: { 'X-Odd': `it's "</script><!-- \\` },
      reconnect: { retries: 1 },
    };
    const module = (/** @type {string} */ first, /** @type {'taro' | 'uni' | 'wx'} */ style) =>
      `<!doctype html>
<script type="importmap">{ "imports": { "connectsocket": "./connectsocket.mjs", "connectsocket/wx": "./wx.mjs", "@tarojs/taro": "./taro.js" } }</script>
<script type="module">
${first}
const run = document.createElement('script');
run.type = 'module';
run.textContent = ${JSON.stringify(codeOf(style, option, settings)).replaceAll('<', '\\x3c')};
document.head.append(run);
</script>`;
    const ours = `import { connectSocket, load } from 'connectsocket';\nimport { installUni } from 'connectsocket/wx';`;
    const load = `load(${JSON.stringify(settings)});`;
    const site = await use(startSite, {
      '/taro.js': { body: `${ours}\n${load}\nexport default { connectSocket };`, type: 'text/javascript' },
      '/plain.html': codeOf('plain', option, settings),
      '/taro.html': module('', 'taro'),
      '/uni.html': module(`${ours}\n${load}\nglobalThis.uni = installUni({});`, 'uni'),
      '/wx.html': module('', 'wx'),
    });
    const engine = await use(openEngine, 'chromium');
    for (const style of ['plain', 'taro', 'uni', 'wx']) {
      const page = await engine.newPage(`${site.url}/${style}.html`);
      let said = '';
      for (const end = Date.now() + 60_000; !said.includes('\nhello') && Date.now() < end; ) {
        said = (await page.console()).map(({ text }) => text).join('\n');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.match(said, /\nhello/, style);
      const headers = JSON.parse(said.split('\n').find((line) => line.startsWith('{')) ?? '');
      assert.deepEqual(headers['X-Odd'], [option.header['X-Odd']], style);
      await page.close();
    }
  });

  test('quotes what is odd', () => {
    const code = codeOf('wx', { url: hostile, header: { 'a-b': '' } }, {});
    const literal = /connectSocket\((\{[\s\S]*?\})\);\ntask/.exec(code)?.[1];
    assert.deepEqual(new Function(`return ${literal}`)(), { url: hostile, header: { 'a-b': '' } });
    assert.doesNotMatch(code, /<[/!]/);
  });
});
