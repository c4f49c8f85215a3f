import { connectSocket, load, stats } from '../connectsocket.mjs';
import { Benchmark } from './benchmark.js';
import { Card } from './card.js';
import { find, show, tell } from './dom.js';
import { asksForRelay, toOption } from './draft.js';
import { wireDrawers } from './drawers.js';
import { ConnectForm } from './form.js';
import { formatBytes, formatCount } from './format.js';
import { SettingsForm } from './settings.js';
import { Start } from './start.js';
import { Store } from './store.js';
import { wireTabs } from './tabs.js';
import { texts, translatePage } from './texts.js';

/** @typedef {import('./draft.js').Draft} Draft */

translatePage();

const echo = new URL('/echo', location.href);
echo.protocol = echo.protocol.replace('http', 'ws');

const store = new Store();
const settings = new SettingsForm(store).option;
const form = new ConnectForm(settings, echo.href);
const start = new Start(form, echo.href, store);
const refusal = find(document, '#connect-error', HTMLElement);
const tasks = find(document, '#tasks', HTMLElement);
const empty = find(document, '#empty', HTMLElement);
const removeClosed = find(document, '#remove-closed', HTMLButtonElement);

/** @type {Set<Card>} */
const cards = new Set();

/** @type {Record<string, { query: string, fields?: Record<string, string>, greeting?: string }>} */
const tries = {
  hello: { query: '', greeting: 'hello' },
  push: { query: 'push=10000' },
  refused: { query: 'status=403', fields: { relay: 'on' } },
};

wireTabs(find(document, '#tabs', HTMLElement));
wireDrawers(find(document, '.drawers', HTMLElement));
new Benchmark(find(document, '#benchmark-panel', HTMLElement), echo.href);
loadModule();

find(document, '#connect-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const { draft } = form;
  start.record(draft);
  connect(draft);
});
empty.addEventListener('click', ({ target }) => {
  const { query, fields, greeting } = tries[/** @type {HTMLElement} */ (target).dataset.try ?? ''] ?? {};
  if (query === undefined) return;
  echo.search = query;
  const draft = form.initialAt(echo.href);
  connect({ ...draft, fields: { ...draft.fields, ...fields } }, greeting);
});
removeClosed.addEventListener('click', () => {
  for (const card of cards) if (card.closed) remove(card);
});
tasks.addEventListener('taskclose', () => count());
setInterval(() => {
  for (const card of cards) card.update();
  showStats();
}, 250);

/** Loads the module, and shows how far it is and how it ended. */
function loadModule() {
  const progress = find(document, '#progress', HTMLProgressElement);
  const state = find(document, '#module', HTMLElement);
  let size = 0;
  load({
    ...settings,
    onProgress({ loaded, total }) {
      size = total;
      progress.max = total;
      progress.value = loaded;
    },
  })
    .then(
      () => show(state, texts.ready(formatBytes(size), formatCount(Math.round(performance.now())))),
      (error) => {
        state.classList.add('error');
        show(state, texts.cannotRun(error.message));
      },
    )
    .finally(() => progress.remove());
}

/**
 * Calls connectSocket as a draft says.
 * @param {Draft} draft
 * @param {string} [greeting] to send once it is open
 */
async function connect(draft, greeting) {
  const option = toOption(draft);
  const viaRelay = { ...draft, fields: { ...draft.fields, relay: 'on' } };
  try {
    const task = await connectSocket(option);
    const card = new Card(task, option.url, {
      onRemove: remove,
      onAskRelay: settings.relay && !asksForRelay(option) ? () => connect(viaRelay) : undefined,
    });
    if (greeting) card.greet(greeting);
    add(card);
    tell(refusal);
  } catch (error) {
    const { errMsg } = /** @type {import('../connectsocket.js').Result} */ (error);
    tell(refusal, errMsg ?? String(error));
  }
}

/** @param {Card} card */
function add(card) {
  cards.add(card);
  tasks.append(card.element);
  count();
  const { activeElement, body } = document;
  if (activeElement === body || !activeElement?.checkVisibility()) {
    card.element.focus({ preventScroll: true }); // what had the focus is hidden now
  }
  card.element.scrollIntoView({ block: 'nearest' });
}

/** @param {Card} card */
function remove(card) {
  const neighbour = card.element.nextElementSibling ?? card.element.previousElementSibling;
  const focus = neighbour instanceof HTMLElement ? neighbour : find(document, '#url', HTMLElement);
  card.dispose();
  card.element.remove();
  cards.delete(card);
  count();
  focus.focus();
}

function count() {
  empty.hidden = cards.size > 0;
  removeClosed.hidden = ![...cards].some((card) => card.closed);
  showStats();
}

function showStats() {
  const { tasks, slotsInUse, memory } = stats();
  find(document, '#stats', HTMLElement).hidden = memory === 0;
  show(find(document, '#stat-tasks', HTMLElement), formatCount(tasks));
  show(find(document, '#stat-slots', HTMLElement), formatCount(slotsInUse));
  show(find(document, '#stat-memory', HTMLElement), formatBytes(memory));
}
