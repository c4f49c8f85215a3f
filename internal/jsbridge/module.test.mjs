import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createModule } from './module.js';
import { ENTRANCES, SETTINGS } from './wire.js';

/** @type {string[]} */
let log;
/** What a death leads to. */
let again = true;
beforeEach(() => {
  log = [];
  again = true;
});
afterEach(() => {
  log = [];
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A module whose host and Go half log. */
function create({ version = '', onDeath = () => {} } = {}) {
  const module = createModule({
    version,
    host: {
      begin: () => log.push('begin'),
      restarts: () => again,
      onOpen() {},
    },
    configuration: () => ({ maxSockets: 5 }),
    onStart: () => log.push('started'),
    onDeath(reason) {
      log.push(`died: ${reason}`);
      onDeath();
    },
  });
  /** The Go half starts. */
  const start = (
    itsVersion = version,
    configure = (/** @type {any} */ settings) => {
      log.push(`configured ${JSON.stringify(settings)}`);
    },
  ) =>
    module.start(
      itsVersion,
      (number, ...args) => `entrance ${number} ${args}`,
      configure,
      () => 1,
      () => '',
      () => true,
    );
  const ask = (/** @type {string} */ name) =>
    module.whenSettled(() => log.push(name + (module.failure() && ` ${module.failure()}`)));
  return { module, start, ask };
}

test('it is begun once, and calls wait for it in their order', async () => {
  const { module, start, ask } = create();
  module.wake();
  module.wake();
  ask('one');
  ask('two');
  assert.deepEqual(log.splice(0), ['begin']);
  start();
  ask('three');
  assert.deepEqual(log, []); // Go is still on the stack
  await turn();
  assert.deepEqual(log.splice(0), [
    'configured {"maxSockets":5,"lastId":0}',
    'started',
    'one',
    'two',
    'three',
  ]);
  ask('four');
  assert.deepEqual(log.splice(0), ['four']);
  module.wake();
  module.wake(true);
  assert.deepEqual(log, []);
  await module.ready;
});

test('without exports, functions are entered by their number', async () => {
  const { module, start } = create();
  start();
  await turn();
  assert.deepEqual(Object.keys(module.go), ['connect', 'renew', 'close', ...ENTRANCES.split(' ')]);
  assert.equal(module.go.event(1, 2, 3, 4, 5), 'entrance 0 1,2,3,4,5');
  assert.equal(module.go.delay(7, 8), 'entrance 9 7,8');
});

test('the configuration has the fields that the wire names', async () => {
  const { createBridge } = await import('./bridge.js');
  const bridge = createBridge();
  /** @type {any} */
  let settings;
  const before = 'connectSocket' in globalThis;
  bridge.start(
    '',
    () => 0,
    (given) => {
      settings = given;
    },
    () => 1,
    () => '',
    () => true,
  );
  if (!before) Reflect.deleteProperty(globalThis, 'connectSocket');
  await turn();
  assert.deepEqual(Object.keys(settings).sort(), SETTINGS.split(' ').sort());
});

test('a try that fails refuses the calls that wait, and the next wake tries again', async () => {
  const { module, start, ask } = create();
  module.wake();
  ask('one');
  module.fail('offline');
  assert.deepEqual(log.splice(0), ['begin', 'one offline']);
  ask('two');
  assert.deepEqual(log.splice(0), ['two offline']);
  module.wake();
  assert.equal(module.failure(), '');
  ask('three');
  assert.deepEqual(log.splice(0), ['begin']);
  start();
  await turn();
  assert.deepEqual(log.slice(-1), ['three']);
  await assert.rejects(module.ready, { message: 'offline' });
});

test('a failure for good is tried again only by force', () => {
  const { module, ask } = create();
  module.wake();
  module.fail('no WebAssembly', true);
  module.wake();
  ask('one');
  assert.deepEqual(log.splice(0), ['begin', 'one no WebAssembly']);
  module.wake(true);
  assert.deepEqual(log, ['begin']);
  assert.equal(module.failure(), '');
});

test('a module of another version is refused', async () => {
  for (const [version, text] of [
    ['1.0', '1.0'],
    ['', 'unknown'],
  ]) {
    const { module, start, ask } = create({ version: '2.0' });
    module.wake();
    ask('one');
    start(version);
    await turn();
    assert.deepEqual(log.splice(0), ['begin', `one the module is of version ${text}, the script of 2.0`]);
  }
});

test('what throws within a call into it is its death', async () => {
  const { module, start, ask } = create();
  start();
  await turn();
  log = [];
  assert.equal(
    module.callGo(() => 7),
    7,
  );
  const trap = () => {
    throw new WebAssembly.RuntimeError('unreachable');
  };
  assert.equal(module.callGo(trap), 0);
  assert.equal(module.callGo(trap), 0); // once
  assert.deepEqual(log.splice(0), ['died: the module has died: RuntimeError: unreachable']);
  assert.deepEqual([module.go, module.failure()], [undefined, '']);
  ask('one');
  module.wake();
  assert.deepEqual(log.splice(0), ['begin']);
  start();
  await turn();
  assert.deepEqual(log.slice(-2), ['started', 'one']);
});

test('a death after which the host starts none refuses all calls', async () => {
  const { module, start, ask } = create();
  start();
  await turn();
  again = false;
  log = [];
  module.die(new Error('out of memory'));
  ask('one');
  module.wake();
  assert.deepEqual(log, [
    'died: the module has died: Error: out of memory',
    'one the module has died: Error: out of memory',
  ]);
});

test('a death while it loads begins another, for the calls that wait', async () => {
  const { module, start, ask } = create();
  module.wake();
  ask('one');
  module.die(new Error('exit'));
  assert.deepEqual(log.splice(0), ['begin', 'begin']);
  start();
  await turn();
  assert.deepEqual(log.slice(-2), ['started', 'one']);
});

test('a death while it is configured begins another', async () => {
  const { module, start, ask } = create();
  module.wake();
  ask('one');
  start('', () => {
    throw new WebAssembly.RuntimeError('unreachable');
  });
  await turn();
  assert.deepEqual(log.splice(0), ['begin', 'begin']);
  start();
  await turn();
  assert.deepEqual(log.slice(-1), ['one']);
});

test('a call made within a death waits for the next module', async () => {
  const asked = () => {
    module.wake();
    ask('within');
  };
  const { module, start, ask } = create({ onDeath: asked });
  start();
  await turn();
  log = [];
  module.die(new Error('exit'));
  assert.deepEqual(log.splice(0), ['died: the module has died: Error: exit', 'begin']);
  start();
  await turn();
  assert.deepEqual(log.slice(-1), ['within']);
});

test('a call made while calls are settled is settled', async () => {
  const { module, start, ask } = create();
  module.wake();
  module.whenSettled(() => ask('nested'));
  start();
  await turn();
  assert.deepEqual(log.slice(-1), ['nested']);
});

test('a death within the calls that waited leaves the others to the next module', async () => {
  const { module, start, ask } = create();
  module.wake();
  module.whenSettled(() => {
    module.die(new Error('exit'));
    log.push('died within');
  });
  // As a call of connectSocket does: it looks whether there is a module to ask.
  module.whenSettled(() => {
    if (module.go) log.push('asked');
    module.wake();
    ask('later');
  });
  start();
  await turn();
  assert.ok(!log.includes('asked'));
  start();
  await turn();
  assert.equal(log.at(-1), 'later');
});

test('a module that follows is told the last id', async () => {
  const { module, start } = create();
  start();
  await turn();
  module.lastId = 41;
  module.die(new Error('exit'));
  module.wake();
  start();
  await turn();
  assert.ok(log.includes('configured {"maxSockets":5,"lastId":41}'));
});
