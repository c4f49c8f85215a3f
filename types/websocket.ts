/** Code written for WebSocket accepts our class, and ours refuses what is wrong. Checked by tsc, never run. */
import { type OpenEvent, WebSocket as Ours, type WebSocketOption } from '../web/websocket.js';

const option: WebSocketOption = { header: { a: 1 }, reconnect: true, timeout: 1000 };
const Class: typeof WebSocket = Ours;
const ClassWithOptions: typeof WebSocket = Ours.with(option);
const own: Ours = new Ours(new URL('wss://a.example'), ['chat'], option);
const webSocket: WebSocket = own;
own.onopen = (event) => console.log((event as OpenEvent).header, (event as OpenEvent).reconnected);
own.addEventListener('message', ({ data }) => own.send(data));

// @ts-expect-error: the URL is an argument
new Ours('wss://a.example', [], { url: 'wss://b.example' });
// @ts-expect-error: a header has no number as its own
Ours.with({ header: 1 });
// @ts-expect-error: a task's name for it
own.onOpen;

export { Class, ClassWithOptions, webSocket };
