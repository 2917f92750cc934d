/** A TCP port of this machine that nobody listens on. Another process may take it before it is used; nothing can prevent that. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  server.close();
  await once(server, 'close');
  return address.port;
}
