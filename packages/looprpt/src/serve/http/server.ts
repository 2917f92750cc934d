/**
 * The server on a socket: it listens while the model is still being loaded, and goes down without cutting a text short.
 *
 * Not here: signals and the command line; the decoder's thread, which is the caller's.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import type { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { type ServerConfig, serverConfig } from '../settings.js';
import { choiceSeed } from '../worker/choice-seed.js';
import type { DecoderClient } from '../worker/client.js';
import { Admission } from './admission.js';
import { createApp, type Phase } from './app.js';
import { ApiError } from './errors.js';
import { isLoopback } from './host-name.js';
import { Metrics } from './metrics.js';
import { REQUEST_ID } from './request-id.js';
import { Watch } from './watch.js';

/** Beyond the longest request, before a silent connection is cut off. */
const GRACE_SECONDS = 10;
/** Longer than proxies keep a connection, so that it is never closed just as they send the next request. */
const KEEP_ALIVE_SECONDS = 75;
const IDLE_CHECK_MS = 20;

/** @param request its `x-request-id` */
export type OnFault = (error: unknown, request: string) => void;

export class HttpServer {
  readonly #server: Server;
  readonly #admission: Admission;
  readonly #watch: Watch;
  /** Other machines get in, and without a key. */
  readonly isOpenToAll: boolean;
  #isDraining = false;

  private constructor(client: DecoderClient, config: ServerConfig, onFault: OnFault) {
    const { modelId, apiKey, maxBatch, queue, requestSeconds, maxBodyBytes, allowOrigins, seed } = config;
    this.#admission = new Admission(maxBatch + queue);
    this.isOpenToAll = apiKey === null && !isLoopback(config.host);
    this.#watch = new Watch(client, config.stallSeconds);
    const phase = (): Phase => {
      if (client.fault) return 'failed';
      if (this.#isDraining) return 'draining';
      if (this.#watch.isStalled) return 'stalled';
      return client.model ? 'ready' : 'loading';
    };
    const metrics = new Metrics(() => (client.model ? client.state : null));
    const app = createApp({
      ...{ client, phase, modelId, apiKey, requestSeconds, maxBodyBytes, onFault, admission: this.#admission },
      ...{ allowOrigins, loopbackOnly: apiKey === null && !config.allowWithoutKey },
      metrics,
      nextSeed: seeds(seed),
    });
    this.#server = createServer(getRequestListener(app.fetch, { errorHandler: unreadable }));
    this.#server.on('clientError', refuse);
    // A client that reads no more, or sends no more, holds its socket no longer than a request may take.
    this.#server.setTimeout((requestSeconds + GRACE_SECONDS) * 1000);
    this.#server.keepAliveTimeout = KEEP_ALIVE_SECONDS * 1000;
    metrics.gauge('looprpt_texts_admitted', 'texts that run, wait or are being read', () => this.#admission.inside);
    metrics.gauge(
      'looprpt_connections_open',
      'connections of clients',
      promisify(this.#server.getConnections).bind(this.#server),
    );
  }

  /**
   * @param client of a decoder, which may still be loading its model
   * @param onFault is told of faults of ours, with the name of the request that met it
   * @throws UserError where the address is taken, or would let strangers in
   */
  static async listen(
    client: DecoderClient,
    options: z.input<typeof serverConfig>,
    onFault: OnFault,
  ): Promise<HttpServer> {
    const config = serverConfig.parse(options);
    checkExposure(config);
    const server = new HttpServer(client, config, onFault);
    await server.#listen(config);
    return server;
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
  }

  /** Texts that run or wait. */
  get texts(): number {
    return this.#admission.inside;
  }

  /**
   * Takes no more requests, and ends when what was taken is done. `/ready` says so meanwhile. What a stalled decoder has taken is
   * not waited for.
   */
  async drain(): Promise<void> {
    this.#isDraining = true;
    await Promise.race([this.#admission.whenEmpty(), this.#watch.whenStalled()]);
    await (this.#watch.isStalled ? this.close() : this.#close());
  }

  /** Ends at once: what is under way is cut off. */
  async close(): Promise<void> {
    this.#isDraining = true;
    const closed = this.#close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #listen({ host, port }: ServerConfig): Promise<void> {
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

  /** Waits for answers that are still being written. */
  async #close(): Promise<void> {
    this.#watch[Symbol.dispose]();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    // A connection that is still being written to becomes idle later, and would be kept for its next request.
    const timer = setInterval(() => this.#server.closeIdleConnections(), IDLE_CHECK_MS);
    await closed;
    clearInterval(timer);
  }
}

/** @throws UserError where a server without a key would listen to more than this machine */
function checkExposure({ host, apiKey, allowWithoutKey }: ServerConfig): void {
  if (apiKey !== null || allowWithoutKey || isLoopback(host)) return;
  throw new UserError(
    `--host ${host} lets other machines in, and there is no key: set LOOPRPT_API_KEY, or say --allow-without-key`,
  );
}

function seeds(seed: number | undefined): () => number {
  if (seed === undefined) return () => randomInt(2 ** 48 - 1);
  let requests = 0;
  return () => choiceSeed(seed, requests++);
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
