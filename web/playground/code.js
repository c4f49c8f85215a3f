/** @typedef {import('./draft.js').Option} Option */
/** @typedef {Pick<import('../connectsocket.js').LoadOption, 'relay' | 'domains'>} LoadOption */
/** @typedef {'plain' | 'taro' | 'uni' | 'wx'} Style */

const HANDLERS = `task.onOpen(() => task.send({ data: 'hello' }));
task.onMessage(({ data }) => console.log(data));
task.onError(({ errMsg }) => console.error(errMsg));
task.onClose(({ code, reason }) => console.log(code, reason));`;

/** @type {Record<Style, (option: Option, settings: LoadOption) => string>} */
const styles = {
  plain: (option, { relay, domains }) => `<!doctype html>
<script src="connectsocket.js"${attribute('relay', relay)}${attribute('domains', domains?.join(' '))}></script>
<script>
${indent(`const task = connectSocket(${literal(option)});\n${HANDLERS}`)}
</script>
`,

  taro: (option, settings) => `// config/index.ts
// plugins: [['connectsocket/taro', ${literal(settings, false)}]],

import Taro from '@tarojs/taro';

const task = await Taro.connectSocket(${literal(option)});
${HANDLERS}
`,

  // Without a callback uni-app gives a promise, not the task.
  uni: (option, settings) => `// vite.config.js
// import connectsocket from 'connectsocket/uni';
// plugins: [connectsocket(${literal(settings, false)}), uni()],

const task = uni.connectSocket(${literal({ ...option, complete: () => {} })});
${HANDLERS}
`,

  wx: (option, settings) => `import { load } from 'connectsocket';
import { install } from 'connectsocket/wx';

load(${literal(settings, false)});
globalThis.wx = install(globalThis.wx ?? {});

const task = wx.connectSocket(${literal(option)});
${HANDLERS}
`,
};

/**
 * Gives the code that connects as the form does.
 * @param {Style} style
 * @param {Option} option of connectSocket
 * @param {LoadOption} settings of load
 */
export const codeOf = (style, option, settings) => styles[style](option, settings);

/**
 * @param {string} name
 * @param {string} [value]
 */
const attribute = (name, value) =>
  value ? ` data-${name}="${value.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"` : '';

/** @param {string} text */
const indent = (text) => text.replaceAll(/^/gm, '  ');

/**
 * Gives JavaScript for a value.
 * @param {unknown} value
 * @param {boolean} [lines] whether an object's members are on lines of their own
 * @returns {string}
 */
function literal(value, lines = true) {
  if (typeof value === 'function') return '() => {}';
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return `[${value.map((each) => literal(each, false)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const members = Object.entries(value).map(
    ([name, each]) => `${/^[a-z_$][\w$]*$/i.test(name) ? name : quote(name)}: ${literal(each, false)}`,
  );
  if (members.length === 0) return '{}';
  return lines ? `{\n${indent(`${members.join(',\n')},`)}\n}` : `{ ${members.join(', ')} }`;
}

/**
 * Gives a string in single quotes; in it no end of a script element, and no comment of HTML.
 * @param {string} text
 */
const quote = (text) =>
  `'${JSON.stringify(text)
    .slice(1, -1)
    .replaceAll('\\"', '"')
    .replaceAll("'", "\\'")
    .replaceAll(/<(?=[/!])/g, '\\x3c')}'`;
