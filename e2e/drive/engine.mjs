import { openChromium, openFirefox } from './puppeteer.mjs';
import { openWebkit } from './webkit.mjs';

/**
 * A browser as its driver gives it.
 *
 * @typedef {object} Browser
 * @property {string} version
 * @property {() => Promise<BrowserPage>} newPage
 * @property {() => Promise<void>} close does not reject.
 */

/**
 * A page as its driver gives it. What it evaluates runs in the page's own world and is not subject to its CSP.
 *
 * @typedef {object} BrowserPage
 * @property {(url: string) => Promise<void>} goto
 * @property {() => Promise<void>} back
 * @property {(state: 'frozen' | 'active') => Promise<void>} setLifecycle
 * @property {(promise: string) => Promise<string>} run evaluates an expression for a promise of a string.
 * @property {() => Promise<Message[]>} console
 * @property {(key: string) => Promise<void>} press
 * @property {(path: string) => Promise<void>} screenshot
 * @property {() => Promise<void>} close
 */

/**
 * A line of the page's console, or an exception or promise rejection that nothing caught.
 *
 * @typedef {object} Message
 * @property {string} type of the console's method (debug, log, info, warn, error …), or 'exception'.
 * @property {string} text
 */

/**
 * A running browser.
 *
 * @typedef {object} Engine
 * @property {EngineName} name
 * @property {string} version
 * @property {(url?: string) => Promise<Page>} newPage opens a visible page, and loads url there when it is given.
 * @property {() => Promise<void>} close ends the browser with all its pages and processes and removes its files. Calls
 *   on its pages that are under way reject.
 */

/** @typedef {keyof typeof openers} EngineName */

const openers = { chromium: openChromium, firefox: openFirefox, webkit: openWebkit };

/** Names of the engines, in the order in which they are best tried; ENGINE in the environment chooses one of them. */
export const engineNames = chosen(/** @type {EngineName[]} */ (Object.keys(openers)));

/** @param {EngineName[]} names */
function chosen(names) {
  const one = process.env.ENGINE;
  if (!one) return names;
  const found = names.filter((name) => name === one);
  if (found.length === 0) throw new Error(`ENGINE is ${one}, not one of ${names.join(', ')}`);
  return found;
}

/**
 * Starts a browser without a window on the screen, with an empty profile of its own, which accepts any certificate.
 * It ends with close, or with this process, unless that is killed by SIGKILL.
 *
 * @param {string} name one of engineNames.
 * @returns {Promise<Engine>}
 * @throws {Error} when the name is unknown, when the browser does not start, and when it is not installed: that error
 *   names the Debian package.
 */
export async function openEngine(name) {
  if (!Object.hasOwn(openers, name)) {
    throw new Error(`unknown engine ${JSON.stringify(name)}: one of ${engineNames.join(', ')}`);
  }
  const engine = /** @type {EngineName} */ (name);
  const { version, newPage, close } = await openers[engine]();
  return {
    name: engine,
    version,
    close,
    async newPage(url) {
      const page = new Page(await newPage());
      if (url !== undefined) await page.goto(url);
      return page;
    },
  };
}

/** A page (tab) of an engine. */
export class Page {
  #driver;

  /** @param {BrowserPage} driver */
  constructor(driver) {
    this.#driver = driver;
  }

  /**
   * Navigates, and waits for the load event.
   *
   * @param {string} url
   * @throws {Error} when nothing can be loaded from there; an answer of 404 and the like is no error.
   */
  goto(url) {
    return this.#driver.goto(url);
  }

  /**
   * Goes one step back in the page's history, and waits for the document to show. Each engine takes it from its
   * back-forward cache, if it was fit for that.
   */
  back() {
    return this.#driver.back();
  }

  /**
   * Freezes the page (Page Lifecycle): its timers and events wait until resume, evaluations go on.
   *
   * @throws {Error} in Firefox and WebKit, which have no command for it.
   */
  freeze() {
    return this.#driver.setLifecycle('frozen');
  }

  /** Ends what freeze began. */
  resume() {
    return this.#driver.setLifecycle('active');
  }

  /**
   * Runs a function in the page and waits for what it returns or resolves to, for as long as that takes. What goes in
   * and comes out passes as JSON. Evaluations of a page may overlap.
   *
   * @template {any[]} A
   * @template R
   * @param {string | ((...args: A) => R)} fn an expression, which may use await, or a function that uses nothing from
   *   outside itself.
   * @param {A} args for the function.
   * @returns {Promise<Awaited<R>>}
   * @throws {Error} with the name and message of what was thrown there, and its stack as the cause; also when the page
   *   navigates or closes before.
   */
  async evaluate(fn, ...args) {
    const expression = typeof fn === 'string' ? fn : `(${fn})(...${JSON.stringify(args)})`;
    const { value, thrown } = JSON.parse(
      await this.#driver.run(`(async () => {
        try {
          return JSON.stringify({ value: await (${expression}) });
        } catch (e) {
          return JSON.stringify({ thrown: { name: e?.name ?? 'Error', message: e?.message ?? String(e), stack: e?.stack } });
        }
      })()`),
    );
    if (thrown === undefined) return value;
    throw Object.assign(new Error(thrown.message, { cause: thrown.stack }), { name: thrown.name });
  }

  /**
   * Tells what the page's console has shown since it was opened. In WebKit what comes before the load event is missing,
   * and what a document says last when it is left other than by goto and back.
   *
   * @returns {Promise<Message[]>}
   */
  console() {
    return this.#driver.console();
  }

  /**
   * Presses a key and lets it go, where the focus is.
   *
   * @param {string} key as KeyboardEvent names it: a character, or Tab, Enter, Escape, End, ArrowUp, ArrowDown.
   */
  press(key) {
    return this.#driver.press(key);
  }

  /**
   * Writes a picture of what is visible of the page.
   *
   * @param {string} path of the PNG file.
   */
  screenshot(path) {
    return this.#driver.screenshot(path);
  }

  /** Closes the page. Its evaluations that are under way reject. */
  close() {
    return this.#driver.close();
  }
}
