import { spread } from '../../bench/statistics.mjs';
import { steps } from '../../bench/steps.mjs';
import { find, instance, show, tell } from './dom.js';
import { findingOf } from './finding.js';
import { formatCount } from './format.js';
import { Strip } from './strip.js';
import { texts } from './texts.js';

/** @typedef {import('../../bench/steps.mjs').Step} Step */

const NAMES = ['bare', 'connectsocket'];
/** @type {Record<string, string>} what the steps call a measure, in the browser's language */
const MEASURES = {
  'round trip p50': texts.roundTripP50,
  'round trip p99': texts.roundTripP99,
  'echo 64 B': texts.echo64,
  'flood 64 B': texts.flood64,
  'fake socket receive': texts.fakeReceive,
  'fake socket send': texts.fakeSend,
  'messages/s': texts.messagesPerSecond,
};
const PATIENCE = 120_000; // milliseconds until a measure is given up

const short = steps.filter((step) => step.short);

/** Measures the short form of the benchmark round by round, and shows what is known so far. */
export class Benchmark {
  /** @type {Map<string, Row>} by the name that the step gives it */
  #rows = new Map();
  /** @type {AbortController | undefined} of the run that is under way */
  #run;

  #url;
  #form;
  #button;
  #state;
  #step;
  #progress;
  #finding;

