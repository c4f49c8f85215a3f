import { connectSocket } from './connectsocket.mjs';

const task = await connectSocket({ url: 'wss://echo.example/' });
task.onOpen(() => task.send({ data: 'from a worker' }));
task.onMessage(({ data }) => {
  postMessage(data);
  task.close();
});
