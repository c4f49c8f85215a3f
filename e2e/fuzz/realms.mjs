/**
 * Settings of the module by name.
 *
 * @type {Record<string, import('../../web/connectsocket.js').Settings>}
 */
export const realms = {
  default: {},
  small: { maxSockets: 2, onLimit: 'replace', maxHeldMessages: 3, maxHeldBytes: 64 },
  strict: { maxSockets: 1, domains: ['ws://fuzz.example', 'wss://fuzz.example:8443'] },
};
