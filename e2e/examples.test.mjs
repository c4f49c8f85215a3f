/**
 * The examples of the documentation are files of examples/ (docs.test.mjs compares them). Here each runs in every engine as it is,
 * except for the hosts, which lead to the development server, and the hashes, which are those of the built files.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWebSockets } from './clients.mjs';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, integrity, startServe, startSite } from './drive/server.mjs';

/** @import { Engine, Page } from './drive/engine.mjs' */
/** @import { Answer } from './drive/server.mjs' */

const directory = new URL('../examples/', import.meta.url);
const files = readdirSync(directory, { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ name }) => ({ name, text: readFileSync(new URL(name, directory), 'utf8') }));

/** What each page logs. */
const logs = {
  'plain.html': ['hello', 'closed 3000 done'],
  'module.html': ['3', 'closed 1000'],
  'worker.html': ['from a worker'],
  'wx.html': ['as in WeChat', 'closed 1000'],
  'reconnect.html': ['subscribe, 0 times again', 'closed 1000'],
  'ticket.html': ['admitted', 'closed 1000'],
  'heartbeat.html': ['ping', 'closed 1000'],
  'websocket.html': ['as a WebSocket', 'closed 1000 true'],
  'newest.html': ['global a', 'first b', 'global closed 3001', 'first c', 'global c', 'global closed 3002'],
  'early.html': ['closed 1000'],
  'header.html': ['websocket true', 'closed 1000'],
  'integrity.html': ['closed 1000'],
};

/** Those that have a test of their own. */
const own = ['large-file.html'];

test('each page is run', () => {
  const pages = files.map(({ name }) => name).filter((name) => name.endsWith('.html'));
  assert.deepEqual(pages.sort(), [...Object.keys(logs), ...own].sort());
});

/**
 * Starts a server that answers 'end' with the number and the hash of the bytes that came before. At /lost it stops to read
 * after the first message, and a little later the connection is lost.
 */
const startSink = () =>
  startWebSockets((server) =>
    server.on('connection', (ws, { url }) => {
      const hash = createHash('sha256');
      let bytes = 0;
      ws.on('message', (/** @type {Buffer} */ data, isBinary) => {
        if (!isBinary) return ws.send(`${data} ${bytes} ${hash.digest('hex')}`);
        bytes += data.length;
        hash.update(data);
        if (url !== '/lost') return;
        ws.pause();
        setTimeout(() => ws.terminate(), 500);
      });
    }),
  );

const mebi = 2 ** 20;
/** One mebibyte of the large file; each begins with its number. */
const part = (/** @type {number} */ n) => {
  const bytes = Buffer.alloc(mebi);
  bytes.writeUInt32LE(n);
  return bytes;
};

/** Notes the most that a WebSocket of the page ever buffers. */
const gauge = `<script>
  globalThis.largest = 0;
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    send.call(this, data);
    largest = Math.max(largest, this.bufferedAmount);
  };
</script>`;

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Engine} */
    let engine;
    let site = '';
    const use = closeAfterTests();

    before(async () => {
      const serve = await use(startServe);
      /** @type {Record<string, Answer>} */
      const paths = {
        '/log.js': {
          body: 'globalThis.logged = []; const { log } = console; console.log = (...args) => { logged.push(args.join(" ")); log(...args); };',
        },
      };
      const { url: sink } = await use(startSink);
      for (const { name, text } of files) {
        const large = name === 'large-file.html';
        const body = text
          .replaceAll('wss://echo.example/', large ? sink : serve.echo)
          .replaceAll('wss://relay.example/relay', `${serve.url}/relay`)
          .replaceAll('wss://ticket.example/', `${serve.url}/ticket/echo`)
          .replaceAll('https://ticket.example/', `${serve.url}/ticket`)
          .replaceAll(/sha384-(connectsocket\.\w+)/g, (_, file) => integrity(file))
          .replace(
            '<!doctype html>',
            `<!doctype html><link rel="icon" href="data:,"><script src="log.js"></script>${large ? gauge : ''}`,
          );
        paths[`/${name}`] = { body };
        if (!large) continue;
        const hasty = body.replace(/^ *while .*\n/m, '');
        assert.notEqual(hasty, body);
        paths['/without-waiting.html'] = hasty;
        paths['/lost.html'] = body.replace(sink, `${sink}/lost`).replace('console.error', 'console.log');
      }
      ({ url: site } = await use(startSite, paths));
      engine = await use(openEngine, name);
    });

    /**
     * @param {Page} page
     * @param {string[]} lines
     */
    const hasLogged = async (page, lines) => {
      /** @type {string[]} */
      let logged = [];
      while (logged.length < lines.length) {
        await sleep(20);
        logged = await page.evaluate('logged');
      }
      assert.deepEqual(logged, lines);
    };

    for (const [file, lines] of Object.entries(logs)) {
      test(file, { timeout: 30_000 }, async () => {
        const page = await engine.newPage(`${site}/${file}`);
        await hasLogged(page, lines);
        await page.close();
      });
    }

    describe('large-file.html', () => {
      /**
       * Opens a page and chooses a file of so many mebibytes there.
       *
       * @param {string} path
       * @param {number} size
       */
      const choose = async (path, size) => {
        const page = await engine.newPage(`${site}/${path}`);
        await page.evaluate(
          (size, mebi) => {
            const parts = Array.from({ length: size }, (_, n) => {
              const bytes = new Uint8Array(mebi);
              new DataView(bytes.buffer).setUint32(0, n, true);
              return bytes;
            });
            const input = /** @type {HTMLInputElement} */ (document.querySelector('input'));
            const chosen = new DataTransfer();
            chosen.items.add(new File(parts, 'large'));
            input.files = chosen.files;
            input.dispatchEvent(new Event('change'));
          },
          size,
          mebi,
        );
        return page;
      };
      /**
       * Sends a file, and waits until the server has all of it.
       *
       * @param {string} path
       * @param {number} size
       * @returns {Promise<[number, number]>} the most that was buffered, and where the progress bar is
       */
      const sends = async (path, size) => {
        const page = await choose(path, size);
        const hash = createHash('sha256');
        for (let n = 0; n < size; n++) hash.update(part(n));
        await hasLogged(page, [`end ${size * mebi} ${hash.digest('hex')}`, 'closed 1000']);
        const seen = await page.evaluate('[largest, document.querySelector("progress").value]');
        await page.close();
        return seen;
      };
      const allowed = mebi + 256 * 1024 + 'end'.length; // the bound of the page, one slice, and the end

      test('200 MiB arrive, and little of it waits in the browser', { timeout: 120_000 }, async () => {
        const [largest, progress] = await sends('large-file.html', 200);
        assert.ok(largest > mebi && largest <= allowed, `${largest} bytes were buffered`);
        assert.equal(progress, 1);
      });

      test('without waiting it would all wait there', { timeout: 30_000 }, async () => {
        const [largest] = await sends('without-waiting.html', 16);
        assert.ok(largest > 2 * allowed, `only ${largest} bytes were buffered`);
      });

      test('a loss ends the wait', { timeout: 30_000 }, async () => {
        const page = await choose('lost.html', 64);
        await hasLogged(page, ['closed 1006', 'SocketTask.send:fail SocketTask.readyState is not OPEN']);
        await page.close();
      });
    });
  });
}
