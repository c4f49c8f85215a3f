/** The types of the installed package, for each version of TypeScript and each way in which it resolves modules. */
import { cpSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { makeProject, run, tools } from './drive/project.mjs';

const patience = { timeout: 120_000 }; // what has not come by then never will

/** What `module` is with each `moduleResolution`: the one that was "node" until TypeScript 7 took it away. */
const resolutions = { node: 'esnext', node16: 'node16', bundler: 'esnext' };

/** @type {Array<[name: string, compiler: string, resolutions: Array<keyof typeof resolutions>]>} */
const compilers = [
  ['TypeScript 4.7', tools.resolve('typescript4/package.json'), ['node', 'node16']],
  ['TypeScript 5', tools.resolve('typescript5/package.json'), ['node', 'node16', 'bundler']],
  ['TypeScript 6', tools.resolve('typescript6/package.json'), ['node16', 'bundler']],
  ['TypeScript 7', createRequire(import.meta.url).resolve('typescript/package.json'), ['node16', 'bundler']],
];

let project = '';
before(async () => {
  project = await makeProject('types');
  cpSync(join(project, 'app.ts'), join(project, 'app.mts'));
}, patience);

for (const [name, compiler, names] of compilers) {
  for (const moduleResolution of names) {
    test(`${name}, ${moduleResolution}`, patience, async () => {
      const config = join(project, `${name}-${moduleResolution}.json`.replaceAll(' ', '-'));
      const compilerOptions = {
        module: resolutions[moduleResolution],
        moduleResolution,
        target: 'es2020',
        lib: ['es2020', 'dom'],
        types: [],
        strict: true,
        noEmit: true,
        skipLibCheck: false,
      };
      // By Node's rules the one is CommonJS here, and the other a module.
      const files = moduleResolution.startsWith('node') ? ['app.ts', 'app.mts'] : ['app.ts'];
      writeFileSync(config, JSON.stringify({ compilerOptions, files }));
      await run(process.execPath, [join(dirname(compiler), 'bin/tsc'), '-p', config]);
    });
  }
}
