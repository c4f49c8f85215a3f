/**
 * How the package gets into a page, in every engine: both entry points, workers, frames, a strict policy, servers
 * that answer amiss, pages that start the module themselves, and what a page sees when it cannot be had.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { engineNames, openEngine } from './drive/engine.mjs';
import { closeAfterTests, dist, integrity, startServe, startSite } from './drive/server.mjs';
import { moduleExports } from './members.mjs';

/** @import { Engine, Page } from './drive/engine.mjs' */
/** @import { Answer } from './drive/server.mjs' */

const wasm = readFileSync(join(dist, 'connectsocket.wasm'));
const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();

/**
 * @param {string} head
 * @returns {string}
 */
const page = (head) => `<!doctype html><link rel="icon" href="data:,">${head}`;
const classic = '<script src="connectsocket.js"></script>';
const strict = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src *; worker-src 'self'; img-src data:",
};

/** The policy above for one more reason: where the engine has Trusted Types, no string becomes a script or markup. */
const trusted = {
  'Content-Security-Policy': `${strict['Content-Security-Policy']}; require-trusted-types-for 'script'; trusted-types 'none'`,
};

const wrong = integrity('provenance.json');

/** A page with both scripts, each of which loads only as it was published. */
const sealed = (/** @type {string} */ hash = '') =>
  page(`<script src="connectsocket.js" integrity="${hash || integrity('connectsocket.js')}"></script>
    <script type="module" src="connectsocket.mjs" integrity="${hash || integrity('connectsocket.mjs')}"></script>`);

// What any of the scripts below does: one echo, told to whoever asks.
const roundTrip = `async (connectSocket, url) => {
  const task = await connectSocket({ url });
  const answer = new Promise((resolve) => task.onMessage(({ data }) => resolve(data)));
  task.onOpen(() => task.send({ data: 'round trip' }));
  const data = await answer;
  await task.close();
  await new Promise((resolve) => task.onClose(resolve));
  return data;
}`;

// What a worker does with its imported connectSocket.
const answer =
  `onmessage = async ({ data }) => ` +
  `postMessage(await (${roundTrip})(connectSocket, data).catch(({ errMsg }) => errMsg));`;

// A page's first lines, with the module still to come.
const nextLine = (/** @type {string} */ echo) => `
  const seen = [];
  const task = connectSocket({ url: '${echo}', success() { seen.push('success'); } });
  seen.push(task.readyState);
  task.onOpen(() => { seen.push('open'); task.send({ data: 'x' }); });
  task.onMessage(({ data }) => { seen.push(data); task.close(); });
  const closed = new Promise((resolve) => task.onClose(({ code }) => resolve(seen.push(code))));
  task.then((same) => seen.push(typeof same.send));
`;

