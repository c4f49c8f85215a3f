/** Anyone who builds the same source gets the same files, wherever and whenever it is done. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { atExit } from './drive/processes.mjs';
import { dist } from './drive/server.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'connectsocket-reproducible-'));
const clean = atExit(() => rmSync(scratch, { recursive: true, force: true }));
after(clean);
const run = promisify(execFile);

/**
 * Builds a copy of the source in a directory of its own.
 * @param {string} name of the directory
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Record<string, string>>} the SHA-256 of each published file, except the provenance's commit
 */
async function build(name, env) {
  const directory = join(scratch, name);
  mkdirSync(directory, { recursive: true });
  const { stdout } = await run(
    'git',
    ['ls-files', 'Makefile', 'tsconfig.json', 'go.*', 'cmd', 'internal', 'web', 'bench'],
    {
      cwd: root,
    },
  );
  for (const file of stdout.trim().split('\n')) cpSync(join(root, file), join(directory, file));
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  // A commit of its own: Go would put its hash and time into the module.
  const git = ['-c', 'user.name=a', '-c', 'user.email=a@example'];
  await run('git', ['init', '--quiet'], { cwd: directory });
  await run('git', ['add', 'go.mod'], { cwd: directory });
  await run('git', [...git, 'commit', '--quiet', '--message', name], { cwd: directory });
  await run('make', ['--assume-old=node_modules', 'build'], {
    cwd: directory,
    env: { ...process.env, GOFLAGS: '', GOENV: 'off', ...env },
  });
  return hashes(join(directory, 'web/dist'));
}

/** @param {string} directory */
function hashes(directory) {
  const published = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.path.endsWith('playground'))
    .map(({ path, name }) => relative(directory, join(path, name)));
  return Object.fromEntries(
    published.sort().map((file) => {
      const text = readFileSync(join(directory, file));
      const content = file === 'provenance.json' ? text.toString().replace(/"commit": .*/, '') : text;
      return [file, createHash('sha256').update(content).digest('hex')];
    }),
  );
}

test('two clean builds, elsewhere, give the files of web/dist', { timeout: 900_000 }, async () => {
  const one = await build('one', { TZ: 'Asia/Kathmandu' });
  const other = await build('the/other', { GOCACHE: join(scratch, 'cache'), LC_ALL: 'C', TZ: 'UTC' });
  assert.deepEqual(one, other);
  assert.deepEqual(one, hashes(dist));
  const { sha256 } = JSON.parse(readFileSync(join(dist, 'provenance.json'), 'utf8'));
  for (const [name, hash] of Object.entries(sha256)) assert.equal(one[name], hash, name);
});