  /**
   * @param {HTMLElement} root
   * @param {string} url of the echo server
   */
  constructor(root, url) {
    this.#url = url;
    this.#form = find(root, 'form', HTMLFormElement);
    this.#button = find(root, 'form button', HTMLButtonElement);
    this.#state = find(root, '.state', HTMLElement);
    this.#step = find(root, '.step', HTMLElement);
    this.#progress = find(root, 'progress', HTMLProgressElement);
    this.#finding = find(root, '.finding', HTMLElement);
    const body = find(root, 'tbody', HTMLElement);
    for (const { values } of short) {
      for (const name of Object.keys(values({}, 0))) {
        const row = new Row(name);
        this.#rows.set(name, row);
        body.append(row.element);
      }
    }
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#run) this.#run.abort();
      else this.#start();
    });
  }

  async #start() {
    const input = find(this.#form, '.rounds input', HTMLInputElement);
    const rounds = Math.min(Math.max(1, Math.round(input.valueAsNumber || 1)), Number(input.max));
    const error = find(this.#form, '.benchmark-error', HTMLElement);
    const run = new AbortController();
    input.value = String(rounds);
    input.disabled = true;
    this.#run = run;
    show(this.#button, texts.stop);
    tell(error);
    tell(this.#finding);
    for (const row of this.#rows.values()) row.clear(rounds);
    this.#progress.max = rounds * short.length;
    this.#progress.value = 0;
    try {
      const interrupted = await this.#measureAll(rounds, run.signal);
      show(this.#state, texts.roundsDone(rounds));
      tell(this.#finding, findingOf([...this.#rows.values()], rounds));
      show(this.#step, interrupted ? texts.wasInBackground : '');
    } catch (failure) {
      const done = Math.floor(this.#progress.value / short.length);
      show(this.#state, texts.stoppedAfter(done));
      show(this.#step, '');
      if (!run.signal.aborted) tell(error, /** @type {Error} */ (failure).message);
    }
    for (const row of this.#rows.values()) row.element.classList.remove('now');
    show(this.#button, texts.start);
    input.disabled = false;
    this.#run = undefined;
  }

  /**
   * @param {number} rounds
   * @param {AbortSignal} stop
   * @returns {Promise<boolean>} whether the page was in the background meanwhile
   */
  async #measureAll(rounds, stop) {
    let interrupted = false;
    while (this.#progress.value < this.#progress.max) {
      if (document.hidden) {
        interrupted = true;
        show(this.#state, texts.waitingForFront);
        show(this.#step, '');
        await until(document, 'visibilitychange', stop);
        continue;
      }
      const hidden = new AbortController();
      const hide = () => hidden.abort();
      document.addEventListener('visibilitychange', hide);
      const frames = NAMES.map(() => document.createElement('iframe'));
      try {
        await this.#measureOn(frames, rounds, AbortSignal.any([stop, hidden.signal]));
      } catch (error) {
        if (stop.aborted || !hidden.signal.aborted) throw error;
      } finally {
        for (const frame of frames) frame.remove(); // ends what still runs there
        document.removeEventListener('visibilitychange', hide);
      }
    }
    return interrupted;
  }

  /**
   * Measures what is left, in new frames.
   * @param {HTMLIFrameElement[]} frames
   * @param {number} rounds
   * @param {AbortSignal} signal
   */
  async #measureOn(frames, rounds, signal) {
    for (const [i, frame] of frames.entries()) {
      frame.title = NAMES[i];
      frame.hidden = true;
      frame.src = `contestant.html#${NAMES[i]}`;
      document.body.append(frame);
      await until(frame, 'load', signal);
    }
    for (; this.#progress.value < this.#progress.max; this.#progress.value++) {
      const round = Math.floor(this.#progress.value / short.length);
      const step = short[this.#progress.value % short.length];
      show(this.#state, texts.roundOf(round + 1, rounds));
      for (const [name, row] of this.#rows) row.element.classList.toggle('now', name in step.values({}, 0));
      /** @type {Record<string, number>[]} by contestant */
      const values = [];
      for (const i of round % 2 ? [1, 0] : [0, 1]) {
        show(this.#step, `${texts[step.name]}, ${NAMES[i]}`);
        values[i] = step.values(await this.#measure(frames[i], step, signal), 0);
      }
      for (const [name, bare] of Object.entries(values[0])) this.#rows.get(name)?.add(bare, values[1][name]);
    }
  }

  /**
   * @param {HTMLIFrameElement} frame
   * @param {Step} step
   * @param {AbortSignal} signal
   */
  async #measure({ title, contentWindow }, { name, option }, signal) {
    const { measure } = /** @type {any} */ (contentWindow);
    const late = AbortSignal.timeout(PATIENCE);
    try {
      return await Promise.race([measure(name, this.#url, option), aborted(AbortSignal.any([signal, late]))]);
    } catch (error) {
      const why = late.aborted ? texts.notDoneWithin(PATIENCE / 1000) : /** @type {Error} */ (error).message;
      throw new Error(`${texts[name]}, ${title}, with ${this.#url}: ${why}`);
    }
  }
}

/** A measure: its samples, and its line in the table. */
class Row {
  element = instance('measure-template');

  /** @type {number[]} */
  #bare = [];
  /** @type {number[]} */
  #ours = [];
  #unit;
  #strip;

  /** @param {string} name with its unit behind a comma */
  constructor(name) {
    const comma = name.lastIndexOf(', ');
    this.title = MEASURES[name.slice(0, comma)] ?? name.slice(0, comma);
    this.#unit = name.slice(comma + 2);
    const unit = MEASURES[this.#unit] ?? this.#unit;
    show(find(this.element, '.name', HTMLElement), this.title);
    show(
      find(this.element, '.unit', HTMLElement),
      this.isRate ? texts.moreIsBetter(unit) : texts.lessIsBetter(unit),
    );
    this.#strip = new Strip(find(this.element, '.strip', HTMLElement), texts.ratioOf(this.title));
  }

  /** Whether more is better. */
  get isRate() {
    return this.#unit.endsWith('/s');
  }

  /** Whether it is measured without a network, in nanoseconds: then the difference counts, not the ratio. */
  get isOwn() {
    return this.#unit === 'ns';
  }

  /** Of the rounds: connectSocket's figure divided by the bare one. */
  get ratio() {
    return spread(this.#ours.map((sample, round) => sample / this.#bare[round]));
  }

  /** By how much connectSocket's figure is above the bare one: the median of the rounds. */
  get difference() {
    return spread(this.#ours.map((sample, round) => sample - this.#bare[round])).median;
  }

  /** @param {number} rounds that will come */
  clear(rounds) {
    this.#bare = [];
    this.#ours = [];
    for (const cell of ['.bare', '.ours', '.median']) show(find(this.element, cell, HTMLElement), '–');
    for (const cell of ['.difference', '.quartiles']) show(find(this.element, cell, HTMLElement), '');
    this.#strip.show([], rounds);
  }

  /**
   * @param {number} bare
   * @param {number} ours
   */
  add(bare, ours) {
    this.#bare.push(bare);
    this.#ours.push(ours);
    const { median, low, high } = this.ratio;
    show(find(this.element, '.bare', HTMLElement), formatFigure(spread(this.#bare).median));
    show(find(this.element, '.ours', HTMLElement), formatFigure(spread(this.#ours).median));
    show(find(this.element, '.median', HTMLElement), formatRatio(median));
    show(find(this.element, '.quartiles', HTMLElement), `${formatRatio(low)}–${formatRatio(high)}`);
    if (this.isOwn) {
      const more = this.difference;
      show(find(this.element, '.difference', HTMLElement), `${more < 0 ? '' : '+'}${formatFigure(more)}`);
    }
    this.#strip.show(this.#ours.map((sample, round) => sample / this.#bare[round]));
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<never>} rejects when it is aborted
 */
const aborted = (signal) =>
  new Promise((_, reject) => {
    const fail = () => reject(signal.reason);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail);
  });

/**
 * @param {EventTarget} target
 * @param {string} type
 * @param {AbortSignal} signal
 */
const until = (target, type, signal) =>
  Promise.race([
    aborted(signal),
    new Promise((resolve) => target.addEventListener(type, resolve, { once: true })),
  ]);

/** @param {number} n */
const formatFigure = (n) =>
  Math.abs(n) < 100 ? String(Number(n.toPrecision(3))) : formatCount(Math.round(n));

/** @param {number} n */
const formatRatio = (n) => n.toFixed(n < 10 ? 2 : 1);