/** @type {Record<string, Answer>} */
const paths = {
  '/classic.html': page(classic),
  '/module.html': page('<script type="module" src="page.mjs"></script>'),
  '/page.mjs': { body: `import * as api from './connectsocket.mjs'; globalThis.api = api;` },
  '/strict.html': { body: page(`${classic}<script type="module" src="page.mjs"></script>`), header: strict },
  // In a file: what a test evaluates is above the policy.
  '/refused.js': {
    body: `const tell = (f) => { try { f(); return false; } catch { return true; } };
      globalThis.trusting = 'trustedTypes' in globalThis;
      globalThis.refused = {
        eval: tell(() => (0, eval)('1')),
        markup: tell(() => { document.createElement('div').innerHTML = '<b></b>'; }),
        script: tell(() => { document.createElement('script').src = 'page.mjs'; }),
      };`,
  },
  '/trusted.html': {
    body: page(`<script src="refused.js"></script>${classic}`),
    header: trusted,
  },
  '/trusted-module.html': {
    body: page('<script src="refused.js"></script><script type="module" src="page.mjs"></script>'),
    header: trusted,
  },
  '/sealed.html': sealed(),
  '/tampered.html': page(
    `<script>globalThis.failed = []; addEventListener('error', ({ target }) => failed.push(target.src.split('/').at(-1)), true);</script>${sealed(wrong)}`,
  ),
  '/sealed-wasm.html': page(
    `<script>globalThis.connectsocketModule = fetch('connectsocket.wasm', { integrity: '${integrity('connectsocket.wasm')}' });</script>${classic}`,
  ),
  '/tampered-wasm.html': page(
    `<script>globalThis.connectsocketModule = fetch('connectsocket.wasm', { integrity: '${wrong}' });</script>${classic}`,
  ),
  '/options.html': page(
    '<script src="connectsocket.js" data-wasm="elsewhere/module.bin" data-max-sockets="1" data-on-limit="replace"></script>',
  ),
  '/elsewhere/module.bin': { body: wasm, type: 'application/octet-stream' },
  '/parameter.html': page('<script src="connectsocket.js" data-wasm="elsewhere/parameter.wasm"></script>'),
  '/elsewhere/parameter.wasm': { body: wasm, type: 'application/wasm; charset=utf-8' },
  '/button.html': page(`<button id="connectSocket"></button>${classic}`),
  '/twice.html': page(
    `${classic}<script>globalThis.first = connectSocket;</script>${classic}<script type="module" src="page.mjs"></script>`,
  ),
  '/others.html': page(
    `<script>globalThis.Go = 'theirs'; globalThis.fs = 'theirs'; globalThis.process = 'theirs'; globalThis.path = 'theirs'; globalThis.before = Object.keys(globalThis);</script>${classic}`,
  ),
  '/stock.html': page(
    '<script src="wasm_exec.js"></script><script src="connectsocket.bridge.js"></script><script>const go = new Go(); WebAssembly.instantiateStreaming(fetch("connectsocket.full.wasm"), go.importObject).then(({ instance }) => go.run(instance));</script>',
  ),
  '/wasm_exec.js': { body: readFileSync(join(goroot, 'lib/wasm/wasm_exec.js')) },
  '/frame.html': page('<iframe src="classic.html"></iframe>'),
  '/srcdoc.html': page(`<iframe srcdoc='${classic}'></iframe>`),
  '/inline.html': page(`<script>${readFileSync(join(dist, 'connectsocket.js'))}</script>`),
  '/taken.html': page(`<script>
    globalThis.connectSocket = 'theirs';
    globalThis.warnings = [];
    console.warn = (text) => warnings.push(text);
    </script>${classic}
    <script type="module" src="page.mjs"></script>`),
  '/promise.html': page(`${classic}<script>
    globalThis.Native = Promise;
    globalThis.Promise = class Theirs {
      static all = (...all) => Native.all(...all);
      static race = (...all) => Native.race(...all);
      static resolve = (...all) => Native.resolve(...all);
      static reject = (...all) => Native.reject(...all);
      constructor(f) { this.native = new Native(f); }
      then(...handlers) { return this.native.then(...handlers); }
      catch(handler) { return this.native.catch(handler); }
    };
  </script>`),
  '/limits.html': page('<script src="connectsocket.js" data-max-sockets="many"></script>'),
  '/domains.html': page('<script src="connectsocket.js" data-domains="a.example"></script>'),
  '/absent.html': page('<script src="connectsocket.js" data-wasm="absent.wasm"></script>'),
  '/truncated.html': page('<script src="connectsocket.js" data-wasm="truncated.wasm"></script>'),
  '/truncated.wasm': { body: wasm.subarray(0, wasm.length >> 1) },
  '/astray.html': page('<script src="connectsocket.js" data-wasm="astray.wasm"></script>'),
  '/astray.wasm': { body: page(''), type: 'text/html' },
  '/foreign.html': page('<script src="connectsocket.js" data-wasm="foreign.wasm"></script>'),
  '/foreign.wasm': { body: Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) },
  '/stale.html': page('<script src="stale.js"></script>'),
  '/none.html': page(`<script>delete globalThis.WebAssembly;</script>${classic}`),
  '/blocked.html': {
    body: page(classic),
    header: { 'Content-Security-Policy': "script-src 'self'; connect-src *" },
  },
  '/worker.js': {
    body: `importScripts('connectsocket.js'); ${answer}`,
  },
  '/worker.mjs': {
    body: `import { connectSocket } from './connectsocket.mjs'; ${answer}`,
  },
  '/limited.js': {
    body: `globalThis.connectsocketOptions = { maxSockets: 1 };
      importScripts('connectsocket.js');
      onmessage = async ({ data }) => {
        const task = connectSocket({ url: data });
        postMessage(await connectSocket({ url: data }).catch(({ errMsg }) => errMsg));
        task.close();
      };`,
  },
  '/shared.js': {
    body: `importScripts('connectsocket.js'); onconnect = ({ ports: [port] }) => { port.onmessage = async ({ data }) => port.postMessage(await (${roundTrip})(connectSocket, data)); };`,
  },
};
const { version } = JSON.parse(readFileSync(new URL('../web/package.json', import.meta.url), 'utf8'));
paths['/stale.js'] = {
  body: readFileSync(join(dist, 'connectsocket.js'), 'utf8').replaceAll(`"${version}"`, '"0.0.0"'),
};

