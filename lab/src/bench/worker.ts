/** A worker process of the benchmark; its arguments say which (arguments.ts), its lines are in protocol.ts. */
import { setThreads } from '@looprpt/engine';
import { fromArgv } from './arguments.js';
import { prepareFiles } from './files.js';
import { matmulRates } from './matmul.js';
import { serve } from './protocol.js';
import { StepWorker } from './step-worker.js';

const args = fromArgv(process.argv.slice(2));
setThreads(args.threads);
const write = (line: string): void => void process.stdout.write(line);

if (args.worker === 'prepare') {
  await prepareFiles(args);
} else if (args.worker === 'matmul') {
  await serve(process.stdin, () => matmulRates(args), write);
} else {
  const worker = new StepWorker(args);
  await serve(process.stdin, (line) => worker.answer(line), write);
}
