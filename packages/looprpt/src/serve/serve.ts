/**
 * A server in this process: the decoder in a thread of its own, an HTTP server before it. It listens while the model is still being
 * loaded. Signals and the command line are not here.
 */
import { basename, resolve } from 'node:path';
import { requireEngine } from '../base/prepare-engine.js';
import { explainConfigError } from '../base/settings/config-error.js';
import { UserError } from '../base/user-error.js';
import { HttpServer, type OnFault } from './http/server.js';
import { type ServeSettings, servedModelConfig, serverConfig, serveSettings } from './settings.js';
import { type DecoderThread, startDecoderThread } from './worker/decoder-thread.js';
import type { ServedModel } from './worker/protocol.js';

/** Who is told of what happens in a server. */
export interface ServeHooks {
  /** In a sentence, of downloads and the like while the model is loaded. */
  onMessage?: ((line: string) => void) | undefined;
  /** Of faults of ours, with the `x-request-id` of the request that met one. Default: not told, the client gets a 500. */
  onFault?: OnFault | undefined;
}

/** A server that listens. */
export class RunningServer implements AsyncDisposable {
  readonly #http: HttpServer;
  readonly #decoder: DecoderThread;

  constructor(
    http: HttpServer,
    decoder: DecoderThread,
    /** The model's id for clients. */
    readonly modelId: string,
  ) {
    this.#http = http;
    this.#decoder = decoder;
  }

  /** Where it listens, such as `http://127.0.0.1:8000`; OpenAI's API is below `/v1`. */
  get url(): string {
    return this.#http.url;
  }

  /** Whether other machines get in, and without a key. */
  get isOpenToAll(): boolean {
    return this.#http.isOpenToAll;
  }

  /** The model, once it is loaded. Rejects with a UserError where it cannot be served. */
  get loaded(): Promise<ServedModel> {
    return this.#decoder.client.loaded;
  }

  /** Resolves when the decoder has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#decoder.ended;
  }

  /** What ended the decoder; null while all is well. */
  get fault(): Error | null {
    return this.#decoder.client.fault;
  }

  /** Takes no more requests; resolves when what runs is finished. `close` is still to be called. */
  drain(): Promise<void> {
    return this.#http.drain();
  }

  /** Ends at once, and frees the model. @returns false where the decoder's thread does not end, not even by force */
  async close(): Promise<boolean> {
    await this.#http.close();
    return this.#decoder.close();
  }

  /** As `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Serves a model with OpenAI's API and a page to try it, from this process; resolves when the model is loaded.
 * @throws UserError where a setting is wrong, the model cannot be served, or the address is taken or would let strangers in
 * @example
 * await using server = await serve({ model: 'hop-base', port: 0 });
 * const answer = await fetch(`${server.url}/v1/completions`, { method: 'POST', body: '{ "prompt": "map a" }' });
 */
export async function serve(settings: ServeSettings, hooks: ServeHooks = {}): Promise<RunningServer> {
  const server = await startServer(settings, hooks);
  try {
    await server.loaded;
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

/** The same, from when it listens. @throws UserError where a setting is wrong or it cannot listen there */
export async function startServer(settings: ServeSettings, hooks: ServeHooks = {}): Promise<RunningServer> {
  const { onMessage = () => {}, onFault = () => {} } = hooks;
  const checked = serveSettings.safeParse(settings);
  if (!checked.success) throw new UserError(`serve: ${explainConfigError(serveSettings, settings, checked.error)}`);
  requireEngine();
  const { modelId = basename(resolve(checked.data.model)) } = checked.data;
  const all = { ...checked.data, modelId };
  const decoder = startDecoderThread(part(servedModelConfig, all), onMessage);
  // Whoever waits for it is told; nobody need wait.
  decoder.client.loaded.catch(() => {});
  try {
    return new RunningServer(
      await HttpServer.listen(decoder.client, part(serverConfig, all), onFault),
      decoder,
      modelId,
    );
  } catch (error) {
    await decoder.close();
    throw error;
  }
}

/** The settings that a schema has of all those that were checked. */
function part<Part extends object>(schema: { shape: object; parse: (value: unknown) => Part }, all: object): Part {
  return schema.parse(Object.fromEntries(Object.entries(all).filter(([key]) => key in schema.shape)));
}
