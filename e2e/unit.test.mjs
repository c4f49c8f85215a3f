/** The package in Node and in the unit tests of apps, by Vitest and Jest, without a line of set-up. */
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { makeProject, run, tools } from './drive/project.mjs';
import { closeAfterTests, startServe } from './drive/server.mjs';

const patience = { timeout: 120_000 }; // what has not come by then never will

/** What the fixture sends, and what comes back. */
const ECHOED = '^1,2,3$';
/** What a call says in Node before 22, unless the test's page has a WebSocket. */
const NO_WEBSOCKET =
  '^connectSocket:fail there is no WebSocket here; Node.js before 22 needs that of the package ws';
const inNode = 'WebSocket' in globalThis ? ECHOED : NO_WEBSOCKET;

const use = closeAfterTests();
let project = '';
let echo = '';
before(async () => {
  ({ echo } = await use(startServe));
  project = await makeProject('unit');
  for (const name of ['vitest', 'jsdom', 'happy-dom', 'jest-environment-jsdom']) {
    symlinkSync(dirname(tools.resolve(`${name}/package.json`)), join(project, 'node_modules', name));
  }
}, patience);

/**
 * Runs a script in the project.
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
const node = (args, env) =>
  run(process.execPath, args, {
    cwd: project,
    env: { ...process.env, NODE_TEST_CONTEXT: '', ECHO: echo, ...env },
  });

describe('Node', () => {
  for (const script of ['node.mjs', 'node.cjs']) {
    test(`${script}, as it is`, patience, async () => {
      assert.match((await node([script])).trim(), new RegExp(inNode));
    });

    test(`${script}, with a WebSocket`, patience, async () => {
      assert.match((await node([script], { WS: tools.resolve('ws') })).trim(), new RegExp(ECHOED));
    });
  }
});

describe('Vitest', () => {
  const vitest = join(dirname(tools.resolve('vitest/package.json')), 'vitest.mjs');
  for (const [environment, expected] of [
    ['jsdom', ECHOED],
    ['happy-dom', ECHOED],
    ['node', inNode],
  ]) {
    for (const options of [['app.test.js'], ['app.test.js', '--config=inline.config.js'], ['url.test.js']]) {
      test(`${environment}, ${options.join(' ')}`, patience, async () => {
        const output = await node([vitest, 'run', `--environment=${environment}`, ...options], {
          EXPECTED: expected,
          NO_COLOR: '1',
        });
        assert.match(output, /Tests +1 passed/);
      });
    }
  }
});

describe('Jest', () => {
  const jest = join(dirname(tools.resolve('jest/package.json')), 'bin/jest.js');
  for (const [environment, expected] of [
    ['jsdom', ECHOED],
    ['node', inNode],
  ]) {
    test(environment, patience, async () => {
      const options = [`--env=${environment}`, '--testMatch=**/app.jest.js', '--detectOpenHandles'];
      const output = await node([jest, ...options], { EXPECTED: expected });
      assert.match(output, /Tests: +1 passed, 1 total/);
    });
  }
});
