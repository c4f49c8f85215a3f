import type { HeartbeatOption, ReconnectOption } from 'connectsocket';

export const reconnect: ReconnectOption = {
  retries: Number.POSITIVE_INFINITY, // attempts in a row that may fail
  minDelay: 1000, // ms
  maxDelay: 30_000, // ms
  factor: 2, // at least 1
  jitter: 1, // from 0 to 1
  option: undefined, // (attempt) => ({ url, header, protocols }), or a promise of it
  whileHidden: false, // also reconnect while nobody sees the page
};

export const heartbeat: HeartbeatOption = {
  interval: 30_000, // ms
  message: 'ping', // required: what is sent, or a function that returns it
  timeout: 10_000, // ms
};
