import { fromBase64, fromHex } from './bytes.js';
import { find, instance, show, tell } from './dom.js';
import { EchoTest } from './echotest.js';
import { formatBytes, formatCount } from './format.js';
import { Log } from './log.js';
import { texts } from './texts.js';

/** @typedef {import('../connectsocket.js').SocketTask} SocketTask */

/** By readyState. */
const STATES = /** @type {const} */ ([
  ['connecting', texts.stateConnecting],
  ['open', texts.stateOpen],
  ['closing', texts.stateClosing],
  ['closed', texts.stateClosed],
]);

// How a repeated send gives way: after so many messages, or with so much waiting in the browser.
const BATCH = 500;
const HIGH_WATER = 4 << 20;

/** A task on the page: its state, its log, and what can be done with it. */
export class Card {
  /** What is to be in the page. */
  element = instance('task-template');

  #task;
  #log;
  #echoTest;
  #sent = { messages: 0, bytes: 0 };
  #received = { messages: 0, bytes: 0 };
  #sending = false;
  #opened = false;
  #askRelay;

  /**
   * Registers the card's handlers on a task that was just accepted.
   * @param {SocketTask} task
   * @param {string} url
   * @param {object} handlers
   * @param {(card: Card) => void} handlers.onRemove called when the user is done with the closed task
   * @param {() => void} [handlers.onAskRelay] called when the user wants the same connection through the relay; absent
   *   where it goes there already, or there is none
   */
  constructor(task, url, { onRemove, onAskRelay }) {
    const { element } = this;
    const name = texts.task(task.socketTaskId);
    element.id = `task-${task.socketTaskId}`;
    element.ariaLabel = name;
    const address = find(element, '.address', HTMLElement);
    address.textContent = url;
    address.title = url;
    show(find(element, 'h3', HTMLElement), name);
    show(find(element, 'output .name', HTMLElement), name);
    show(find(element, '.id', HTMLElement), String(task.socketTaskId));

    this.#task = task;
    this.#askRelay = onAskRelay;
    const sendError = find(element, '.send-error', HTMLElement);
    this.#log = new Log(find(element, '.log', HTMLElement), element.id, async (data) =>
      tell(sendError, await this.#send(data, 1)),
    );
    this.#echoTest = new EchoTest(find(element, '.echo-test', HTMLElement), (data) => task.send({ data }));

    const remove = find(element, 'header .remove', HTMLButtonElement);
    remove.ariaLabel = texts.removeTask(task.socketTaskId);
    remove.addEventListener('click', () => onRemove(this));
    find(element, '.ask', HTMLButtonElement).addEventListener('click', () => {
      find(element, '.offer', HTMLElement).hidden = true;
      onAskRelay?.();
    });
    this.#listen(find(element, '.task-error', HTMLElement), remove);
    this.#wireSend(find(element, 'form.send', HTMLFormElement), sendError);
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
    const [state, words] = STATES[readyState];
    element.dataset.state = state;
    show(find(element, '.state', HTMLElement), words);
    show(find(element, '.protocol', HTMLElement), protocol || '–');
    show(find(element, '.buffered', HTMLElement), formatBytes(bufferedAmount));
    show(find(element, '.facts .sent', HTMLElement), formatTally(this.#sent));
    show(find(element, '.facts .received', HTMLElement), formatTally(this.#received));
  }

  /**
   * Sends a text once the task is open.
   * @param {string} text
   */
  greet(text) {
    this.#task.onOpen(() => this.#send(text, 1));
  }

  /** Frees what is held beyond the page's elements. */
  dispose() {
    this.#log.clear();
    this.#echoTest.dispose();
  }

  /**
   * @param {HTMLElement} error
   * @param {HTMLButtonElement} remove
   */
  #listen(error, remove) {
    const { element } = this;
    this.#task.onOpen(({ header, profile, reconnected }) => {
      this.#opened = true;
      const cost = profile.cost ?? profile.handshakeCost;
      const opened = cost === undefined ? texts.opened : texts.openedIn(formatCount(Math.round(cost)));
      const lines = Object.entries(header).map(([name, value]) => `\n${name}: ${value}`);
      this.#log.add(
        'event',
        `${reconnected ? texts.reconnectedEvent(reconnected) : opened}${lines.join('')}`,
      );
      find(element, '.reconnects', HTMLElement).hidden = !reconnected;
      show(find(element, '.reconnected', HTMLElement), `${formatCount(reconnected ?? 0)}×`);
      tell(error);
      find(element, '.offer', HTMLElement).hidden = true;
      this.update();
    });
    this.#task.onMessage(({ data }) => {
      if (!this.#echoTest.take(data)) this.#add('received', data);
    });
    this.#task.onError(({ errMsg }) => {
      this.#log.add('event', texts.errorEvent(errMsg));
      tell(error, errMsg);
      find(element, '.offer', HTMLElement).hidden = this.#opened || !this.#askRelay;
      this.#echoTest.stop();
    });
    this.#task.onClose(({ code, reason, wasClean }) => {
      const ending = `${code}${reason && ` “${reason}”`}${texts.comma}${wasClean ? texts.clean : texts.notClean}`;
      this.#log.add('event', texts.closeEvent(ending));
      show(find(element, '.ending .close', HTMLElement), ending);
      find(element, '.ending', HTMLElement).hidden = false;
      remove.hidden = false;
      this.#echoTest.stop();
      const focused = element.contains(document.activeElement);
      this.update();
      if (focused) element.focus(); // what had it may be hidden now
      element.dispatchEvent(new Event('taskclose', { bubbles: true }));
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

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLElement} error
   */
  #wireSend(form, error) {
    const message = find(form, 'textarea', HTMLTextAreaElement);
    const type = find(form, '.type select', HTMLSelectElement);
    const times = find(form, '.times input', HTMLInputElement);
    const file = find(form, '.file input', HTMLInputElement);
    const button = find(form, '.submit', HTMLButtonElement);

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
      const { read, fault } = readers[/** @type {keyof typeof readers} */ (type.value)];
      const data = read(message.value);
      if (data === undefined) {
        tell(error, fault);
        return;
      }
      this.#sending = true;
      show(button, texts.stop);
      tell(error, await this.#send(data, times.valueAsNumber || 1));
      show(button, texts.send);
      this.#sending = false;
    });
    file.addEventListener('change', async () => {
      for (const each of file.files ?? []) {
        const failure = await each.arrayBuffer().then(
          (data) => this.#send(data, 1),
          (why) => texts.cannotRead(each.name, why.message),
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

/** How what is typed is read, by the type that is chosen. */
const readers = {
  text: { read: (/** @type {string} */ text) => text, fault: '' },
  hex: { read: fromHex, fault: texts.badHex },
  base64: { read: fromBase64, fault: texts.badBase64 },
};

/** Lets events and drawing through. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

/** @param {{ messages: number, bytes: number }} tally */
const formatTally = ({ messages, bytes }) => `${formatCount(messages)} · ${formatBytes(bytes)}`;
