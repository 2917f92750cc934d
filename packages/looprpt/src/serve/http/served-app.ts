/**
 * A served model as a web application without a socket: its routes, its queue, its metrics, and the watch over its decoder. `serve` puts
 * it on a socket of its own; the studio answers some of its paths with it.
 */
import { randomInt } from 'node:crypto';
import type { ServerConfig } from '../settings.js';
import { choiceSeed } from '../worker/choice-seed.js';
import type { DecoderClient } from '../worker/client.js';
import { Admission } from './admission.js';
import { createApp, type Phase } from './app.js';
import type { Fetch } from './listener.js';
import { Metrics } from './metrics.js';
import { Watch } from './watch.js';

/** @param request its `x-request-id` */
export type OnFault = (error: unknown, request: string) => void;

export class ServedApp implements Disposable {
  readonly fetch: Fetch;
  readonly #admission: Admission;
  readonly #watch: Watch;
  readonly #metrics: Metrics;
  #isDraining = false;

  /** @param onFault is told of faults of ours, with the name of the request that met it */
  constructor(client: DecoderClient, config: ServerConfig, onFault: OnFault) {
    const { modelId, apiKey, maxBatch, queue, requestSeconds, maxBodyBytes, allowOrigins, seed } = config;
    this.#admission = new Admission(maxBatch + queue);
    this.#watch = new Watch(client, config.stallSeconds);
    const phase = (): Phase => {
      if (client.fault) return 'failed';
      if (this.#isDraining) return 'draining';
      if (this.#watch.isStalled) return 'stalled';
      return client.model ? 'ready' : 'loading';
    };
    this.#metrics = new Metrics(() => (client.model ? client.state : null));
    const app = createApp({
      client,
      phase,
      modelId,
      apiKey,
      requestSeconds,
      maxBodyBytes,
      onFault,
      admission: this.#admission,
      allowOrigins,
      loopbackOnly: apiKey === null && !config.allowWithoutKey,
      metrics: this.#metrics,
      nextSeed: seeds(seed),
    });
    this.fetch = app.fetch;
    this.#metrics.gauge('looprpt_texts_admitted', 'texts that run, wait or are being read', () => this.texts);
  }

  /** Texts that run or wait. */
  get texts(): number {
    return this.#admission.inside;
  }

  /** @param count of the connections of whatever socket this is on, for the metrics */
  countConnections(count: () => Promise<number>): void {
    this.#metrics.gauge('looprpt_connections_open', 'connections of clients', count);
  }

  /** Takes no more requests; resolves when those that were taken are done. @returns true where the decoder stalled instead */
  async drained(): Promise<boolean> {
    this.#isDraining = true;
    await Promise.race([this.#admission.whenEmpty(), this.#watch.whenStalled()]);
    return this.#watch.isStalled;
  }

  [Symbol.dispose](): void {
    this.#isDraining = true;
    this.#watch[Symbol.dispose]();
  }
}

function seeds(seed: number | undefined): () => number {
  if (seed === undefined) return () => randomInt(2 ** 48 - 1);
  let requests = 0;
  return () => choiceSeed(seed, requests++);
}
