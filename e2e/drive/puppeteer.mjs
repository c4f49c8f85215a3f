import { launch } from 'puppeteer-core';
import { atExit, killGroup, makeHome, requireExecutable } from './processes.mjs';

/** @import * as puppeteer from 'puppeteer-core' */
/** @import { Browser, BrowserPage, Message } from './engine.mjs' */

/** Starts Debian's Chromium. */
export function openChromium() {
  return open('chromium', {
    browser: 'chrome',
    executablePath: requireExecutable('/usr/bin/chromium', 'chromium'),
    args: ['--no-sandbox', '--disable-component-update', '--disable-quic'],
  });
}

/** Starts Debian's Firefox ESR. */
export function openFirefox() {
  return open('firefox', {
    browser: 'firefox',
    executablePath: requireExecutable('/usr/bin/firefox-esr', 'firefox-esr'),
    // A host that has refused is otherwise tried again only after a pause, which grows to minutes (RFC 6455 section 7.2.3).
    extraPrefsFirefox: { 'network.websocket.delay-failed-reconnects': false },
  });
}

/**
 * @param {string} name of the engine.
 * @param {puppeteer.LaunchOptions} options
 * @returns {Promise<Browser>}
 */
async function open(name, options) {
  const home = makeHome(name);
  /** @type {puppeteer.Browser | undefined} */
  let browser;
  const end = atExit(() => {
    killGroup(browser?.process()?.pid);
    home.remove();
  });
  try {
    const launched = await launch({
      ...options,
      acceptInsecureCerts: true,
      env: home.env,
      handleSIGHUP: false,
      handleSIGINT: false,
      handleSIGTERM: false,
      networkEnabled: false, // watching the network makes each WebSocket frame slower
      protocolTimeout: 0,
      userDataDir: home.path,
    });
    browser = launched;
    return {
      version: await launched.version(),
      newPage: async () => new PuppeteerPage(await launched.newPage({ type: 'window' })),
      close: async () => {
        await launched.close().catch(() => {}); // whatever is wrong with it, it is killed next
        end();
      },
    };
  } catch (err) {
    end();
    throw err;
  }
}

/** @implements {BrowserPage} */
class PuppeteerPage {
  #page;
  /** @type {Message[]} */
  #messages = [];

  /** @param {puppeteer.Page} page */
  constructor(page) {
    this.#page = page;
    page.on('console', (message) => this.#messages.push({ type: message.type(), text: message.text() }));
    page.on('pageerror', (err) => this.#messages.push({ type: 'exception', text: exceptionText(err) }));
  }

  /** @param {string} url */
  async goto(url) {
    try {
      await this.#page.goto(url);
    } catch (error) {
      await this.#page.goto('about:blank'); // Chromium still goes to its own page, which reports the failure
      throw error;
    }
  }

  async back() {
    await this.#page.evaluate(() => Object.assign(globalThis, { leaving: true }));
    // Firefox tells no load of a document that its back-forward cache had.
    await this.#page.goBack({ waitUntil: [] });
    await this.#page.waitForFunction(() => document.readyState === 'complete' && !('leaving' in globalThis));
  }

  /** @param {'frozen' | 'active'} state */
  async setLifecycle(state) {
    const session = await this.#page.createCDPSession().catch((cause) => {
      throw new Error('Firefox has no command that freezes a page', { cause });
    });
    await session.send('Page.setWebLifecycleState', { state });
  }

  /**
   * @param {string} promise
   * @returns {Promise<string>}
   */
  run(promise) {
    const page = this.#page;
    return new Promise((resolve, reject) => {
      // Firefox never answers for a document that is gone.
      const lose = () => reject(new Error('the page navigated or closed before the evaluation was done'));
      const navigated = (/** @type {puppeteer.Frame} */ frame) => frame === page.mainFrame() && lose();
      page.on('framenavigated', navigated).once('close', lose);
      page
        .evaluate(promise)
        .then((text) => resolve(String(text)), reject)
        .finally(() => page.off('framenavigated', navigated).off('close', lose));
    });
  }

  async console() {
    return this.#messages;
  }

  /** @param {string} key */
  async press(key) {
    await this.#page.keyboard.press(/** @type {puppeteer.KeyInput} */ (key));
  }

  /** @param {string} path */
  async screenshot(path) {
    await this.#page.screenshot({ path: /** @type {`${string}.png`} */ (path) });
  }

  async close() {
    await this.#page.close();
  }
}

/** @param {unknown} err */
function exceptionText(err) {
  return String(err).replace(/^Error: (?=\w*Error: )/, ''); // Firefox puts an error's name into its message as well
}
