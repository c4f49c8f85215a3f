import { connectSocket } from 'connectsocket';

// A call on the server: it talks where there is a WebSocket, and says why it cannot where there is none.
export default defineEventHandler(
  (event) =>
    new Promise((resolve) => {
      const task = connectSocket({ url: getQuery(event).server, fail: ({ errMsg }) => resolve(errMsg) });
      task.onOpen(() => task.send({ data: 'from the server' }));
      task.onMessage(({ data }) => {
        task.close();
        resolve(data);
      });
      task.onError(({ errMsg }) => resolve(errMsg));
    }),
);
