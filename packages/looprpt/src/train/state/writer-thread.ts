/** The thread that writes checkpoints: one job after the other, one answer for each. */
import assert from 'node:assert/strict';
import { parentPort } from 'node:worker_threads';
import { UserError } from '../../base/user-error.js';
import { performWriteJob, type WriteJob } from './write-job.js';

/** What the thread answers. A user's mistake crosses over as its message, because errors lose their class on the way. */
export type WriteAnswer =
  | { kind: 'written'; path: string; seconds: number }
  | { kind: 'refused'; message: string }
  | { kind: 'failed'; error: unknown };

const port = parentPort;
assert(port !== null, 'to be started as a worker thread');
const known = new Set<string>();

async function answerTo(job: WriteJob): Promise<WriteAnswer> {
  const began = performance.now();
  try {
    const path = await performWriteJob(job, known);
    return { kind: 'written', path, seconds: (performance.now() - began) / 1000 };
  } catch (error) {
    return error instanceof UserError ? { kind: 'refused', message: error.message } : { kind: 'failed', error };
  }
}

port.on('message', (job: WriteJob) => {
  void answerTo(job).then((answer) => port.postMessage(answer));
});
