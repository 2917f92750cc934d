/** Starts the decoder in a thread of its own. The server's thread never loads libtorch, so nothing of it can stop there. */
import { Worker } from 'node:worker_threads';
import type { ServedModelConfig } from '../settings.js';
import { DecoderClient } from './client.js';
import type { ToDecoder } from './protocol.js';

export interface DecoderThread {
  client: DecoderClient;
  /** Resolves when the thread has ended, for whatever reason. */
  ended: Promise<void>;
  /** Frees the model and ends the thread. @returns false where it does not end, not even by force */
  close(): Promise<boolean>;
}

// Threads are run compiled, also from the sources.
const THREAD = new URL('../../../dist/serve/worker/thread.js', import.meta.url);

/** For the pass that it is in, before the thread is ended by force, and for its end then. */
const GRACE_SECONDS = 10;

/** @param onRemark is told what people may want to know while the model is loaded */
export function startDecoderThread(config: ServedModelConfig, onRemark: (line: string) => void): DecoderThread {
  const worker = new Worker(THREAD, { workerData: config });
  const client = new DecoderClient(worker, onRemark);
  worker.on('error', (error) => client.lose(error));
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      client.lose(new Error(`the decoder's thread ended with code ${code}`));
      resolve();
    });
  });
  return {
    client,
    ended,
    close: async () => {
      // A thread that is still loading does not listen.
      if (client.model !== null) {
        worker.postMessage({ kind: 'close' } satisfies ToDecoder);
        if (await endsWithin(ended, GRACE_SECONDS)) return true;
      }
      void worker.terminate();
      return endsWithin(ended, GRACE_SECONDS);
    },
  };
}

async function endsWithin(ended: Promise<void>, seconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((tell) => {
    timer = setTimeout(() => tell(false), 1000 * seconds);
  });
  const inTime = await Promise.race([ended.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
