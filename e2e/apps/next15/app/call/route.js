import { connectSocket } from 'connectsocket';

// A call on the server: it talks where there is a WebSocket, and says why it cannot where there is none.
export async function GET(request) {
  const url = request.nextUrl.searchParams.get('server');
  const text = await new Promise((resolve) => {
    const task = connectSocket({ url, fail: ({ errMsg }) => resolve(errMsg) });
    task.onOpen(() => task.send({ data: 'from the server' }));
    task.onMessage(({ data }) => {
      task.close();
      resolve(data);
    });
    task.onError(({ errMsg }) => resolve(errMsg));
  });
  return new Response(text);
}
