/** The decoder's thread: loads the model that its `workerData` names, then does what it is told until it is told to close. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { requireEngine } from '../../base/prepare-engine.js';
import { UserError } from '../../base/user-error.js';
import { servedModelConfig } from '../settings.js';
import type { Sizing } from '../sizing.js';
import { DecoderHost } from './host.js';
import type { FromDecoder, ToDecoder } from './protocol.js';

assert(parentPort, 'to be run as a thread');
const port = parentPort;
const post = (message: FromDecoder): void => port.postMessage(message);

try {
  await run();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  post({ kind: 'failed', message, isUserError: error instanceof UserError });
}
port.close();

async function run(): Promise<void> {
  const config = servedModelConfig.parse(workerData);
  requireEngine();
  const { openModel } = await import('../../train/state/open-model.js');
  const { loadRemarks } = await import('../../base/terminal/loading.js');
  const { serveModel } = await import('./served.js');
  const { sizeServer } = await import('../sizing.js');
  const { freeMemory } = await import('../../base/free-memory.js');
  let sizing: Sizing;
  using opened = await openModel(config.model, {
    device: config.device,
    dtype: config.dtype,
    threads: config.threads,
    weights: config.weights,
    readOnly: true,
    onPlan: (planned) => {
      sizing = sizeServer(planned, config, freeMemory());
    },
    beside: () => {
      const { copy, cache, pass } = sizing.memory;
      return copy + cache + pass;
    },
    onLoad: loadRemarks((line) => post({ kind: 'remark', line })),
    onMessage: (line) => post({ kind: 'remark', line }),
  });
  using served = await serveModel(opened.lm, opened.folder, config, sizing!);
  using host = new DecoderHost(served, post);
  await new Promise<void>((close) => {
    port.on('message', (message: ToDecoder) => (message.kind === 'close' ? close() : host.receive(message)));
  });
}
