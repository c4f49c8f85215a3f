import uPlot from 'uplot';
import { find, show, tell } from './dom.js';
import { formatCount, formatMillis } from './format.js';
import { texts } from './texts.js';

const PACE = 100; // milliseconds from one message to the next
const WINDOW = 60; // seconds that are drawn and counted
const PATIENCE = 5000; // milliseconds until an echo is given up

const still = matchMedia('(prefers-reduced-motion: reduce)');
const dark = matchMedia('(prefers-color-scheme: dark)');

/**
 * Measures round trips: sends a text, one at a time, waits until it comes back, and draws how long each took
 * in the last minute.
 */
export class EchoTest {
  /** @type {number[]} when each was sent, in seconds since the first */
  #times = [];
  /** @type {number[]} milliseconds */
  #trips = [];
  #count = 0;
  #began = 0;
  /** @type {{ text: string, sent: number } | undefined} */
  #awaited;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #scheduled = false;
  /** @type {uPlot | undefined} */
  #plot;

  #root;
  #send;
  #button;
  #chart;
  #error;
  #redraw = () => this.#plot?.redraw(false);

  /**
   * @param {HTMLElement} root the section, as the template has it
   * @param {(text: string) => Promise<unknown>} send rejects with `{ errMsg }`
   */
  constructor(root, send) {
    this.#root = root;
    this.#send = send;
    this.#button = find(root, '.toggle', HTMLButtonElement);
    this.#chart = find(root, '.chart', HTMLElement);
    this.#error = find(root, '.echo-error', HTMLElement);
    this.#button.addEventListener('click', () => (this.#running ? this.stop() : this.#start()));
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#chart);
    dark.addEventListener('change', this.#redraw);
  }

  get #running() {
    return this.#button.ariaPressed === 'true';
  }

  #start() {
    tell(this.#error);
    this.#button.ariaPressed = 'true';
    this.#next();
  }

  /**
   * Stops measuring.
   * @param {string} [why] told where the button is
   */
  stop(why) {
    clearTimeout(this.#timer);
    this.#awaited = undefined;
    this.#button.ariaPressed = 'false';
    if (why) tell(this.#error, why);
  }

  /** Frees what is held beyond the page's elements. */
  dispose() {
    this.stop();
    dark.removeEventListener('change', this.#redraw);
    this.#plot?.destroy();
  }

  /**
   * Takes what was received.
   * @param {string | ArrayBuffer} data
   * @returns {boolean} whether it is the echo that is waited for
   */
  take(data) {
    const now = performance.now();
    if (!this.#awaited || data !== this.#awaited.text) return false;
    const { sent } = this.#awaited;
    this.#awaited = undefined;
    clearTimeout(this.#timer);
    const time = (sent - this.#began) / 1000;
    this.#times.push(time);
    this.#trips.push(now - sent);
    this.#count++;
    while (this.#times[0] < time - WINDOW) {
      this.#times.shift();
      this.#trips.shift();
    }
    this.#timer = setTimeout(() => this.#next(), Math.max(0, PACE - (now - sent)));
    this.#schedule();
    return true;
  }

  #next() {
    const text = `echo test ${this.#count + 1} ${Math.random().toString(36).slice(2)}`;
    const sent = performance.now();
    this.#began ||= sent;
    this.#awaited = { text, sent };
    this.#timer = setTimeout(() => this.stop(texts.noEcho(PATIENCE / 1000)), PATIENCE);
    this.#send(text).catch(({ errMsg }) => this.stop(errMsg));
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const draw = () => {
      this.#scheduled = false;
      this.#draw();
    };
    if (still.matches) setTimeout(draw, 1000);
    else requestAnimationFrame(draw);
  }

  #draw() {
    if (!this.#root.isConnected) return;
    const sorted = Float64Array.from(this.#trips).sort();
    const p50 = quantile(sorted, 0.5);
    const p99 = quantile(sorted, 0.99);
    show(find(this.#root, '.p50', HTMLElement), formatMillis(p50));
    show(find(this.#root, '.p99', HTMLElement), formatMillis(p99));
    show(find(this.#root, '.last', HTMLElement), formatMillis(this.#trips.at(-1) ?? 0));
    show(find(this.#root, '.echoes', HTMLElement), formatCount(this.#count));

    this.#chart.hidden = false;
    this.#plot ??= this.#makePlot();
    const level = (/** @type {number} */ y) => this.#times.map(() => y);
    this.#plot.setData([this.#times, this.#trips, level(p50), level(p99)]);
  }

  #size() {
    return { width: this.#chart.clientWidth, height: this.#chart.clientHeight };
  }

  #makePlot() {
    const color = (/** @type {string} */ name) => () => getComputedStyle(this.#chart).getPropertyValue(name);
    const font = `11px ${getComputedStyle(this.#chart).fontFamily}`;
    /** @type {uPlot.Axis} */
    const axis = {
      stroke: color('--muted'),
      font,
      grid: { stroke: color('--line'), width: 1 },
      ticks: { show: false },
      gap: 4,
    };
    /** @type {uPlot.Options} */
    const options = {
      ...this.#size(),
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: {
          time: false,
          range: (_, from, to) => [from, Math.max(from + 10, to)],
        },
        y: { range: (_, _min, max) => [0, max * 1.1 || 1] },
      },
      axes: [
        { ...axis, size: 20, space: 60, values: (_, splits) => splits.map((s) => `${s} s`) },
        { ...axis, size: 44, space: 28, values: (_, splits) => splits.map((ms) => `${+ms.toFixed(2)}`) },
      ],
      series: [
        {},
        { stroke: color('--accent'), width: 1.25, points: { show: false } },
        { stroke: color('--received'), width: 1, dash: [2, 3], points: { show: false } },
        { stroke: color('--warn'), width: 1, dash: [6, 4], points: { show: false } },
      ],
    };
    return new uPlot(options, [[], [], [], []], this.#chart);
  }
}

/**
 * @param {Float64Array} sorted
 * @param {number} q 0 to 1
 */
const quantile = (sorted, q) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
