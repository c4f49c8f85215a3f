import { type CloseResult, connectSocket, type SocketTask } from 'connectsocket';

export async function greet(url: string): Promise<CloseResult> {
  const task: SocketTask = await connectSocket({ url, protocols: ['chat'] });
  task.onOpen(({ profile }) => console.log(profile.cost));
  task.onMessage<string>(({ data }) => task.close({ reason: data.slice(0, 30) }));
  return new Promise((resolve) => task.onClose(resolve));
}
