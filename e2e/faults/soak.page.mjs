/**
 * What the soak runs in the page: puts lanes and cycles on the global object. A message is as checked.go has it.
 */
export function soakPage() {
  /** @typedef {{ url: string, relay?: 'always' }} Option of connectSocket */
  const page = /** @type {any} */ (globalThis);
  const windowSize = 100; // messages of a lane that wait for their answers
  /** @type {string[]} */
  const wrong = [];

  const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  /**
   * CRC-32 as IEEE 802.3 has it.
   *
   * @param {Uint8Array} bytes
   */
  const crc32 = (bytes) => {
    let crc = -1;
    for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
    return ~crc >>> 0;
  };
  const noise = crypto.getRandomValues(new Uint8Array(65_536));
  const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

  /**
   * @param {number} n
   * @param {boolean} text
   */
  const message = (n, text) => {
    const length = Math.floor(Math.random() * 97);
    const begin = Math.floor(Math.random() * (noise.length - length));
    const bytes = new Uint8Array(8 + length);
    bytes.set(noise.subarray(begin, begin + length), 8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, n);
    view.setUint32(4, crc32(bytes.subarray(8)));
    return text ? Array.from(bytes, (byte) => hex[byte]).join('') : bytes;
  };

  /**
   * Tells what is wrong with a message.
   *
   * @param {string | ArrayBuffer} data
   * @param {number} want
   * @param {boolean} text
   */
  const fault = (data, want, text) => {
    if ((typeof data === 'string') !== text) return `message ${want} is of another type`;
    const bytes =
      typeof data === 'string'
        ? Uint8Array.from({ length: data.length / 2 }, (_, i) =>
            Number.parseInt(data.slice(2 * i, 2 * i + 2), 16),
          )
        : new Uint8Array(data);
    if (bytes.length < 8) return `message ${want} is of ${bytes.length} bytes`;
    const view = new DataView(bytes.buffer);
    if (view.getUint32(0) !== want) return `message ${view.getUint32(0)} in place of ${want}`;
    if (view.getUint32(4) !== crc32(bytes.subarray(8))) return `message ${want} is changed`;
    return '';
  };

  page.progress = () => ({
    ...connectSocket.stats(),
    ...page.census(),
    heap: page.performance.memory?.usedJSHeapSize ?? 0,
    lanes: page.lanes,
    cycles: page.cycles,
    wrong,
  });

  /**
   * Exchanges messages on one task, which reconnects whenever it is lost, until as many were answered.
   *
   * @param {Option} option
   * @param {number} messages
   * @param {boolean} text
   */
  const exchange = (option, messages, text) => {
    const lane = { answered: 0, lost: 0, connections: 0, tickets: 0, beats: 0 };
    page.lanes.push(lane);
    return new Promise((resolve) => {
      let [sent, answered, closes] = [0, 0, 0]; // of this connection
      let down = true;
      // As an app has them: a ticket for each connection, which comes later, and a heartbeat, whose answers are numbered too.
      const renew = async (/** @type {number} */ attempt) => {
        await null;
        lane.tickets++;
        return { url: `${option.url}?ticket=${attempt}` };
      };
      const reconnect = { minDelay: 200, maxDelay: 1000, option: renew };
      // Shorter than the silences.
      const beat = () => {
        lane.beats++;
        return message(sent++, text);
      };
      const heartbeat = { interval: 200, timeout: 300, message: beat };
      const task = connectSocket({
        ...{ ...option, reconnect, heartbeat, timeout: 2000 },
        fail: ({ errMsg }) => wrong.push(errMsg),
      });
      const fill = () => {
        while (sent - answered < windowSize && lane.answered + sent - answered < messages) {
          task.send({ data: message(sent++, text) });
        }
      };
      task.onOpen(({ reconnected = 0 }) => {
        if (!down || reconnected !== lane.connections) wrong.push(`open again as number ${reconnected}`);
        down = false;
        lane.connections++;
        [sent, answered] = [0, 0];
        fill();
      });
      task.onMessage(({ data }) => {
        const why = fault(data, answered++, text);
        if (why || down || answered > sent || closes > 0) wrong.push(why || 'a message that answers none');
        if (++lane.answered === messages) task.close({ code: 3000 });
        else if (sent - answered <= windowSize / 2) fill();
      });
      task.onError(({ errMsg }) => {
        if (closes > 0) wrong.push('an error after the close');
        if (lane.answered < messages && task.readyState !== 0) wrong.push(`gave up: ${errMsg}`);
        if (!down) lane.lost += sent - answered;
        down = true;
      });
      task.onClose(({ code }) => {
        if (++closes > 1) wrong.push('closed twice');
        if (lane.answered < messages || (code !== 3000 && !down)) wrong.push(`closed with ${code}`);
        resolve(undefined);
      });
    });
  };

  /**
   * Runs a lane for each option: text and binary in turn.
   *
   * @param {Option[]} options
   * @param {number} messages for each
   */
  page.runLanes = async (options, messages) => {
    page.lanes = [];
    await Promise.all(options.map((option, i) => exchange(option, messages, i % 2 === 0)));
  };

  /**
   * Connects and closes, in each way in turn, five at a time.
   *
   * @param {string} server
   * @param {number} cycles in all
   */
  page.runCycles = async (server, cycles) => {
    page.cycles = 0;
    let begun = 0;
    /** @param {number} n */
    const cycle = (n) =>
      new Promise((resolve) => {
        const way = n % 5;
        const path = [
          '/checked',
          '/echo?code=1000&after=1',
          '/echo?code=1000',
          '/echo?delay=10s',
          '/hostile?status=503',
        ][way];
        const url = server + path;
        /** @type {Option} */
        const option = n % 2 === 0 ? { url } : { url, relay: 'always' };
        const task = connectSocket({ ...option, fail: ({ errMsg }) => wrong.push(errMsg) });
        /** @type {string[]} */
        const seen = [];
        task.onOpen(() => {
          seen.push('open');
          if (way === 0) task.close();
          if (way === 1) task.send({ data: message(0, true) });
        });
        task.onMessage(() => seen.push('message'));
        task.onError(() => seen.push('error'));
        task.onClose(({ code }) => {
          seen.push(`close ${code}`);
          const want = [
            'open,close 1000',
            'open,message,close 1000',
            'open,close 1000',
            'close 1006',
            'error,close 1006',
          ][way];
          if (seen.join() !== want) wrong.push(`${path}: saw ${seen}`);
          page.cycles++;
          resolve(undefined);
        });
        if (way === 3) task.close();
      });
    const worker = async () => {
      while (begun < cycles) await cycle(begun++);
    };
    await Promise.all(Array.from({ length: 5 }, worker));
  };
}
