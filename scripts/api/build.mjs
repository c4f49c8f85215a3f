/**
 * Writes docs/api.md from the type declarations, by TypeDoc: `node scripts/api/build.mjs`. With --check it writes nothing, and
 * fails where docs/api.md is another.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application } from 'typedoc';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = join(root, 'docs/api.md');

/** The declarations of the package, by the import that they are for. */
const modules = {
  connectsocket: 'connectsocket.d.ts',
  'connectsocket/wx': 'wx.d.ts',
  'connectsocket/websocket': 'websocket.d.ts',
};

/** @param {string} file */
async function describe(file) {
  const out = mkdtempSync(join(tmpdir(), 'connectsocket-api-'));
  const app = await Application.bootstrapWithPlugins(
    /** @type {any} */ ({
      entryPoints: [file],
      tsconfig: join(root, 'scripts/api/tsconfig.json'),
      plugin: ['typedoc-plugin-markdown'],
      outputFileStrategy: 'modules',
      entryFileName: 'api.md',
      hideBreadcrumbs: true,
      hidePageHeader: true,
      hidePageTitle: true,
      hideGroupHeadings: true,
      readme: 'none',
      disableSources: true,
      parametersFormat: 'table',
      interfacePropertiesFormat: 'table',
      propertyMembersFormat: 'table',
      sort: ['source-order'],
      logLevel: 'Error',
    }),
  );
  const project = await app.convert();
  if (!project) throw new Error(`TypeDoc cannot read ${file}`);
  await app.outputs.writeOutput({ name: 'markdown', path: out }, project);
  const text = readFileSync(join(out, 'api.md'), 'utf8');
  rmSync(out, { recursive: true });
  return text.trim();
}

const parts = [];
for (const [name, file] of Object.entries(modules)) {
  const path = join(root, 'web', file);
  if (existsSync(path)) parts.push(`## ${name}\n\n${(await describe(path)).replace(/^#+/gm, '#$&')}`);
}
const text = `# Types\n\nWritten by \`make api\` from the type declarations. The [reference](reference.md) is the overview.\n\n${parts.join('\n\n')}\n`;

if (!process.argv.includes('--check')) writeFileSync(page, text);
else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
  console.error('docs/api.md is not what the type declarations say: run `make api`');
  process.exit(1);
}
