import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { machine } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit, killGroup, makeHome, requireExecutable } from './processes.mjs';

/** @import { Browser, BrowserPage, Message } from './engine.mjs' */

// Milliseconds for a document to load.
const PATIENCE = 10_000;

/**
 * Starts Debian's WebKitGTK on a virtual screen of its own.
 *
 * @returns {Promise<Browser>}
 */
export async function openWebkit() {
  const xvfb = requireExecutable('/usr/bin/Xvfb', 'xvfb');
  const driver = requireExecutable('/usr/bin/WebKitWebDriver', 'webkit2gtk-driver');
  const binary = requireExecutable(
    `/usr/lib/${machine()}-linux-gnu/webkit2gtk-4.1/MiniBrowser`,
    'libwebkit2gtk-4.1-0',
  );
  const home = makeHome('webkit');
  /** @type {import('node:child_process').ChildProcess[]} */
  const children = [];
  const end = atExit(() => {
    for (const child of children.toReversed()) killGroup(child.pid);
    home.remove();
  });
  /**
   * @param {string} file
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} env
   * @param {'inherit' | 'ignore'} errors what becomes of its standard error.
   */
  const start = async (file, args, env, errors) => {
    const child = spawn(file, args, { env, detached: true, stdio: ['ignore', 'ignore', errors, 'pipe'] });
    children.push(child);
    await once(child, 'spawn');
    return child;
  };
  try {
    // It complains of each display that is taken before it comes to a free one.
    const screen = await start(xvfb, ['-displayfd', '3', '-screen', '0', '1280x1024x24'], home.env, 'ignore');
    const display = await firstLine(screen);
    const server = await start(driver, ['--port=0'], { ...home.env, DISPLAY: `:${display}` }, 'inherit');
    const session = new Session(await listeningPort(server));
    const { browserVersion } = await session.open(binary);
    return {
      version: `WebKitGTK/${browserVersion}`,
      newPage: async () => new WebkitPage(session, await session.newWindow()),
      close: async () => {
        await session.close().catch(() => {}); // whatever is wrong with it, it is killed next
        end();
      },
    };
  } catch (err) {
    end();
    throw err;
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<string>} the first line that it writes to its file descriptor 3.
 */
async function firstLine(child) {
  let text = '';
  for await (const chunk of /** @type {import('node:stream').Readable} */ (child.stdio[3])) {
    text += chunk;
    if (text.includes('\n')) return text.trim();
  }
  throw new Error(`${child.spawnfile} ended before it was ready`);
}

/**
 * Finds the port which the system gave to a server that does not tell it.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<number>}
 */
async function listeningPort(child) {
  while (child.exitCode === null && child.signalCode === null) {
    const files = `/proc/${child.pid}/fd/`;
    const open = readdirSync(files).map((fd) => statSync(files + fd, { throwIfNoEntry: false })?.ino);
    for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === '0A' && open.includes(Number(inode))) return Number.parseInt(local.split(':')[1], 16);
    }
    await sleep(10);
  }
  throw new Error(`${child.spawnfile} ended before it was ready`);
}

/** A WebDriver session (W3C WebDriver 2). It carries out one command at a time, on the window it was switched to. */
class Session {
  #url;
  #first = '';
  #current = '';
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /** @param {number} port of the driver, on loopback. */
  constructor(port) {
    this.#url = `http://127.0.0.1:${port}/session`;
  }

