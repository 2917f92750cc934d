/** A worker process of the CUDA benchmark; its argument is a job (job.ts). */
import { setThreads } from '@looprpt/engine';
import { serve } from '../protocol.js';
import { jobSchema } from './job.js';
import { CudaStepWorker } from './step-worker.js';

const job = jobSchema.parse(JSON.parse(process.argv[2]!));
setThreads(job.threads);
using worker = new CudaStepWorker(job);
await serve(
  process.stdin,
  (line) => worker.answer(line),
  (line) => void process.stdout.write(line),
);
