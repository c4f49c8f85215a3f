import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit, killGroup, makeHome, requireExecutable } from '../e2e/drive/processes.mjs';

/**
 * Chromium by its own protocol, over a pipe, with no domain enabled but Performance: watching a page's network
 * would make each of its frames slower.
 */
export class Chromium {
  #child;
  #last = 0;
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  #calls = new Map();

  /** Ends the browser and removes its files. */
  close;

  /** @param {string[]} [flags] of V8 */
  constructor(flags = []) {
    const home = makeHome('bench');
    this.#child = spawn(
      requireExecutable('/usr/bin/chromium', 'chromium'),
      [
        '--headless=new',
        '--no-sandbox',
        '--no-first-run',
        '--disable-component-update',
        '--disable-background-networking',
        '--disable-sync',
        '--disable-quic',
        '--disable-background-timer-throttling',
        '--disable-backgrounding-occluded-windows',
        '--disable-renderer-backgrounding',
        `--js-flags=${['--expose-gc', ...flags].join(' ')}`,
        `--user-data-dir=${home.path}`,
        '--remote-debugging-pipe',
      ],
      { env: home.env, detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    const end = atExit(() => {
      killGroup(this.#child.pid);
      home.remove();
    });
    this.close = async () => {
      const exit = once(this.#child, 'exit');
      this.send('Browser.close').catch(() => {});
      await exit;
      end();
    };
    /** @param {string} why */
    const fail = (why) => {
      for (const { reject } of this.#calls.values()) reject(new Error(why));
      this.#calls.clear();
    };
    this.#child.once('exit', () => fail('the browser has ended'));
    let rest = '';
    const answers = /** @type {import('node:stream').Readable} */ (this.#child.stdio[4]).setEncoding('utf8');
    answers.on('data', (chunk) => {
      const messages = (rest + chunk).split('\0');
      rest = /** @type {string} */ (messages.pop());
      for (const { id, method, result, error } of messages.map((message) => JSON.parse(message))) {
        if (method === 'Target.targetCrashed') fail('a page has crashed'); // whose calls would never be answered
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        if (error) call?.reject(new Error(error.message));
        else call?.resolve(result);
      }
    });
    this.send('Target.setDiscoverTargets', { discover: true }).catch(() => {}); // for targetCrashed
  }

  /**
   * Sends a command of the Chrome DevTools Protocol.
   *
   * @param {string} method
   * @param {object} [params]
   * @param {string} [sessionId] of a page
   * @returns {Promise<any>} its result
   */
  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    const pipe = /** @type {import('node:stream').Writable} */ (this.#child.stdio[3]);
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      pipe.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /**
   * Opens a page in a window of its own, so that it is visible beside others.
   *
   * @param {string} [url]
   */
  async open(url) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', newWindow: true });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, targetId, sessionId);
    await page.send('Performance.enable', { timeDomain: 'threadTicks' });
    if (url) await page.goto(url);
    return page;
  }
}

/** A page of Chromium. */
export class Page {
  #browser;
  #target;
  #session;

  /**
   * @param {Chromium} browser
   * @param {string} target
   * @param {string} session
   */
  constructor(browser, target, session) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  /**
   * @param {string} method
   * @param {object} [params]
   */
  send(method, params) {
    return this.#browser.send(method, params, this.#session);
  }

  /**
   * Begins to load a document, and waits until its answer has come.
   *
   * @param {string} url
   */
  async goto(url) {
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText) throw new Error(`${errorText} at ${url}`);
  }

  /**
   * Evaluates an expression, which may use await, for its value.
   *
   * @param {string} expression
   */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression: `(async () => (${expression}))()`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(result.description ?? exceptionDetails.text);
    return result.value;
  }

  /**
   * Evaluates an expression until its value is true, also in the documents to come.
   *
   * @param {string} expression
   * @returns {Promise<any>} the value
   */
  async until(expression) {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(20)) {
      // The context may go away meanwhile.
      const value = await this.evaluate(expression).catch(() => undefined);
      if (value) return value;
    }
    throw new Error(`not within 60 s: ${expression}`);
  }

  /** What Performance.getMetrics tells, by name: seconds of the main thread's CPU time, bytes, counts. */
  async metrics() {
    const { metrics } = await this.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map((/** @type {any} */ { name, value }) => [name, value]));
  }

  close() {
    return this.#browser.send('Target.closeTarget', { targetId: this.#target });
  }
}
