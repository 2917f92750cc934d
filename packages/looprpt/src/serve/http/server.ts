/**
 * The server on a socket: it listens while the model is still being loaded, and goes down without cutting a text short.
 *
 * Not here: the socket itself (listener.ts), signals and the command line; the decoder's thread, which is the caller's.
 */
import type { z } from 'zod';
import { type ServerConfig, serverConfig } from '../settings.js';
import type { DecoderClient } from '../worker/client.js';
import { isLoopback } from './host-name.js';
import { Listener } from './listener.js';
import { type OnFault, ServedApp } from './served-app.js';

export type { OnFault } from './served-app.js';

/** Beyond the longest request, before a silent connection is cut off. */
const GRACE_SECONDS = 10;

export class HttpServer {
  readonly #app: ServedApp;
  readonly #listener: Listener;
  /** Other machines get in, and without a key. */
  readonly isOpenToAll: boolean;

  private constructor(client: DecoderClient, config: ServerConfig, onFault: OnFault) {
    this.isOpenToAll = config.apiKey === null && !isLoopback(config.host);
    this.#app = new ServedApp(client, config, onFault);
    // A client that reads no more, or sends no more, holds its socket no longer than a request may take.
    this.#listener = new Listener(this.#app.fetch, config.requestSeconds + GRACE_SECONDS);
    this.#app.countConnections(() => this.#listener.connections());
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
    const server = new HttpServer(client, config, onFault);
    try {
      await server.#listener.listen(config);
    } catch (error) {
      server.#app[Symbol.dispose]();
      throw error;
    }
    return server;
  }

  get url(): string {
    return this.#listener.url;
  }

  /** Texts that run or wait. */
  get texts(): number {
    return this.#app.texts;
  }

  /**
   * Takes no more requests, and ends when what was taken is done. `/ready` says so meanwhile. What a stalled decoder has taken is
   * not waited for.
   */
  async drain(): Promise<void> {
    const isStalled = await this.#app.drained();
    if (isStalled) return this.close();
    this.#app[Symbol.dispose]();
    await this.#listener.close();
  }

  /** Ends at once: what is under way is cut off. */
  async close(): Promise<void> {
    this.#app[Symbol.dispose]();
    await this.#listener.cut();
  }
}
