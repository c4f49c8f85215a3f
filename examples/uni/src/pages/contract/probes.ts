import { goodbye, goodbyeByWx } from 'goodbye';
import { server } from '../../server';

/** One thing that the API documents, and code that shows what becomes of it. */
export interface Probe {
  name: string;
  /** @returns what was seen, in words */
  run(): Promise<string>;
}

/** What uni's types leave out. */
type Option = UniNamespace.ConnectSocketOption & { perMessageDeflate?: boolean; timeout?: number };
type Task = UniNamespace.SocketTask & { readonly readyState: number; readonly CLOSED: number };

/** The server's URL, with a query. */
const at = (query: string) => `${server}?${query}`;

let ids = 0;
const newId = () => `${Math.random()}-${ids++}`;

/** Connects as uni gives the task itself: with a callback. */
const connect = (option: Option) => uni.connectSocket({ success() {}, ...option }) as Task;

/** What the server saw of the connection with this id, once it has ended. */
async function report(id: string): Promise<{ messages: number; code: number; reason: string }> {
  const response = await fetch(`${server.replace(/^ws/, 'http')}?report=${id}`);
  return response.json();
}

/** Waits until a task has ended, without a handler. */
async function ended(task: Task) {
  while (task.readyState !== task.CLOSED) await new Promise((resolve) => setTimeout(resolve, 10));
}

const opened = (task: Task) => new Promise<object>((resolve) => task.onOpen(resolve));
const received = (task: Task) =>
  new Promise<unknown>((resolve) => task.onMessage(({ data }) => resolve(data)));

const fields = (res: object) => `{${Object.keys(res)}}`;

async function saidGoodbye(part: (url: string) => Promise<void>) {
  const id = newId();
  await part(at(`id=${id}`));
  const { code, reason } = await report(id);
  return `${code} ${reason}`.trim();
}