for (const name of engineNames) {
  describe(name, () => {
    /** @type {Engine} */
    let engine;
    const use = closeAfterTests();
    let site = '';
    let echo = '';

    before(async () => {
      ({ echo } = await use(startServe));
      paths['/next-line.html'] = page(`${classic}<script>${nextLine(echo)}</script>`);
      ({ url: site } = await use(startSite, paths));
      engine = await use(openEngine, name);
    });

    /**
     * Runs f with a page of the site, which is closed then.
     *
     * @param {string} path
     * @param {(page: Page) => Promise<void>} f
     */
    async function withPage(path, f) {
      const page = await engine.newPage(`${site}/${path}`);
      try {
        await f(page);
      } finally {
        await page.close();
      }
    }

    /**
     * @param {string} title
     * @param {string} path
     * @param {string} expression for the result in the page; echo and roundTrip are there
     * @param {unknown} want
     */
    function inPage(title, path, expression, want) {
      test(title, { timeout: 30_000 }, () =>
        withPage(path, async (page) => {
          const got = await page.evaluate(
            `(async () => { const echo = ${JSON.stringify(echo)}, roundTrip = ${roundTrip}; ${expression} })()`,
          );
          assert.deepEqual(got, want);
        }),
      );
    }

    inPage('classic script', 'classic.html', 'return roundTrip(connectSocket, echo);', 'round trip');
    inPage(
      'classic script: callable on the next line, by both ways of calling',
      'next-line.html',
      'await closed; return seen;',
      [0, 'success', 'function', 'open', 'x', 1000],
    );
    inPage(
      'ES module, with progress',
      'module.html',
      `const progress = [];
       await api.load({ onProgress: ({ loaded, total }) => progress.push(loaded / total) });
       await api.ready;
       return [await roundTrip(api.connectSocket, echo), progress.at(-1), progress.every((p, i) => i === 0 || p >= progress[i - 1]), Object.keys(api).sort()];`,
      ['round trip', 1, true, moduleExports.toSorted()],
    );
    inPage(
      'ES module without load',
      'module.html',
      'return roundTrip(api.connectSocket, echo);',
      'round trip',
    );
    inPage('install', 'module.html', 'return roundTrip(api.install({}).connectSocket, echo);', 'round trip');
    inPage(
      'strict policy',
      'strict.html',
      'return [await roundTrip(connectSocket, echo), await roundTrip(api.connectSocket, echo)];',
      ['round trip', 'round trip'],
    );
    for (const [title, path, api] of [
      ['classic script', 'trusted.html', 'connectSocket'],
      ['ES module', 'trusted-module.html', 'api.connectSocket'],
    ]) {
      // An engine without Trusted Types does not know the policy's last words; all refuse eval.
      inPage(
        `a policy of Trusted Types, in force where there are any: ${title}`,
        path,
        `return [await roundTrip(${api}, echo), refused.eval, refused.markup === trusting, refused.script === trusting, trusting || ${JSON.stringify(name)} !== 'chromium'];`,
        ['round trip', true, true, true, true],
      );
    }
    inPage(
      'scripts with their integrity',
      'sealed.html',
      'return roundTrip(connectSocket, echo);',
      'round trip',
    );
    inPage(
      'scripts that are not what their integrity says do not run',
      'tampered.html',
      'while (failed.length < 2) await new Promise((resolve) => setTimeout(resolve, 10)); return [failed.sort(), typeof connectSocket];',
      [['connectsocket.js', 'connectsocket.mjs'], 'undefined'],
    );
    inPage(
      'a module with its integrity',
      'sealed-wasm.html',
      'return roundTrip(connectSocket, echo);',
      'round trip',
    );
    inPage(
      'a module with its integrity, by load',
      'module.html',
      `await api.load({ wasm: fetch('connectsocket.wasm', { integrity: '${integrity('connectsocket.wasm')}' }) });
       return roundTrip(api.connectSocket, echo);`,
      'round trip',
    );
    inPage(
      'progress that throws is reported, and loading goes on',
      'module.html',
      `const errors = [];
       addEventListener('error', (event) => { event.preventDefault(); errors.push(event.error?.message); });
       let calls = 0;
       await api.load({ onProgress() { throw new RangeError('progress ' + ++calls); } });
       return [await roundTrip(api.connectSocket, echo), calls > 0, errors.length === calls, errors[0]];`,
      ['round trip', true, true, 'progress 1'],
    );
    inPage(
      'options as attributes, wrong MIME type',
      'options.html',
      `const old = await connectSocket({ url: echo });
       const closed = new Promise((resolve) => old.onClose(resolve));
       await new Promise((resolve) => old.onOpen(resolve));
       const answer = await roundTrip(connectSocket, echo);
       return [answer, (await closed).code];`,
      ['round trip', 1000],
    );
    inPage(
      'the MIME type with a parameter, which no engine takes while it streams',
      'parameter.html',
      'return roundTrip(connectSocket, echo);',
      'round trip',
    );
    inPage(
      'beside an element of the same name',
      'button.html',
      'return roundTrip(connectSocket, echo);',
      'round trip',
    );
    inPage(
      'a second copy, and the other entry point, are the same module',
      'twice.html',
      'await roundTrip(connectSocket, echo); return [connectSocket === first, api.connectSocket === first, api.stats().tasks];',
      [true, true, 0],
    );
    inPage(
      'beside another Go program: nothing taken, nothing left',
      'others.html',
      `await roundTrip(connectSocket, echo);
       return [[Go, fs, process, path].join(), Object.keys(globalThis).filter((key) => !before.includes(key) && key !== 'before').join()];`,
      ['theirs,theirs,theirs,theirs', 'connectSocket'],
    );
    inPage(
      'started by a stock page',
      'stock.html',
      'while (!globalThis.connectSocket) await new Promise((resolve) => setTimeout(resolve, 10)); return roundTrip(connectSocket, echo);',
      'round trip',
    );
    inPage('in a frame', 'frame.html', 'return roundTrip(frames[0].connectSocket, echo);', 'round trip');
    const worker = `(worker) => new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message));
      const port = worker.port ?? worker;
      port.onmessage = ({ data }) => resolve(data);
      port.postMessage(echo);
    })`;
    inPage('worker', 'classic.html', `return (${worker})(new Worker('worker.js'));`, 'round trip');
    inPage(
      'module worker',
      'classic.html',
      `return (${worker})(new Worker('worker.mjs', { type: 'module' }));`,
      'round trip',
    );
    inPage(
      'worker under a strict policy',
      'strict.html',
      `return (${worker})(new Worker('worker.js'));`,
      'round trip',
    );
    inPage(
      'shared worker',
      'classic.html',
      `return (${worker})(new SharedWorker('shared.js'));`,
      'round trip',
    );

    inPage(
      'classic worker with settings',
      'classic.html',
      `return (${worker})(new Worker('limited.js'));`,
      'connectSocket:fail exceed max concurrent count 1',
    );
    /** @param {string} head @param {string} [type] */
    const blobWorker = (head, type = 'classic') => `
      const site = new URL('.', location.href).href;
      const script = new Blob([${head}, ${JSON.stringify(answer)}], { type: 'text/javascript' });
      return (${worker})(new Worker(URL.createObjectURL(script), { type: '${type}' }));`;
    inPage(
      'classic worker from a blob, with the URL of the module',
      'classic.html',
      blobWorker(
        `'globalThis.connectsocketOptions = { wasm: "' + site + 'connectsocket.wasm" }; importScripts("' + site + 'connectsocket.js");'`,
      ),
      'round trip',
    );
    inPage(
      'classic worker from a blob, without',
      'classic.html',
      blobWorker(`'importScripts("' + site + 'connectsocket.js");'`),
      `connectSocket:fail this script does not know its own URL; copy the .wasm files from node_modules/connectsocket/dist to where pages can fetch them, and add to the app: import { load } from 'connectsocket'; load({ wasm: '/connectsocket.wasm' });`,
    );
    inPage(
      'module worker from a blob',
      'classic.html',
      blobWorker(`'import { connectSocket } from "' + site + 'connectsocket.mjs";'`, 'module'),
      'round trip',
    );
    inPage(
      'in a frame of srcdoc',
      'srcdoc.html',
      'return roundTrip(frames[0].connectSocket, echo);',
      'round trip',
    );
    inPage('inlined script', 'inline.html', 'return roundTrip(connectSocket, echo);', 'round trip');
    inPage(
      'beside a connectSocket of the page',
      'taken.html',
      'return [connectSocket, warnings, await roundTrip(api.connectSocket, echo)];',
      ['theirs', ['connectSocket: the page has its own, and keeps it'], 'round trip'],
    );
    inPage(
      'with a Promise that is replaced later',
      'promise.html',
      `const events = [];
       const task = connectSocket.connectTask({ url: echo, success: () => events.push('success') });
       task.onOpen(() => { events.push('open'); task.send({ data: 'x' }); });
       return new Native((resolve) => task.onMessage(({ data }) => resolve([...events, data])));`,
      ['success', 'open', 'x'],
    );

    // What a page is told where the module cannot be had; and that it goes on.
    for (const [title, path, want] of /** @type {const} */ ([
      ['a module that is not there', 'absent.html', /^connectSocket:fail .*absent\.wasm answered 404/],
      [
        'a truncated module',
        'truncated.html',
        /^connectSocket:fail .*truncated\.wasm is truncated: \d+ of \d+ bytes$/,
      ],
      // As a server answers that gives its page for whatever it does not know.
      [
        'a page instead of a module',
        'astray.html',
        /^connectSocket:fail .*astray\.wasm is not WebAssembly but text\/html$/,
      ],
      [
        'a limit that is no number',
        'limits.html',
        /^connectSocket:fail maxSockets should be a whole number from 1 to 2147483647 instead of NaN$/,
      ],
      [
        'a module that is not what its integrity says',
        'tampered-wasm.html',
        /^connectSocket:fail the module could not be fetched: ./,
      ],
      ['a domain that is no origin', 'domains.html', /^connectSocket:fail /],
      ['what is another module', 'foreign.html', /^connectSocket:fail .*is not a connectsocket module/],
      [
        'a module of another version',
        'stale.html',
        /^connectSocket:fail the module is of version .*, the script of 0\.0\.0$/,
      ],
      ['no WebAssembly', 'none.html', /^connectSocket:fail this page has no WebAssembly$/],
      [
        'a policy that forbids it',
        'blocked.html',
        /^connectSocket:fail this page's Content-Security-Policy forbids WebAssembly/,
      ],
    ])) {
      test(title, { timeout: 30_000 }, () =>
        withPage(path, async (page) => {
          const [first, events, later, ready] = await page.evaluate(async (echo) => {
            const failure = (/** @type {Promise<unknown>} */ promise) =>
              promise.then(String, (e) => e.errMsg ?? e.message);
            const task = connectSocket({ url: echo, fail() {} });
            /** @type {unknown[]} */
            const events = [];
            task.onError(({ errMsg }) => events.push(errMsg));
            const closed = new Promise((resolve) => task.onClose(({ code }) => resolve(events.push(code))));
            const first = await failure(task);
            await closed;
            return [
              first,
              events,
              await failure(connectSocket({ url: echo })),
              await failure(connectSocket.ready),
            ];
          }, echo);
          assert.match(String(first), want);
          assert.deepEqual(events, [first, 1006]);
          assert.equal(later, first);
          assert.equal(`connectSocket:fail ${ready}`, first);
        }),
      );
    }
  });
}
