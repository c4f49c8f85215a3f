/**
 * The members of the package, read from its types: tests that list members take them from here.
 */
import { readFileSync } from 'node:fs';

const types = readFileSync(new URL('../web/connectsocket.d.ts', import.meta.url), 'utf8');

/** @param {string} name */
function interfaceOf(name) {
  const body = types.split(`export interface ${name} `)[1]?.split('\n}')[0] ?? '';
  const members = Array.from(body.matchAll(/^ {2}(?:readonly )?(\w+)[<(?:]/gm), ([, member]) => member);
  if (members.length === 0) throw new Error(`no members of ${name} found in the types`);
  return [...new Set(members)];
}

/** What connectsocket.mjs exports. */
export const moduleExports = Array.from(
  types.matchAll(/^export (?:function|const) (\w+)/gm),
  ([, name]) => name,
);

/** What a task has. */
export const taskMembers = interfaceOf('SocketTask');

/** What `install` puts on an object. */
export const family = interfaceOf('Family');
