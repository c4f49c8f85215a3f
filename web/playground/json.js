/**
 * Indents JSON by its tokens alone, so that numbers, repeated names and escapes stay as they were sent.
 * @param {string} text
 * @returns {string | undefined} undefined where it is not a JSON object or array
 */
export function indentJson(text) {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  let depth = 0;
  let result = '';
  const line = () => `\n${'  '.repeat(depth)}`;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  for (const [i, token] of tokens.entries()) {
    const opened = '{['.includes(tokens[i - 1] ?? ' ');
    if ('}]'.includes(token)) {
      depth--;
      result += opened ? token : line() + token; // nothing between: {} and []
    } else {
      if (opened || tokens[i - 1] === ',') result += line();
      result += token === ':' ? ': ' : token;
      if ('{['.includes(token)) depth++;
    }
  }
  return result;
}
