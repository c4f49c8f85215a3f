import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { atExit } from '../drive/processes.mjs';
import { certificate } from '../drive/server.mjs';

const binary = fileURLToPath(new URL('../../bin/faults', import.meta.url));

/**
 * A running bin/faults: see main.go.
 *
 * @typedef {object} Faults
 * @property {Record<'control' | 'server' | 'toxic' | 'relay' | 'plain' | 'refuses' | 'strange', string>} at its addresses
 * @property {(proxy: string, toxic: object) => Promise<void>} poison adds a toxic to a proxy, as toxiproxy documents them
 * @property {() => Promise<void>} heal takes all toxics away, and enables the proxies
 * @property {(proxy: string, enabled: boolean) => Promise<void>} enable
 * @property {() => Promise<{ goroutines: number, heap: number, messages: number, wrong: string[] }>} stats
 * @property {() => Promise<void>} close ends it at once, by SIGKILL
 */

/**
 * Starts bin/faults.
 *
 * @param {{ tls?: boolean, addr?: string, allow?: string }} [option] tls serves wss; addr is the server's, host:port, by
 *   default on a free port; allow is another upstream for its relay
 * @returns {Promise<Faults>}
 */
export async function startFaults({ tls = false, addr = '127.0.0.1:0', allow = '' } = {}) {
  const { key, cert } = tls ? certificate() : { key: '', cert: '' };
  const child = spawn(
    binary,
    [`-addr=${addr}`, `-tls-cert=${cert}`, `-tls-key=${key}`, `-allow=${allow}`],
    // It ends when this process does: its standard input ends then.
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const forget = atExit(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), exited]);
  if (typeof line !== 'string') throw new Error(`bin/faults did not start: ${line}`);
  const at = JSON.parse(line);

  /**
   * @param {string} path
   * @param {object} [body] of a POST
   */
  const ask = async (path, body) => {
    const init = body && { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(at.control + path, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text && JSON.parse(text);
  };
  return {
    at,
    poison: (proxy, toxic) => ask(`/proxies/${proxy}/toxics`, toxic),
    heal: () => ask('/reset', {}),
    enable: (proxy, enabled) => ask(`/proxies/${proxy}`, { enabled }),
    stats: () => ask('/stats'),
    async close() {
      forget();
      await exited;
    },
  };
}

/** A server that is killed and started again, at the same address. */
export class Victim {
  /** @type {Faults | undefined} */
  #faults;
  #tls;
  /** host:port, once it has been started. */
  address = '';

  /** @param {boolean} tls */
  constructor(tls) {
    this.#tls = tls;
  }

  /** Starts it, unless it runs. */
  async start() {
    this.#faults ??= await startFaults({ tls: this.#tls, addr: this.address || '127.0.0.1:0' });
    this.address = this.#faults.at.server;
  }

  /** Kills it, if it runs. */
  async kill() {
    await this.#faults?.close();
    this.#faults = undefined;
  }
}
