/**
 * The decoder at the other end of a pair of ports, in this thread: the same host, protocol and copies of messages as with a thread
 * of its own, from the sources, and its tensors can be counted.
 */
import { MessageChannel } from 'node:worker_threads';
import { freeMemory } from 'looprpt/internal/base/free-memory.js';
import { loadModel, storedDType } from 'looprpt/internal/checkpoint/load-model.js';
import { planWeights } from 'looprpt/internal/checkpoint/weights-plan.js';
import type { Decoder } from 'looprpt/internal/decode/index.js';
import { servedModelConfig } from 'looprpt/internal/serve/settings.js';
import { sizeServer } from 'looprpt/internal/serve/sizing.js';
import { DecoderClient } from 'looprpt/internal/serve/worker/client.js';
import { DecoderHost } from 'looprpt/internal/serve/worker/host.js';
import type { ToDecoder } from 'looprpt/internal/serve/worker/protocol.js';
import { serveModel } from 'looprpt/internal/serve/worker/served.js';
import type { z } from 'zod';

export interface LocalDecoder {
  client: DecoderClient;
  decoder: Decoder;
  close(): void;
}

export async function localDecoder(options: z.input<typeof servedModelConfig>): Promise<LocalDecoder> {
  const config = servedModelConfig.parse(options);
  const way = { way: 'copied', dtype: config.dtype ?? storedDType(config.model) } as const;
  const planned = { name: config.model, device: 'cpu', way, weights: planWeights(config.model, way) };
  const sizing = sizeServer(planned, config, freeMemory());
  const model = loadModel(config.model, { dtype: config.dtype });
  const served = await serveModel(model, config.model, config, sizing).catch((error: unknown) => {
    model.dispose();
    throw error;
  });
  const { port1, port2 } = new MessageChannel();
  const client = new DecoderClient(port1);
  const host = new DecoderHost(served, (message) => port2.postMessage(message));
  port2.on('message', (message: ToDecoder) => {
    if (message.kind !== 'close') host.receive(message);
  });
  await client.loaded;
  return {
    client,
    decoder: served.decoder,
    close: () => {
      port1.close();
      host[Symbol.dispose]();
      served[Symbol.dispose]();
      model.dispose();
    },
  };
}
