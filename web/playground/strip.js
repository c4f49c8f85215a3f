import uPlot from 'uplot';
import { spread } from '../../bench/statistics.mjs';

const EDGE = 1; // of the axis, in powers of two about a ratio of 1
const GRID = [0.5, 0.8, 1, 1.25, 2].map(Math.log2);
const DOT = 5; // pixels

const dark = matchMedia('(prefers-color-scheme: dark)');

/** Draws ratios on a logarithmic axis about 1: a dot for each, and their quartiles. */
export class Strip {
  /** @type {number[]} powers of two */
  #ratios = [];
  #rounds = 1;
  #element;
  #plot;

  /**
   * @param {HTMLElement} cell
   * @param {string} label
   */
  constructor(cell, label) {
    this.#element = document.createElement('div');
    this.#element.role = 'img';
    this.#element.ariaLabel = label;
    cell.append(this.#element);
    this.#plot = this.#makePlot();
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(this.#element);
    dark.addEventListener('change', () => this.#plot.redraw(false));
  }

  /**
   * @param {number[]} ratios one a round
   * @param {number} [rounds] that are to come in all
   */
  show(ratios, rounds = this.#rounds) {
    this.#rounds = rounds;
    this.#ratios = ratios.map(Math.log2);
    const points = this.#ratios
      .map((x, round) => ({ x: clamp(x), y: -round, beyond: Math.abs(x) > EDGE }))
      .sort((a, b) => a.x - b.x);
    this.#plot.setData([
      points.map(({ x }) => x),
      points.map(({ y, beyond }) => (beyond ? null : y)),
      points.map(({ y, beyond }) => (beyond ? y : null)),
    ]);
  }

  #size() {
    return { width: this.#element.clientWidth, height: this.#element.clientHeight };
  }

  #makePlot() {
    const color = (/** @type {string} */ name) => getComputedStyle(this.#element).getPropertyValue(name);
    /** @type {uPlot.Series} */
    const dots = {
      stroke: () => color('--accent'),
      paths: () => null,
      points: { show: true, size: DOT, width: 1, fill: () => color('--accent') },
    };
    /** @type {uPlot.Options} */
    const options = {
      ...this.#size(),
      padding: [0, 8, 0, 8],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        // A little more: of several points on the very end only one would be drawn.
        x: { time: false, range: [-EDGE - 0.01, EDGE + 0.01] },
        y: { range: () => [0.5 - this.#rounds, 0.5] },
      },
      axes: [
        {
          size: 0,
          splits: GRID,
          values: () => [],
          grid: { stroke: () => color('--line'), width: 1 },
          ticks: { show: false },
        },
        { show: false },
      ],
      series: [{}, dots, { ...dots, points: { ...dots.points, fill: () => color('--surface') } }],
      hooks: {
        drawAxes: [
          ({ ctx, bbox: { top, height }, valToPos }) => {
            /**
             * @param {number} from
             * @param {number} to
             * @param {string} name of the color
             */
            const bar = (from, to, name) => {
              const [left, right] = [from, to].map((x) => Math.round(valToPos(clamp(x), 'x', true)));
              ctx.fillStyle = color(name);
              ctx.fillRect(left, top, Math.max(1, right - left), height);
            };
            bar(0, 0, '--control');
            if (this.#ratios.length === 0) return;
            const { median, low, high } = spread(this.#ratios);
            bar(low, high, '--chosen');
            bar(median, median, '--accent');
          },
        ],
      },
    };
    return new uPlot(options, [[], [], []], this.#element);
  }
}

/** @param {number} x */
const clamp = (x) => Math.max(-EDGE, Math.min(EDGE, x));
