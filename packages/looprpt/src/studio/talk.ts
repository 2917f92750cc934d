/** The model that one talks to in the studio: the server's decoder in its thread, and its routes without a socket of their own. */
import { basename, resolve } from 'node:path';
import { requireEngine } from '../base/prepare-engine.js';
import { ServedApp } from '../serve/http/served-app.js';
import { servedModelConfig, serverConfig } from '../serve/settings.js';
import { type DecoderThread, startDecoderThread } from '../serve/worker/decoder-thread.js';
import type { StudioConfig } from './settings.js';

export class Talk implements AsyncDisposable {
  readonly app: ServedApp;
  readonly #decoder: DecoderThread;

  constructor(
    model: string,
    { host, port, apiKey, allowWithoutKey, device, dtype, threads }: StudioConfig,
    { onMessage, onFault }: { onMessage: (line: string) => void; onFault: (error: unknown, request: string) => void },
  ) {
    requireEngine();
    this.#decoder = startDecoderThread(servedModelConfig.parse({ model, device, dtype, threads }), onMessage);
    this.#decoder.client.loaded.catch(() => {});
    const config = serverConfig.parse({ modelId: basename(resolve(model)), host, port, apiKey, allowWithoutKey });
    this.app = new ServedApp(this.#decoder.client, config, onFault);
  }

  /** Once the model is there. @throws UserError where it cannot be served */
  get loaded(): Promise<unknown> {
    return this.#decoder.client.loaded;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.app[Symbol.dispose]();
    await this.#decoder.close();
  }
}
