import Taro from '@tarojs/taro';
import { goodbye, goodbyeByObject } from 'goodbye';
import { server } from '../../server';

/** One thing that the API documents, and code that shows what becomes of it. */
export interface Probe {
  name: string;
  /** @returns what was seen, in words */
  run(): Promise<string>;
}

/** The server's URL, with a query. */
const at = (query: string) => `${server}?${query}`;

let ids = 0;
const newId = () => `${Math.random()}-${ids++}`;

/** What the server saw of the connection with this id, once it has ended. */
async function report(id: string): Promise<{ messages: number; code: number; reason: string }> {
  const response = await fetch(`${server.replace(/^ws/, 'http')}?report=${id}`);
  return response.json();
}

/** Waits until a task has ended, without a handler. */
async function ended(task: Taro.SocketTask) {
  while (task.readyState !== task.CLOSED) await new Promise((resolve) => setTimeout(resolve, 10));
}

const describe = (thrown: unknown) => String((thrown as { errMsg?: string }).errMsg ?? thrown);
const fields = (res: object) => (res instanceof Event ? 'an Event' : `{${Object.keys(res)}}`);

async function saidGoodbye(part: (url: string) => Promise<void>) {
  const id = newId();
  try {
    await part(at(`id=${id}`));
  } catch (error) {
    return describe(error);
  }
  const { code, reason } = await report(id);
  return `${code} ${reason}`.trim();
}

// Those that leave Taro's own with fewer connections stand last.
export const probes: Probe[] = [
  {
    name: 'close({code, reason}) reaches the server',
    async run() {
      const id = newId();
      const task = await Taro.connectSocket({ url: at(`id=${id}`) });
      await new Promise((resolve) => task.onOpen(resolve));
      await task.close({ code: 4001, reason: 'enough' });
      const { code, reason } = await report(id);
      return `${code} ${reason}`.trim();
    },
  },
  {
    name: 'onClose gets the real {code, reason}',
    async run() {
      const task = await Taro.connectSocket({ url: at('code=4002&reason=over') });
      const { code, reason, ...more } = await new Promise<Taro.SocketTask.OnCloseCallbackResult>((resolve) =>
        task.onClose(resolve),
      );
      return `${code} ${reason} ${JSON.stringify(more)}`;
    },
  },
  {
    name: 'binary arrives as ArrayBuffer',
    async run() {
      const task = await Taro.connectSocket({ url: at('push=1&type=binary') });
      const { data } = await new Promise<{ data: unknown }>((resolve) => task.onMessage(resolve));
      await task.close({});
      return Object.prototype.toString.call(data).slice(8, -1);
    },
  },
  {
    name: 'onOpen gets {header}',
    async run() {
      const task = await Taro.connectSocket({ url: server });
      const res = await new Promise<object>((resolve) => task.onOpen(resolve));
      await task.close({});
      return fields(res);
    },
  },
  {
    name: 'onError gets {errMsg}',
    async run() {
      const task = await Taro.connectSocket({ url: at('status=403') });
      const res = await new Promise<object>((resolve) => task.onError(resolve));
      await task.close({});
      return fields(res);
    },
  },
  {
    name: 'a refused constructor calls fail and complete',
    async run() {
      const seen: string[] = [];
      try {
        await Taro.connectSocket({
          url: server,
          protocols: ['same', 'same'],
          fail: () => seen.push('fail'),
          complete: () => seen.push('complete'),
        });
      } catch (error) {
        seen.push(error instanceof Error ? error.name : fields(error as object));
      }
      return seen.join(', ');
    },
  },
  {
    name: 'header and perMessageDeflate: false reach the server',
    async run() {
      // The types of Taro have no perMessageDeflate.
      const option = { url: at('headers=1'), header: { 'x-sent-by': 'the page' }, perMessageDeflate: false };
      const task = await Taro.connectSocket(option);
      const { data } = await new Promise<{ data: string }>((resolve) => task.onMessage(resolve));
      await task.close({});
      const { 'X-Sent-By': sentBy = 'not sent', 'Sec-Websocket-Extensions': extensions = 'none' } =
        JSON.parse(data);
      return `${sentBy}, extensions: ${extensions}`;
    },
  },
  {
    name: 'timeout',
    async run() {
      // The types of Taro have no timeout.
      const option = { url: at('delay=2s'), timeout: 200 };
      const task = await Taro.connectSocket(option);
      const seen = await new Promise<string>((resolve) => {
        task.onOpen(() => resolve('ignored'));
        task.onError(({ errMsg }) => resolve(errMsg));
      });
      await task.close({});
      return seen;
    },
  },
  {
    name: 'returned value usable at once',
    async run() {
      const connecting = Taro.connectSocket({ url: server });
      const task = connecting as unknown as Taro.SocketTask;
      try {
        await new Promise<void>((resolve) => task.onOpen(() => resolve()));
        return 'yes';
      } catch {
        return 'no';
      } finally {
        (await connecting).close({});
      }
    },
  },
  {
    name: 'nothing lost before a handler is registered',
    async run() {
      const task = await Taro.connectSocket({ url: at('push=3&code=1000') });
      await ended(task);
      let messages = 0;
      task.onMessage(() => messages++);
      task.onClose(() => {});
      await new Promise((resolve) => setTimeout(resolve));
      await task.close({});
      return `${messages} of 3`;
    },
  },
  {
    name: 'connections at once, where the plugin is given maxSockets: 6',
    async run() {
      const tasks: Taro.SocketTask[] = [];
      try {
        while (tasks.length < 10) tasks.push(await Taro.connectSocket({ url: server }));
        return 'no limit';
      } catch (error) {
        return `${tasks.length}, then ${describe(error)}`;
      } finally {
        for (const task of tasks) task.close({});
      }
    },
  },
  {
    name: 'calls from node_modules, named import',
    run: () => saidGoodbye(goodbye),
  },
  {
    name: 'calls from node_modules, Taro.connectSocket',
    run: () => saidGoodbye(goodbyeByObject),
  },
  {
    name: 'the global functions',
    async run() {
      const seen: string[] = [];
      const id = newId();
      Taro.onSocketOpen(() => {
        seen.push('open');
        Taro.sendSocketMessage({ data: 'first' });
      });
      Taro.onSocketMessage(({ data }) => {
        seen.push(`message ${data}`);
        Taro.closeSocket({ code: 4004, reason: 'by closeSocket' });
      });
      Taro.onSocketClose(() => seen.push('close'));
      const task = await Taro.connectSocket({ url: at(`id=${id}`) });
      // Where the functions do nothing the task's own come to the end.
      task.onOpen(() => setTimeout(() => task.send({ data: 'second' })));
      task.onMessage(({ data }) => data === 'second' && task.close({}));
      await ended(task);
      return [...seen, (await report(id)).code].join(', ');
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
      try {
        const task = await Taro.connectSocket({
          url: server,
          success() {
            throw new Error('thrown by success');
          },
          complete: () => seen.push('complete'),
        });
        seen.push('resolved');
        await task.close({});
      } catch {
        seen.push('rejected');
      }
      removeEventListener('error', reported, true);
      return seen.join(', ');
    },
  },
  {
    name: 'slots always come back',
    async run() {
      for (let n = 0; n < 10; n++) {
        try {
          await ended(await Taro.connectSocket({ url: at('code=1000') }));
        } catch (error) {
          return `no more after a few: ${describe(error)}`;
        }
      }
      return '10 of 10 accepted';
    },
  },
];
