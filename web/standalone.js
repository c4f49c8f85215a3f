// The JavaScript half alone, for a page that starts the module itself, as any Go program.
import { createBridge } from '../internal/jsbridge/bridge.js';

Object.assign(globalThis, { connectsocketBridge: createBridge(undefined, VERSION) });
