/** What `make audit` makes of a registry's answers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** @import { AddressInfo } from 'node:net' */

const script = fileURLToPath(new URL('../scripts/audit.mjs', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'connectsocket-audit-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/**
 * @param {string} name
 * @param {string} severity
 */
const advisory = (name, severity) =>
  JSON.stringify({
    [name]: [
      { id: 1, url: 'https://advisories.example/1', title: 'It bites', severity, vulnerable_versions: '*' },
    ],
  });

for (const [
  title,
  { tree = '.', status = 200, body = '{}', gone = false },
  code,
  want,
] of /** @type {const} */ ([
  ['none is known', { tree: '' }, 0, /^examples\/taro: audited, \d+ packages$/m],
  [
    'one of a tool',
    { body: advisory('esbuild', 'high') },
    1,
    /^\.: vulnerable\s+esbuild: high: It bites http/m,
  ],
  [
    'one of the benchmarks',
    { tree: 'bench', body: advisory('binaryen', 'high') },
    1,
    /^bench: vulnerable\s+binaryen: high/m,
  ],
  [
    'one of the Taro app',
    { tree: 'examples/taro', body: advisory('react-dom', 'critical') },
    1,
    /^examples\/taro: vulnerable\s+react-dom/m,
  ],
  [
    'one of the uni-app app',
    { tree: 'examples/uni', body: advisory('vue', 'critical') },
    1,
    /^examples\/uni: vulnerable\s+vue/m,
  ],
  ['one too small to matter', { body: advisory('esbuild', 'low') }, 0, /^\.: audited/m],
  ['a mirror without advisories: 405', { status: 405 }, 0, /^\.: not audited: .*405/m],
  ['a mirror without advisories: 404', { status: 404 }, 0, /^\.: not audited: .*404/m],
  ['a registry that is out of order', { status: 500 }, 1, /^\.: npm audit failed: /m],
  ['an answer that is none', { body: '<html>' }, 1, /^\.: npm audit failed: /m],
  ['no registry', { gone: true }, 1, /^\.: npm audit failed: .*ECONNREFUSED/m],
])) {
  test(title, { timeout: 60_000 }, async () => {
    const server = createServer((request, response) => {
      request.resume();
      if (request.method === 'POST')
        response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
      else response.writeHead(404).end(); // of packages, to see which versions of what is theirs are sound
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = /** @type {AddressInfo} */ (server.address());
    if (gone) await new Promise((resolve) => server.close(resolve));
    const env = {
      ...process.env,
      npm_config_registry: `http://127.0.0.1:${port}/`,
      npm_config_cache: join(scratch, String(port)),
      npm_config_fetch_retries: '0',
    };
    const result = await new Promise((resolve) => {
      execFile(process.execPath, [script, ...(tree && [tree])], { env }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
    server.close();
    server.closeAllConnections();
    assert.equal(result.code, code, result.stderr);
    assert.match(code === 0 && !/not audited/.test(want.source) ? result.stdout : result.stderr, want);
  });
}
