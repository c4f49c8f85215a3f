import apiProxy, { promisify } from '@mpxjs/api-proxy';
import mpx from '@mpxjs/core';
import { install } from 'connectsocket/wx';
import { probes } from './probes.js';

// Here the page's URL chooses, so that both can be compared; an app has one of these.
const query = new URLSearchParams(location.search);
const usePromise = query.has('promise');
const family = install({});

mpx.use(apiProxy, {
  usePromise,
  custom: query.has('stock') ? {} : { web: usePromise ? promisify(family) : family },
});

const app = document.querySelector('#app');
for (const { name, run } of probes) {
  const words = await run().catch((error) => `failed: ${error?.errMsg ?? error}`);
  const probe = document.createElement('div');
  probe.className = 'probe';
  for (const text of [name, words])
    probe.append(Object.assign(document.createElement('div'), { textContent: text }));
  app.append(probe);
}
app.className = 'done';
