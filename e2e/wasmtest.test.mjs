import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { engineNames } from './drive/engine.mjs';

const runner = fileURLToPath(import.meta.resolve('./drive/wasmtest.mjs'));
const directory = mkdtempSync(join(tmpdir(), 'connectsocket-wasmtest-'));
const program = join(directory, 'example.test');

before(() => {
  writeFileSync(join(directory, 'go.mod'), 'module example\n\ngo 1.26\n');
  writeFileSync(
    join(directory, 'example_test.go'),
    `package example

import (
	"fmt"
	"os"
	"strings"
	"syscall/js"
	"testing"
	"time"
)

func TestPass(t *testing.T) {
	if js.Global().Get("document").IsUndefined() {
		t.Error("not in a page")
	}
	fmt.Printf("%q %q %q\\n", os.Args[1:], os.Getenv("CONNECTSOCKET_WORD"), os.Getenv("HOME"))
}

func TestUncaught(t *testing.T) {
	js.Global().Call("reportError", js.Global().Get("Error").New("of the page's own"))
	time.Sleep(50 * time.Millisecond)
}

func TestExit(t *testing.T) {
	fmt.Println("to stdout")
	fmt.Fprintln(os.Stderr, "to stderr")
	os.Exit(7)
}

func TestMebibyte(t *testing.T) {
	for i := range 1 << 14 {
		fmt.Printf("%062d!\\n", i)
	}
}

func TestFail(t *testing.T) { t.Error("wrong") }

func TestTimeout(t *testing.T) { time.Sleep(time.Hour) }

func TestTrap(t *testing.T) {
	fmt.Println("before")
	var deeper func(string) int
	deeper = func(s string) int { return deeper(strings.Clone(s)) + 1 }
	deeper("x")
}
`,
  );
  execFileSync('go', ['test', '-c', '-o', program, '.'], {
    cwd: directory,
    env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
  });
});

after(() => rmSync(directory, { recursive: true }));

/**
 * Runs one test of the program.
 *
 * @param {string} engine
 * @param {string} name
 * @param {string[]} args
 */
async function run(engine, name, ...args) {
  const child = spawn(process.execPath, [runner, engine, program, `-test.run=^${name}$`, ...args], {
    env: { ...process.env, CONNECTSOCKET_WORD: 'two words' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise((resolve) => child.once('exit', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
}

for (const engine of engineNames) {
  describe(`Go tests in ${engine}`, { timeout: 180_000 }, () => {
    test('pass, with their arguments and the environment that is meant for them', async () => {
      const { code, stdout } = await run(engine, 'TestPass', '-test.paniconexit0', '-test.timeout=1m');
      assert.equal(
        stdout,
        '["-test.run=^TestPass$" "-test.paniconexit0" "-test.timeout=1m"] "two words" ""\nPASS\n',
      );
      assert.equal(code, 0);
    });

    test('exit with any code', async () => {
      const { code, stdout, stderr } = await run(engine, 'TestExit');
      assert.equal(stdout, 'to stdout\n');
      assert.match(stderr, /^to stderr\n/);
      assert.equal(code, 7);
    });

    test('fail after much output, of which nothing is lost, and after an error of the page', async () => {
      const { code, stdout, stderr } = await run(engine, '(TestUncaught|TestMebibyte|TestFail)');
      const lines = Array.from({ length: 1 << 14 }, (_, i) => `${String(i).padStart(62, '0')}!\n`).join('');
      assert.ok(stdout.startsWith(lines));
      assert.match(stdout.slice(lines.length), /^--- FAIL: TestFail.*wrong\nFAIL\n$/s);
      assert.match(stderr, /^page: exception: .*of the page's own/m);
      assert.equal(code, 1);
    });

    test('time out', async () => {
      const { code, stderr } = await run(engine, 'TestTimeout', '-test.timeout=200ms');
      assert.match(stderr, /^panic: test timed out after 200ms.*goroutine/s);
      assert.equal(code, 2);
    });

    test('fail when the program breaks down', async () => {
      const { code, stdout, stderr } = await run(engine, 'TestTrap');
      assert.equal(stdout, 'before\n');
      assert.match(stderr, /call stack|recursion/);
      assert.equal(code, 1);
    });
  });
}
