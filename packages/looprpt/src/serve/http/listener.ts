/**
 * A web application on a socket of this machine: where it listens, who is refused before a request is one, how it closes. Which routes
 * it has is the application's business.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import { UserError } from '../../base/user-error.js';
import type { ServerConfig } from '../settings.js';
import { ApiError } from './errors.js';
import { isLoopback } from './host-name.js';
import { REQUEST_ID } from './request-id.js';

/** Longer than proxies keep a connection, so that it is never closed just as they send the next request. */
const KEEP_ALIVE_SECONDS = 75;
const IDLE_CHECK_MS = 20;

/** What answers requests; a Hono application's `fetch` is one. */
export type Fetch = (request: Request) => Response | Promise<Response>;

export type Exposure = Pick<ServerConfig, 'host' | 'port' | 'apiKey' | 'allowWithoutKey'>;

export class Listener {
  readonly #server: Server;

  /** @param silentSeconds after which a connection that neither sends nor reads is cut off */
  constructor(fetch: Fetch, silentSeconds: number) {
    this.#server = createServer(getRequestListener(fetch, { errorHandler: unreadable }));
    this.#server.on('clientError', refuse);
    this.#server.setTimeout(silentSeconds * 1000);
    this.#server.keepAliveTimeout = KEEP_ALIVE_SECONDS * 1000;
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
  }

  /** Of clients, at this moment. */
  connections(): Promise<number> {
    return promisify(this.#server.getConnections).bind(this.#server)();
  }

  /** @throws UserError where the address is taken, or would let strangers in */
  async listen(exposure: Exposure): Promise<void> {
    checkExposure(exposure);
    const { host, port } = exposure;
    this.#server.listen(port, host);
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const where = `${host}, port ${port}`;
      if (code === 'EADDRINUSE') throw new UserError(`${where}: something listens there already; give another --port`);
      throw new UserError(`${where}: cannot listen there (${code ?? message})`);
    }
  }

  /** Takes no more requests and waits for answers that are still being written. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    // A connection that is still being written to becomes idle later, and would be kept for its next request.
    const timer = setInterval(() => this.#server.closeIdleConnections(), IDLE_CHECK_MS);
    await closed;
    clearInterval(timer);
  }

  /** Ends at once: what is under way is cut off. */
  async cut(): Promise<void> {
    const closed = this.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** @throws UserError where a server without a key would listen to more than this machine */
function checkExposure({ host, apiKey, allowWithoutKey }: Exposure): void {
  if (apiKey !== null || allowWithoutKey || isLoopback(host)) return;
  throw new UserError(
    `--host ${host} lets other machines in, and there is no key: set LOOPRPT_API_KEY, or say --allow-without-key`,
  );
}

const UNREADABLE = ApiError.invalid('this is not an HTTP request that can be read', null, 'invalid_request');

/** Headers that the framework cannot make a request of. */
function unreadable(): Response {
  const response = UNREADABLE.response();
  response.headers.set(REQUEST_ID, randomUUID());
  return response;
}

const STATUS_LINES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What Node's parser cannot read never becomes a request. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = STATUS_LINES[error.code ?? ''] ?? '400 Bad Request';
  const body = JSON.stringify(UNREADABLE.body);
  const length = `content-length: ${Buffer.byteLength(body)}`;
  const head = ['connection: close', 'content-type: application/json', length, `${REQUEST_ID}: ${randomUUID()}`];
  socket.end(`HTTP/1.1 ${status}\r\n${head.join('\r\n')}\r\n\r\n${body}`);
}
