import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineNames, openEngine } from './drive/engine.mjs';
import { requireExecutable } from './drive/processes.mjs';

/** @import { IncomingMessage, Server, ServerResponse } from 'node:http' */
/** @import { AddressInfo } from 'node:net' */
/** @import { Engine } from './drive/engine.mjs' */

// Every process of an engine inherits the environment, so a value of our own there finds them all, and only ours.
const marker = randomUUID();
process.env.CONNECTSOCKET_MARKER = marker;

const directory = mkdtempSync(join(tmpdir(), 'connectsocket-engine-test-'));
/** @type {Server[]} */
const servers = [];
let http = '';
let https = '';

before(async () => {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(directory, name));
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-keyout', key, '-out', cert],
    { stdio: 'pipe' },
  );
  servers.push(
    createHttpServer(answer),
    createHttpsServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer),
  );
  const [plain, secure] = await Promise.all(
    servers.map(async (server) => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return /** @type {AddressInfo} */ (server.address()).port;
    }),
  );
  http = `http://127.0.0.1:${plain}`;
  https = `https://127.0.0.1:${secure}`;
});

after(() => {
  for (const server of servers) server.close().closeAllConnections();
  rmSync(directory, { recursive: true });
});

/**
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 */
function answer(request, response) {
  if (request.url === '/drop') {
    request.socket.destroy();
    return;
  }
  response.setHeader('Content-Type', 'text/html');
  response.setHeader('Content-Security-Policy', "default-src 'none'; img-src data:");
  response.end(`<!doctype html><link rel="icon" href="data:,"><title>${request.url}</title>`);
}

/** Process ids of the engines that this process has started and that are running. */
function running() {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(marker);
    } catch {
      return false; // it is gone, or not ours
    }
  });
}

async function noneRunning() {
  while (running().length > 0) await sleep(20);
}

test('an unknown engine is refused by name', async () => {
  await assert.rejects(openEngine('netscape'), /unknown engine "netscape": one of chromium, firefox, webkit/);
});

test('a missing engine names its package', () => {
  assert.throws(
    () => requireExecutable(join(directory, 'none'), 'some-package'),
    /apt-get install some-package/,
  );
});

