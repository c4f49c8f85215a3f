// For a page that starts the module itself, as any Go program: the half of it that is JavaScript.
import { createBridge } from '../internal/jsbridge/bridge.js';

Object.assign(globalThis, { connectsocketBridge: createBridge(undefined, VERSION) });