  /** @param {string} binary path of the browser. */
  async open(binary) {
    const { sessionId, capabilities } = await this.#command('POST', '', {
      capabilities: {
        alwaysMatch: {
          acceptInsecureCerts: true,
          timeouts: { pageLoad: PATIENCE },
          'webkitgtk:browserOptions': { binary, args: ['--automation'] },
        },
      },
    });
    this.#url += `/${sessionId}`;
    this.#first = await this.#command('GET', '/window');
    return capabilities;
  }

  close() {
    return this.#command('DELETE', '');
  }

  /**
   * Opens a window: unlike a tab it stays visible behind others. The first one is never used, nor closed, since a new
   * one can only be opened from another.
   *
   * @returns {Promise<string>} its handle.
   */
  async newWindow() {
    return (await this.send(this.#first, 'POST', '/window/new', { type: 'window' })).handle;
  }

  /**
   * Sends a command to a window when it is its turn.
   *
   * @param {string} window its handle.
   * @param {string} method of HTTP.
   * @param {string} path below the session's.
   * @param {object} [body]
   */
  send(window, method, path, body) {
    const result = this.#last.then(async () => {
      if (this.#current !== window) await this.#command('POST', '/window', { handle: window });
      this.#current = window;
      return this.#command(method, path, body);
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async #command(method, path, body) {
    const response = await fetch(this.#url + path, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok)
      throw Object.assign(new Error(`${value.error}: ${value.message}`), { code: value.error });
    return value;
  }
}

/**
 * Script that makes `e2e`, what the driver keeps in a document: the evaluations under way, by number, and the messages
 * of its console, which WebDriver has no command for.
 */
const prelude = `
  const e2e = (globalThis[Symbol.for('e2e')] ??= (() => {
    const e2e = { evaluations: new Map(), messages: [] };
    const add = (type, text) => e2e.messages.push({ type, text });
    for (const type of ['debug', 'log', 'info', 'warn', 'error']) {
      const own = console[type];
      console[type] = (...args) => {
        add(type, args.map(String).join(' '));
        own.apply(console, args);
      };
    }
    addEventListener('error', (event) => add('exception', event.message));
    addEventListener('unhandledrejection', (event) => add('exception', String(event.reason)));
    return e2e;
  })());`;

/**
 * Script that answers with the text of an evaluation; or with false when that takes longer than a moment, because the
 * session must not wait for one evaluation while another, of the same page perhaps, has to make it come true; or with
 * null when another document has taken the place of the one that was evaluating.
 */
const answer = `
  const [id, done] = arguments;
  const moment = new Promise((resolve) => setTimeout(resolve, 50, false));
  Promise.race([e2e.evaluations.get(id), moment]).then((text) => {
    if (text !== false) e2e.evaluations.delete(id);
    done(text);
  });`;

/** Keys that are no characters, as WebDriver writes them (section 17.4.2). */
const keys = new Map([
  ['Tab', '\uE004'],
  ['Enter', '\uE007'],
  ['Escape', '\uE00C'],
  ['End', '\uE010'],
  ['ArrowUp', '\uE013'],
  ['ArrowDown', '\uE015'],
]);

/** @implements {BrowserPage} */
class WebkitPage {
  #session;
  #window;
  #evaluations = 0;
  /** @type {Message[]} */
  #messages = [];

  /**
   * @param {Session} session
   * @param {string} window its handle.
   */
  constructor(session, window) {
    this.#session = session;
    this.#window = window;
  }

  /** @param {string} url */
  async goto(url) {
    await this.console(); // saves what the document said that goes now
    const load = () => this.#send('POST', '/url', { url });
    await load().catch((error) => {
      if (error.code !== 'timeout') throw error;
      return load(); // at times the driver misses that a document has loaded
    });
    const shown = await this.#execute(
      'sync',
      `${prelude}\nreturn { url: location.href, text: document.documentElement.textContent };`,
      [],
    );
    // A load that fails is no error for the driver: the browser shows why, in a blank document.
    if (shown.url === 'about:blank' && url !== shown.url) throw new Error(`${shown.text} at ${url}`);
  }

  async back() {
    await this.console(); // saves what the document said that goes now
    await this.#send('POST', '/back', {});
  }

  async setLifecycle() {
    throw new Error('WebKitGTK has no command that freezes a page');
  }

  /** @param {string} promise */
  async run(promise) {
    const id = ++this.#evaluations;
    let text = await this.#execute(
      'async',
      `${prelude}\ne2e.evaluations.set(arguments[0], ${promise});\n${answer}`,
      [id],
    );
    while (text === false) text = await this.#execute('async', `${prelude}\n${answer}`, [id]);
    if (text === null) throw new Error('the page navigated before the evaluation was done');
    return text;
  }

  async console() {
    this.#messages.push(...(await this.#execute('sync', `${prelude}\nreturn e2e.messages.splice(0);`, [])));
    return this.#messages;
  }

  /** @param {string} key */
  async press(key) {
    const value = keys.get(key) ?? key;
    const actions = ['keyDown', 'keyUp'].map((type) => ({ type, value }));
    await this.#send('POST', '/actions', { actions: [{ type: 'key', id: 'keyboard', actions }] });
  }

  /** @param {string} path */
  async screenshot(path) {
    await writeFile(path, await this.#send('GET', '/screenshot'), 'base64');
  }

  async close() {
    await this.#send('DELETE', '/window');
  }

  /**
   * @param {'sync' | 'async'} kind
   * @param {string} script
   * @param {unknown[]} args
   */
  #execute(kind, script, args) {
    return this.#send('POST', `/execute/${kind}`, { script, args });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  #send(method, path, body) {
    return this.#session.send(this.#window, method, path, body);
  }
}
