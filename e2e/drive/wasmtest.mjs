// Runs a js/wasm program of Go in a browser, for `go test -exec`:
//
//     GOOS=js GOARCH=wasm go test -exec="node $PWD/e2e/drive/wasmtest.mjs firefox" ./...
//
// The program gets its arguments, and of the environment what begins with GO or CONNECTSOCKET_, and TZ. What it writes
// is passed on as it comes, and this process ends with its exit code. It has no files.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { engineNames, openEngine } from './engine.mjs';

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { AddressInfo } from 'node:net' */

const [engineName, program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error(`usage: node wasmtest.mjs ${engineNames.join('|')} program.wasm [argument …]`);
  process.exit(2);
}
process.exitCode = await runProgram();

/** @returns {Promise<number>} the exit code of the program, or 1 when it could not be run to its end. */
async function runProgram() {
  const wasmExec = join(
    execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim(),
    'lib/wasm/wasm_exec.js',
  );
  const server = createServer((request, response) => {
    serve(request, response, wasmExec).catch((err) => response.destroy(err));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {AddressInfo} */ (server.address());
  const env = Object.entries(process.env).filter(([name]) => /^(GO|CONNECTSOCKET_|TZ$)/.test(name));
  let engine;
  try {
    engine = await openEngine(engineName);
    const page = await engine.newPage(`http://127.0.0.1:${port}/`);
    const code = await page.evaluate(runGo, [basename(program), ...args], Object.fromEntries(env));
    if (code !== 0) {
      for (const { type, text } of await page.console()) console.error(`page: ${type}: ${text}`);
    }
    return code;
  } catch (err) {
    console.error(`${program} in ${engineName}:`, err);
    return 1;
  } finally {
    await engine?.close();
    server.close().closeAllConnections();
  }
}

/**
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 * @param {string} wasmExec path of the toolchain's wasm_exec.js.
 */
async function serve(request, response, wasmExec) {
  /** @param {string} type @param {string} path */
  const file = async (type, path) => {
    response.setHeader('Content-Type', type);
    await pipeline(createReadStream(path), response);
  };
  switch (request.url) {
    case '/':
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end('<!doctype html><link rel="icon" href="data:,"><script src="wasm_exec.js"></script>');
      break;
    case '/wasm_exec.js':
      await file('text/javascript', wasmExec);
      break;
    case '/program.wasm':
      await file('application/wasm', program);
      break;
    case '/output/1':
      for await (const bytes of request) process.stdout.write(bytes);
      response.end();
      break;
    case '/output/2':
      for await (const bytes of request) process.stderr.write(bytes);
      response.end();
      break;
    default:
      response.writeHead(404).end();
  }
}

/**
 * Runs the program, in the page, as any page runs one of Go, save that what it writes goes to the server.
 *
 * @param {string[]} argv
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} its exit code.
 */
async function runGo(argv, env) {
  const { Go, fs } = /** @type {any} */ (globalThis);
  const { fetch } = globalThis;

  /** @type {{fd: number, bytes: Uint8Array<ArrayBuffer>}[]} */
  const written = [];
  /** @type {Promise<void> | undefined} */
  let sending;
  const send = async () => {
    while (written.length > 0) {
      const { fd } = written[0];
      const other = written.findIndex((write) => write.fd !== fd);
      const writes = written.splice(0, other < 0 ? written.length : other);
      await fetch(`output/${fd}`, { method: 'POST', body: new Blob(writes.map(({ bytes }) => bytes)) });
    }
    sending = undefined;
  };
  fs.writeSync = (/** @type {number} */ fd, /** @type {Uint8Array<ArrayBuffer>} */ bytes) => {
    written.push({ fd, bytes: bytes.slice() });
    sending ??= send();
    return bytes.length;
  };

  // An exception out of the program is the end of it, and go.run does not tell.
  const trap = new Promise((_, reject) => {
    addEventListener('error', ({ error }) => {
      if (error instanceof WebAssembly.RuntimeError || /call stack|recursion/.test(error?.message))
        reject(error);
    });
  });
  let code = 0;
  const go = new Go();
  Object.assign(go, { argv, env, exit: (/** @type {number} */ c) => (code = c) });
  try {
    const { instance } = await WebAssembly.instantiateStreaming(fetch('program.wasm'), go.importObject);
    await Promise.race([go.run(instance), trap]);
    return code;
  } finally {
    await sending;
  }
}
