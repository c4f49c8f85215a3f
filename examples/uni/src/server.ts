/** The echo server: `?server=ws://host/echo` of the page's URL, else /echo of the page's own. */
export const server =
  new URLSearchParams(location.search).get('server') ??
  new URL('/echo', location.origin.replace(/^http/, 'ws')).href;