// What the last one registers stays.
export const probes: Probe[] = [
  {
    name: 'close({code, reason}) reaches the server',
    async run() {
      const id = newId();
      const task = connect({ url: at(`id=${id}`) });
      await opened(task);
      task.close({ code: 4001, reason: 'enough' });
      const { code, reason } = await report(id);
      return `${code} ${reason}`.trim();
    },
  },
  {
    name: 'onClose gets the real {code, reason}',
    async run() {
      const task = connect({ url: at('code=4002&reason=over') });
      const { code, reason, ...more } = await new Promise<{ code: number; reason: string }>((resolve) =>
        task.onClose(resolve),
      );
      return `${code} ${reason} ${JSON.stringify(more)}`;
    },
  },
  {
    name: 'binary arrives as ArrayBuffer',
    async run() {
      const task = connect({ url: at('push=1&type=binary') });
      const data = await received(task);
      task.close({});
      return Object.prototype.toString.call(data).slice(8, -1);
    },
  },
  {
    name: 'onOpen gets {header}',
    async run() {
      const task = connect({ url: server });
      const res = await opened(task);
      task.close({});
      return fields(res);
    },
  },
  {
    name: 'onError gets {errMsg}',
    async run() {
      const task = connect({ url: at('status=403') });
      const res = await new Promise<object>((resolve) => task.onError(resolve));
      task.close({});
      return fields(res);
    },
  },
  {
    name: 'a refused constructor calls fail and complete',
    async run() {
      const seen: string[] = [];
      connect({
        url: server,
        protocols: ['same', 'same'],
        fail: ({ errMsg }) => seen.push(`fail ${/^connectSocket:fail SyntaxError/.test(errMsg)}`),
        complete: () => seen.push('complete'),
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
      return seen.join(', ');
    },
  },
  {
    name: 'header and perMessageDeflate: false reach the server',
    async run() {
      const task = connect({
        url: at('headers=1'),
        header: { 'x-sent-by': 'the page' },
        perMessageDeflate: false,
      });
      const data = await received(task);
      task.close({});
      const { 'X-Sent-By': sentBy = 'not sent', 'Sec-Websocket-Extensions': extensions = 'none' } =
        JSON.parse(String(data));
      return `${sentBy}, extensions: ${extensions}`;
    },
  },
  {
    name: 'timeout',
    async run() {
      const task = connect({ url: at('delay=2s'), timeout: 200 });
      const seen = await new Promise<string>((resolve) => {
        task.onOpen(() => resolve('ignored'));
        task.onError(({ errMsg }) => resolve(errMsg));
      });
      task.close({});
      return seen;
    },
  },
  {
    name: 'the promise is of the task',
    async run() {
      const task: Partial<UniNamespace.SocketTask> = await uni.connectSocket({ url: at('code=1000') });
      return typeof task.onOpen === 'function' ? 'yes' : `no: ${fields(task)}`;
    },
  },
  {
    name: 'the promise is usable at once',
    async run() {
      const connecting = uni.connectSocket({ url: at('code=1000') }) as Partial<UniNamespace.SocketTask>;
      return typeof connecting.onOpen === 'function' ? 'yes' : 'no';
    },
  },
  {
    name: 'nothing lost before a handler is registered',
    async run() {
      const task = connect({ url: at('push=3&code=1000') });
      await ended(task);
      let messages = 0;
      task.onMessage(() => messages++);
      await new Promise((resolve) => setTimeout(resolve));
      return `${messages} of 3`;
    },
  },
  {
    name: 'connections at once, where the plugin is given maxSockets: 6',
    async run() {
      let accepted = 0;
      let refused = '';
      const tasks: Task[] = [];
      while (tasks.length < 10) {
        const told = new Promise((complete) => {
          tasks.push(
            connect({
              url: server,
              success: () => accepted++,
              fail({ errMsg }) {
                refused ||= `${accepted}, then ${errMsg}`;
              },
              complete,
            }),
          );
        });
        await told;
      }
      for (const task of tasks) task.close({});
      await Promise.all(tasks.map(ended)); // uni's global functions go on with the oldest that is open
      return refused || 'no limit';
    },
  },
  {
    name: 'calls from node_modules, uni.connectSocket',
    run: () => saidGoodbye(goodbye),
  },
  {
    name: 'calls from node_modules, wx.connectSocket',
    run: () => saidGoodbye(goodbyeByWx),
  },
  {
    name: 'the global functions are for',
    async run() {
      const ids = [newId(), newId()];
      const tasks: Task[] = [];
      for (const id of ids) {
        tasks.push(connect({ url: at(`id=${id}`) }));
        await opened(tasks[tasks.length - 1]);
      }
      uni.closeSocket({ code: 4005 });
      const first = await Promise.race(
        tasks.map((task, i) => ended(task).then(() => (i === 0 ? 'the oldest task' : 'the newest task'))),
      );
      for (const task of tasks) task.close({});
      await Promise.all(tasks.map(ended));
      return first;
    },
  },
  {
    name: 'interceptors',
    async run() {
      const seen: string[] = [];
      const id = newId();
      uni.addInterceptor('connectSocket', {
        invoke: (option: Option) => {
          option.url += `?id=${id}`;
        },
        success: () => seen.push('success'),
      });
      const option = { url: server };
      const task = connect(option);
      uni.removeInterceptor('connectSocket');
      await opened(task);
      task.close({ code: 4006 });
      const { code } = await report(id);
      return [...seen, code, option.url === server ? 'option kept' : 'option changed'].join(', ');
    },
  },
  {
    name: 'a handler that throws harms no other',
    async run() {
      const seen: string[] = [];
      const reported = (event: Event) => {
        event.stopImmediatePropagation();
        event.preventDefault();
        seen.push('reported');
      };
      addEventListener('error', reported, true);
      const task = connect({
        url: server,
        success() {
          throw new Error('thrown by success');
        },
        complete: () => seen.push('complete'),
      });
      await opened(task);
      seen.push('open');
      task.close({});
      removeEventListener('error', reported, true);
      return seen.join(', ');
    },
  },
  {
    name: 'slots always come back',
    async run() {
      let failed = '';
      for (let n = 0; n < 10; n++) {
        const task = connect({
          url: at('code=1000'),
          fail({ errMsg }) {
            failed ||= errMsg;
          },
        });
        await ended(task);
      }
      return failed || '10 of 10 accepted';
    },
  },
  {
    name: 'the global functions',
    async run() {
      const seen: string[] = [];
      const id = newId();
      uni.onSocketOpen(() => {
        seen.push('open');
        uni.sendSocketMessage({ data: 'first' });
      });
      uni.onSocketMessage(({ data }) => {
        seen.push(`message ${data}`);
        uni.closeSocket({ code: 4004, reason: 'by closeSocket' });
      });
      const closed = new Promise<void>((resolve) => uni.onSocketClose(() => resolve()));
      connect({ url: at(`id=${id}`) });
      await closed;
      return [...seen, 'close', (await report(id)).code].join(', ');
    },
  },
];
