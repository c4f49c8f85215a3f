import { connectSocket, load, stats } from '../connectsocket.mjs';
import { Benchmark } from './benchmark.js';
import { Card } from './card.js';
import { find, instance, show, tell } from './dom.js';
import { formatBytes, formatCount } from './format.js';
import { wireTabs } from './tabs.js';

const form = find(document, '#connect-form', HTMLFormElement);
const url = find(form, '#url', HTMLInputElement);
const example = find(form, '#example', HTMLSelectElement);
const protocols = find(form, '#protocols', HTMLInputElement);
const timeout = find(form, '#timeout', HTMLInputElement);
const headers = find(form, '#headers', HTMLElement);
const addHeader = find(form, '#add-header', HTMLButtonElement);
const refusal = find(form, '#connect-error', HTMLElement);
const tasks = find(document, '#tasks', HTMLElement);
const empty = find(document, '#empty', HTMLElement);
const removeClosed = find(document, '#remove-closed', HTMLButtonElement);

/** @type {Set<Card>} */
const cards = new Set();

const echo = new URL('/echo', location.href);
echo.protocol = echo.protocol.replace('http', 'ws');
url.value = echo.href;
example.value = '';

wireTabs(find(document, '#tabs', HTMLElement));
new Benchmark(find(document, '#benchmark-panel', HTMLElement), echo.href);
loadModule();

example.addEventListener('change', () => {
  echo.search = example.value;
  url.value = echo.href;
});
url.addEventListener('input', () => {
  example.value = 'custom';
});
addHeader.addEventListener('click', () => {
  const row = instance('header-template');
  find(row, '.remove', HTMLButtonElement).addEventListener('click', () => {
    row.remove();
    addHeader.focus();
  });
  headers.append(row);
  find(row, '.name', HTMLInputElement).focus();
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  connect();
});
removeClosed.addEventListener('click', () => {
  for (const card of cards) if (card.closed) remove(card);
});
tasks.addEventListener('taskclose', () => count());
setInterval(() => {
  for (const card of cards) card.update();
  showStats();
}, 250);

/** Loads the module, telling how far it is and how it ended. */
function loadModule() {
  const progress = find(document, '#progress', HTMLProgressElement);
  const state = find(document, '#module', HTMLElement);
  let size = 0;
  load({
    relay: '/relay',
    onProgress({ loaded, total }) {
      size = total;
      progress.max = total;
      progress.value = loaded;
    },
  })
    .then(
      () => show(state, `Module ready: ${formatBytes(size)} in ${Math.round(performance.now())} ms`),
      (error) => {
        state.classList.add('error');
        show(state, `The module cannot run: ${error.message}`);
      },
    )
    .finally(() => progress.remove());
}

/** Calls connectSocket with what the form says. */
async function connect() {
  const option = {
    url: url.value.trim(),
    header: readHeader(),
    protocols: protocols.value.split(/[\s,]+/).filter(Boolean),
    timeout: timeout.valueAsNumber,
  };
  try {
    add(new Card(await connectSocket(option), option.url, remove));
    tell(refusal);
  } catch (error) {
    const { errMsg } = /** @type {import('../connectsocket.js').Result} */ (error);
    tell(refusal, errMsg ?? String(error));
  }
}

/** Gives the header rows that have a name; undefined without any. */
function readHeader() {
  const fields = Array.from(headers.children, (row) => [
    find(row, '.name', HTMLInputElement).value.trim(),
    find(row, '.value', HTMLInputElement).value,
  ]).filter(([name]) => name);
  return fields.length > 0 ? Object.fromEntries(fields) : undefined;
}

/** @param {Card} card */
function add(card) {
  cards.add(card);
  tasks.append(card.element);
  count();
  card.element.scrollIntoView({ block: 'nearest' });
}

/** @param {Card} card */
function remove(card) {
  const neighbour = card.element.nextElementSibling ?? card.element.previousElementSibling;
  const focus = neighbour instanceof HTMLElement ? neighbour : url;
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
