/** @typedef {import('../connectsocket.js').ConnectOption} ConnectOption */

/**
 * What the form holds: all that is needed to fill it again.
 * @typedef {object} Draft
 * @property {Record<string, string>} fields by the name of the control; of a checkbox `on` or nothing
 * @property {[name: string, value: string][]} headers
 */

/** @typedef {ConnectOption & { heartbeat?: { interval?: number, message: string, timeout?: number } }} Option */

/**
 * Gives the option of connectSocket that a draft asks for, with nothing in it that is left at its default.
 * @param {Draft} draft
 * @returns {Option}
 */
export function toOption({ fields, headers }) {
  const protocols = (fields.protocols ?? '').split(/[\s,]+/).filter(Boolean);
  const header = headers.filter(([name]) => name.trim()).map(([name, value]) => [name.trim(), value]);
  const reconnect = numbers({
    retries: fields.retries,
    minDelay: fields.minDelay,
    maxDelay: fields.maxDelay,
  });
  const { interval, timeout: patience } = numbers({ interval: fields.interval, timeout: fields.patience });
  return {
    url: (fields.url ?? '').trim(),
    ...(header.length > 0 && { header: Object.fromEntries(header) }),
    ...(protocols.length > 0 && { protocols }),
    ...numbers({ timeout: fields.timeout }),
    ...(fields.reconnect && { reconnect: Object.keys(reconnect).length > 0 ? reconnect : true }),
    ...(fields.heartbeat && {
      heartbeat: {
        ...(interval !== undefined && { interval }),
        message: fields.message ?? '',
        ...(patience !== undefined && { timeout: patience }),
      },
    }),
    ...(fields.relay && { relay: 'always' }),
    ...(fields.perMessageDeflate && { perMessageDeflate: fields.perMessageDeflate === 'true' }),
    ...(fields.tcpNoDelay && { tcpNoDelay: fields.tcpNoDelay === 'true' }),
  };
}

/**
 * Says whether a call goes through the relay, where there is one.
 * @param {Option} option
 */
export const asksForRelay = ({ relay, header, perMessageDeflate, tcpNoDelay }) =>
  relay === 'always' || header !== undefined || perMessageDeflate !== undefined || tcpNoDelay !== undefined;

/**
 * @template {string} K
 * @param {Record<K, string | undefined>} fields
 * @returns {Partial<Record<K, number>>} those that are filled in
 */
function numbers(fields) {
  const filled = Object.entries(fields).filter(([, text]) => text);
  return /** @type {Partial<Record<K, number>>} */ (
    Object.fromEntries(filled.map(([name, text]) => [name, Number(text)]))
  );
}
