/** The built module beside the playground's folder. */
declare module '*/connectsocket.mjs' {
  export const connectSocket: typeof import('../connectsocket.js').connectSocket;
  export const load: typeof import('../connectsocket.js').load;
  export const stats: typeof import('../connectsocket.js').stats;
}
