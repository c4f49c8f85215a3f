// The classic script: it has no exports, and puts connectSocket on the page's global object.
import './connectsocket.js';
