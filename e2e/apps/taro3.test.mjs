/** Taro 3.6, whose app has the same source as that of Taro 4; and what is older. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import plugin from 'connectsocket/taro';
import { testTaro } from './taro.mjs';

const examples = fileURLToPath(new URL('../../examples', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'connectsocket-taro-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

before(() => {
  for (const part of ['src', 'types']) {
    rmSync(join(examples, 'taro3', part), { recursive: true, force: true });
    cpSync(join(examples, 'taro', part), join(examples, 'taro3', part), { recursive: true });
  }
});

testTaro('taro3', { webpack5: [{}, { NO_PREBUNDLE: '1' }] });

/**
 * What the plugin changes of a build's options.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} appPath
 */
function changes(env, appPath) {
  const opts = {};
  const { TARO_ENV, TARO_PLATFORM } = process.env;
  Object.assign(process.env, env);
  try {
    plugin(
      { paths: { appPath }, modifyRunnerOpts: (/** @type {Function} */ change) => change({ opts }) },
      {},
    );
  } finally {
    restore({ TARO_ENV, TARO_PLATFORM });
  }
  return Object.keys(opts);
}

/** @param {NodeJS.ProcessEnv} env */
function restore(env) {
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

test('a build for the web, and one for mini programs', () => {
  const app = join(examples, 'taro3');
  assert.deepEqual(changes({ TARO_ENV: 'h5', TARO_PLATFORM: 'web' }, app), ['alias', 'defineConstants']);
  assert.deepEqual(changes({ TARO_ENV: 'weapp', TARO_PLATFORM: 'mini' }, app), []);
  // The first versions of 3.6 do not set TARO_PLATFORM.
  assert.deepEqual(changes({ TARO_ENV: 'h5' }, app), ['alias', 'defineConstants']);
  assert.deepEqual(changes({ TARO_ENV: 'weapp' }, app), []);
});

test('Taro before 3.6 gets a clear message, where it builds for the web', () => {
  const taro = join(scratch, 'node_modules/@tarojs/taro');
  mkdirSync(taro, { recursive: true });
  writeFileSync(join(taro, 'package.json'), JSON.stringify({ name: '@tarojs/taro', version: '3.5.12' }));
  assert.throws(() => changes({ TARO_ENV: 'h5' }, scratch), {
    message: 'connectsocket/taro needs Taro 3.6 or later, and this app has 3.5.12',
  });
  assert.deepEqual(changes({ TARO_ENV: 'weapp' }, scratch), []);
});
