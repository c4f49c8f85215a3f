import mpx from '@mpxjs/core';

const server = new URL('/echo', location.origin.replace(/^http/, 'ws')).href;
const at = (query) => `${server}?${query}`;

let ids = 0;
const newId = () => `${Math.random()}-${ids++}`;

/** What the server saw of the connection with this id, once it has ended. */
async function report(id) {
  const response = await fetch(`${server.replace(/^ws/, 'http')}?report=${id}`);
  return response.json();
}

/** Connects, as Mpx gives the task: itself, or beside a promise. */
function connect(option) {
  const returned = mpx.connectSocket(option);
  return returned.__returned ?? returned;
}

const opened = (task) => new Promise((resolve) => task.onOpen(resolve));
const fields = (res) => (res instanceof Event ? 'an Event' : `{${Object.keys(res)}}`);

export const probes = [
  {
    name: 'what a call returns',
    async run() {
      const returned = mpx.connectSocket({ url: at('code=1000') });
      return returned instanceof Promise ? `a promise of ${fields(await returned)}` : 'the task';
    },
  },
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
    name: 'onClose gets {code, reason}',
    async run() {
      const task = connect({ url: at('code=4002&reason=over') });
      return fields(await new Promise((resolve) => task.onClose(resolve)));
    },
  },
  {
    name: 'binary arrives as ArrayBuffer',
    async run() {
      const task = connect({ url: at('push=1&type=binary') });
      const { data } = await new Promise((resolve) => task.onMessage(resolve));
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
    name: 'the global functions',
    async run() {
      const seen = [];
      const id = newId();
      mpx.onSocketOpen(() => {
        seen.push('open');
        mpx.sendSocketMessage({ data: 'first' });
      });
      mpx.onSocketMessage(({ data }) => {
        seen.push(`message ${data}`);
        mpx.closeSocket({ code: 4004, reason: 'by closeSocket' });
      });
      const task = connect({ url: at(`id=${id}`) });
      // Where the functions do nothing the task's own come to the end.
      const ended = new Promise((resolve) => task.onClose(resolve));
      task.onOpen(() => setTimeout(() => task.send({ data: 'second' })));
      task.onMessage(({ data }) => data === 'second' && task.close({}));
      await ended;
      return [...seen, (await report(id)).code].join(', ');
    },
  },
];
