import { find, instance, show, tell } from './dom.js';
import { formatBytes, formatCount } from './format.js';
import { Log } from './log.js';
import { RoundTrips } from './roundtrip.js';

/** @typedef {import('../connectsocket.js').SocketTask} SocketTask */

const STATES = ['connecting', 'open', 'closing', 'closed'];

// How a repeated send gives way: after so many messages, or with so much waiting in the browser.
const BATCH = 500;
const HIGH_WATER = 4 << 20;

/** A task on the page: its state, its log, and what can be done with it. */
export class Card {
  /** What is to be in the page. */
  element = instance('task-template');

  #task;
  #log;
  #roundTrips;
  #sent = { messages: 0, bytes: 0 };
  #received = { messages: 0, bytes: 0 };
  #sending = false;

  /**
   * Registers the card's handlers on a task that was just accepted.
   * @param {SocketTask} task
   * @param {string} url
   * @param {(card: Card) => void} onRemove called when the user is done with the closed task
   */
  constructor(task, url, onRemove) {
    const { element } = this;
    const name = `Task ${task.socketTaskId}`;
    element.id = `task-${task.socketTaskId}`;
    element.ariaLabel = name;
    const address = find(element, '.address', HTMLElement);
    address.textContent = url;
    address.title = url;
    show(find(element, 'h3', HTMLElement), name);
    show(find(element, 'output .name', HTMLElement), name);
    show(find(element, '.id', HTMLElement), String(task.socketTaskId));

    this.#task = task;
    this.#log = new Log(find(element, '.log', HTMLElement), element.id);
    this.#roundTrips = new RoundTrips(find(element, '.roundtrip', HTMLElement), (data) =>
      task.send({ data }),
    );

    const remove = find(element, 'header .remove', HTMLButtonElement);
    remove.ariaLabel = `Remove ${name.toLowerCase()}`;
    remove.addEventListener('click', () => onRemove(this));
    this.#listen(find(element, '.task-error', HTMLElement), remove);
    this.#wireSend(find(element, 'form.send', HTMLFormElement));
    this.#wireClose(find(element, 'form.close', HTMLFormElement));
    this.update();
  }

  get closed() {
    return this.#task.readyState === this.#task.CLOSED;
  }

  /** Shows what changes without an event. */
  update() {
    const { element } = this;
    const { readyState, protocol, bufferedAmount } = this.#task;
    const state = STATES[readyState];
    element.dataset.state = state;
    show(find(element, '.state', HTMLElement), state);
    show(find(element, '.protocol', HTMLElement), protocol || '–');
    show(find(element, '.buffered', HTMLElement), formatBytes(bufferedAmount));
    show(find(element, '.sent', HTMLElement), formatTally(this.#sent));
    show(find(element, '.received', HTMLElement), formatTally(this.#received));
  }

  /** Frees what is held beyond the page's elements. */
  dispose() {
    this.#log.clear();
    this.#roundTrips.dispose();
  }

  /**
   * @param {HTMLElement} error
   * @param {HTMLButtonElement} remove
   */
  #listen(error, remove) {
    this.#task.onOpen(({ header, profile }) => {
      const cost = profile.cost ?? profile.handshakeCost;
      const fields = Object.entries(header).map(([name, value]) => `\n${name}: ${value}`);
      this.#log.add(
        'event',
        `open${cost === undefined ? '' : ` in ${Math.round(cost)} ms`}${fields.join('')}`,
      );
      this.update();
    });
    this.#task.onMessage(({ data }) => {
      if (!this.#roundTrips.take(data)) this.#add('received', data);
    });
    this.#task.onError(({ errMsg }) => {
      this.#log.add('event', `error: ${errMsg}`);
      tell(error, errMsg);
    });
    this.#task.onClose(({ code, reason, wasClean }) => {
      const how = `${code}${reason && ` “${reason}”`}, ${wasClean ? 'clean' : 'not clean'}`;
      this.#log.add('event', `close ${how}`);
      show(find(this.element, '.ending .close', HTMLElement), how);
      find(this.element, '.ending', HTMLElement).hidden = false;
      remove.hidden = false;
      this.#roundTrips.stop();
      const focused = this.element.contains(document.activeElement);
      this.update();
      if (focused) this.element.focus(); // what had it may be hidden now
      this.element.dispatchEvent(new Event('taskclose', { bubbles: true }));
    });
  }

  /**
   * @param {'sent' | 'received'} direction
   * @param {string | ArrayBuffer} data
   */
  #add(direction, data) {
    const tally = direction === 'sent' ? this.#sent : this.#received;
    tally.messages++;
    tally.bytes += this.#log.add(direction, data);
  }

  /** @param {HTMLFormElement} form */
  #wireSend(form) {
    const message = find(form, 'textarea', HTMLTextAreaElement);
    const times = find(form, '.times input', HTMLInputElement);
    const file = find(form, '.file input', HTMLInputElement);
    const button = find(form, '.submit', HTMLButtonElement);
    const error = find(form, '.send-error', HTMLElement);

    message.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (this.#sending) {
        this.#sending = false;
        return;
      }
      this.#sending = true;
      button.textContent = 'Stop';
      tell(error, await this.#send(message.value, times.valueAsNumber || 1));
      button.textContent = 'Send';
      this.#sending = false;
    });
    file.addEventListener('change', async () => {
      for (const each of file.files ?? []) {
        const failure = await each.arrayBuffer().then(
          (data) => this.#send(data, 1),
          (why) => `${each.name} cannot be read: ${why.message}`,
        );
        tell(error, failure);
      }
      file.value = ''; // the same file again is a change again
    });
  }

  /**
   * Sends data so many times, as fast as the browser takes it, while #sending.
   * @param {string | ArrayBuffer} data
   * @param {number} times
   * @returns {Promise<string | undefined>} why it failed
   */
  async #send(data, times) {
    for (let i = 0; i < times && (this.#sending || times === 1); i++) {
      try {
        await this.#task.send({ data });
      } catch (failure) {
        return /** @type {import('../connectsocket.js').Result} */ (failure).errMsg;
      }
      this.#add('sent', data);
      if (i % BATCH === BATCH - 1 || this.#task.bufferedAmount > HIGH_WATER) await pause();
      while (this.#task.bufferedAmount > HIGH_WATER && !this.closed) await pause();
    }
  }

  /** @param {HTMLFormElement} form */
  #wireClose(form) {
    const code = find(form, '.code input', HTMLInputElement);
    const reason = find(form, '.reason input', HTMLInputElement);
    const error = find(form, '.close-error', HTMLElement);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#task.close({ code: code.value ? code.valueAsNumber : undefined, reason: reason.value }).then(
        () => {
          tell(error);
          this.update();
        },
        ({ errMsg }) => tell(error, errMsg),
      );
    });
  }
}

/** Lets events and drawing through. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

/** @param {{ messages: number, bytes: number }} tally */
const formatTally = ({ messages, bytes }) => `${formatCount(messages)} · ${formatBytes(bytes)}`;