for (const name of engineNames) {
  describe(name, { timeout: 120_000 }, () => {
    /** @type {Engine} */
    let engine;

    before(async () => {
      engine = await openEngine(name);
    });
    after(() => engine?.close());

    test('tells its version', () => {
      assert.equal(engine.name, name);
      assert.match(engine.version, /\d+\.\d+/);
    });

    test('evaluates expressions and functions, also under a strict CSP', async () => {
      const page = await engine.newPage(`${http}/evaluate`);
      assert.equal(await page.evaluate('await Promise.resolve(document.title)'), '/evaluate');
      assert.deepEqual(await page.evaluate((a, b) => ({ sum: a.x + b, text: '\u2028"`${' }), { x: 1 }, 2), {
        sum: 3,
        text: '\u2028"`${',
      });
      assert.equal(await page.evaluate(async () => {}), undefined);
      assert.equal(await page.evaluate(() => 'x'.repeat(1 << 20).length), 1 << 20);
      await page.close();
    });

    test('rejects with what the page threw', async () => {
      const page = await engine.newPage(`${http}/throw`);
      const failing = page.evaluate(async () => {
        throw new RangeError('too far');
      });
      await assert.rejects(failing, { name: 'RangeError', message: 'too far' });
      await assert.rejects(
        page.evaluate(() => Promise.reject('a string')),
        { message: 'a string' },
      );
      await assert.rejects(page.evaluate('1 +'));
      assert.equal(await page.evaluate('1 + 1'), 2);
      await page.close();
    });

    test('lets evaluations and pages overlap, all visible', async () => {
      const [page, other] = [await engine.newPage(`${http}/one`), await engine.newPage(`${http}/two`)];
      const waiting = page.evaluate(
        () => new Promise((resolve) => addEventListener('go', (event) => resolve(event.type))),
      );
      assert.equal(await other.evaluate(() => document.visibilityState), 'visible');
      assert.equal(await page.evaluate(() => document.visibilityState), 'visible');
      await page.evaluate(() => dispatchEvent(new Event('go')));
      assert.equal(await waiting, 'go');
      await page.close();
      assert.equal(await other.evaluate(() => document.title), '/two');
      await other.close();
    });

    test('rejects an evaluation whose page navigates or closes', async () => {
      const page = await engine.newPage(`${http}/here`);
      const endless = () => new Promise(() => {});
      const navigated = assert.rejects(page.evaluate(endless));
      await page.goto(`${http}/there`);
      await navigated;
      const closed = assert.rejects(page.evaluate(endless));
      await page.close();
      await closed;
    });

    test('collects the console and what nothing caught', async () => {
      const page = await engine.newPage(`${http}/console`);
      await page.evaluate(async () => {
        console.log('said', 1);
        console.error('wrong');
        Promise.reject(new RangeError('rejected'));
        setTimeout(() => {
          throw new TypeError('thrown');
        });
        await new Promise((resolve) => setTimeout(resolve, 50));
      });
      await page.goto(`${http}/next`);
      const messages = (await page.console()).map(({ type, text }) => `${type}: ${text}`);
      assert.deepEqual(messages.slice(0, 2), ['log: said 1', 'error: wrong']);
      assert.deepEqual(messages.slice(2).sort(), [
        'exception: RangeError: rejected',
        'exception: TypeError: thrown',
      ]);
      await page.close();
    });

    test('says that a page cannot be loaded, and goes on', async () => {
      const page = await engine.newPage();
      await assert.rejects(page.goto(`${http}/drop`));
      await page.goto(`${http}/whole`);
      assert.equal(await page.evaluate(() => document.title), '/whole');
      await page.close();
    });

    test('accepts a certificate that nobody signed', async () => {
      const page = await engine.newPage(`${https}/secure`);
      assert.deepEqual(await page.evaluate(() => [document.title, isSecureContext]), ['/secure', true]);
      await page.close();
    });

    test('goes back to a document from the back-forward cache', async () => {
      const goBack = async () => {
        const page = await engine.newPage(`${http}/first`);
        await page.evaluate(() => {
          const shown = new Promise((resolve) => {
            addEventListener('pageshow', ({ persisted }) => resolve(persisted));
          });
          Object.assign(globalThis, { shown });
        });
        await page.goto(`${http}/second`);
        await page.back();
        const seen = await page.evaluate(async () => [
          document.title,
          await Reflect.get(globalThis, 'shown'), // undefined in a document that was loaded again
        ]);
        await page.close();
        return seen;
      };
      let seen = await goBack();
      // An engine may drop a document that it has cached, for example when memory is short, but not each one.
      for (let tries = 1; tries < 5 && !seen[1]; tries++) seen = await goBack();
      assert.deepEqual(seen, ['/first', true]);
    });

    test('freezes a page where it can', async () => {
      const page = await engine.newPage(`${http}/freeze`);
      if (name === 'chromium') {
        await page.evaluate(() => {
          for (const type of ['freeze', 'resume']) {
            document.addEventListener(type, () => document.body.append(type, ' '));
          }
        });
        await page.freeze();
        await page.resume();
        assert.equal(await page.evaluate(() => document.body.textContent), 'freeze resume ');
      } else {
        await assert.rejects(page.freeze(), /no command that freezes/);
      }
      await page.close();
    });

    test('takes a picture', async () => {
      const page = await engine.newPage(`${http}/picture`);
      const path = join(directory, `${name}.png`);
      await page.screenshot(path);
      assert.equal(readFileSync(path).subarray(1, 4).toString(), 'PNG');
      await page.close();
    });

    test('leaves nothing behind when it is closed', async () => {
      const page = await engine.newPage(`${http}/last`);
      const cut = assert.rejects(page.evaluate(() => new Promise(() => {})));
      assert.notEqual(running().length, 0);
      await engine.close();
      await cut;
      await noneRunning();
    });

    test('leaves nothing behind when its process gets a signal to end', async () => {
      const script = `const { openEngine } = await import(${JSON.stringify(import.meta.resolve('./drive/engine.mjs'))});
        await openEngine(${JSON.stringify(name)});
        console.log('open');`;
      const temporary = mkdtempSync(join(tmpdir(), 'cs-')); // short: Chromium keeps a socket there
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, TMPDIR: temporary },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      await Promise.race([once(child.stdout, 'data'), exited]);
      assert.notDeepEqual(readdirSync(temporary), []);
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [128 + 15, null]);
      await noneRunning();
      rmdirSync(temporary); // throws when there is something in it
    });
  });
}
