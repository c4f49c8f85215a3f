/**
 * Audits the lock files by `npm audit`: `node scripts/audit.mjs`, of all or of the directories named. It fails where the
 * registry knows an advisory and where it cannot be asked. Where it answers, but has no advisories (a mirror), it says so and passes.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * What is audited, and how strictly. The package itself depends on nothing: these are the tools of its tests.
 * @type {Record<string, string[]>}
 */
const trees = {
  '.': ['--audit-level=high'],
  bench: ['--audit-level=high'],
  'scripts/api': ['--audit-level=high'],
  // What an app's build tools bring is its framework's to mend, and builds only what is in this repository.
  'examples/taro': ['--audit-level=critical', '--omit=dev'],
  'examples/mpx': ['--audit-level=critical', '--omit=dev'],
  'examples/taro3': ['--audit-level=critical', '--omit=dev'],
  'examples/uni': ['--audit-level=critical', '--omit=dev'],
};

/** What a registry answers that has no advisories. */
const NONE_THERE = [403, 404, 405, 501];

/**
 * @param {string} directory
 * @param {string[]} option
 * @returns {Promise<boolean>} whether it passes
 */
async function audit(directory, option) {
  const child = spawn('npm', ['audit', '--json', '--offline=false', ...option], {
    cwd: join(root, directory),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise((resolve) => child.once('close', resolve));
  const [output, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  const report = parse(output);
  if (report?.metadata && code === 0) {
    console.log(`${directory}: audited, ${report.metadata.dependencies.total} packages`);
    return true;
  }
  if (report?.metadata) {
    console.error(`${directory}: vulnerable`, ...advisories(report).map((line) => `\n  ${line}`));
    return false;
  }
  if (NONE_THERE.includes(report?.statusCode)) {
    console.error(`${directory}: not audited: the registry gives no advisories (${report.message})`);
    return true;
  }
  console.error(`${directory}: npm audit failed: ${report?.message ?? `${output}${complaint}`.trim()}`);
  return false;
}

/** @param {string} output */
function parse(output) {
  try {
    return JSON.parse(output);
  } catch {
    return undefined;
  }
}

/**
 * Each advisory once, in a line.
 * @param {any} report
 */
function advisories({ vulnerabilities }) {
  /** @type {any[]} */
  const all = Object.values(vulnerabilities).flatMap(({ via }) => via);
  return [
    ...new Set(
      all
        .filter((via) => typeof via === 'object')
        .map(({ name, severity, title, url }) => `${name}: ${severity}: ${title} ${url}`),
    ),
  ];
}

const [, , ...named] = process.argv;
const directories = named.length > 0 ? named : Object.keys(trees);
const passed = await Promise.all(directories.map((directory) => audit(directory, trees[directory])));
process.exitCode = passed.every(Boolean) ? 0 : 1;
