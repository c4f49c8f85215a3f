// Your site's own: who is logged in, and each user's token for the upstream.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const tokens = { alice: 'token-of-alice' };
const sessions = new Map();

createServer((req, res) => {
  if (req.url === '/session') {
    // Asked by the page, by way of nginx. Check a password here.
    const session = randomUUID();
    sessions.set(session, 'alice');
    res.writeHead(204, { 'Set-Cookie': `session=${session}; Path=/; Secure; HttpOnly; SameSite=Lax` }).end();
    return;
  }
  // Asked by the relay.
  const user = sessions.get(/(?:^|; )session=([^;]+)/.exec(req.headers.cookie ?? '')?.[1]);
  if (user) res.writeHead(204, { 'Upstream-Authorization': `Bearer ${tokens[user]}` }).end();
  else res.writeHead(401, { 'Content-Type': 'text/plain' }).end('log in first');
}).listen(process.env.PORT ?? 9000, '127.0.0.1');
