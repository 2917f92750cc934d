/** A worker process of the bench of experiments: runs the units it is sent, one at a time. Ends with the process that started it. */
import { unitRunner } from './run-unit.js';
import { Store } from './store.js';
import type { FromWorker, ToWorker } from './workers.js';

const store = new Store(process.argv[2]!);
const run = unitRunner(store);
const PROGRESS_MS = 300;
// A process in front that is gone cannot be told anything; 'disconnect' ends this one.
const send = (message: FromWorker): void => void process.send!(message, undefined, {}, () => {});

process.on('disconnect', () => process.exit(0));
// A signal may reach the whole group of processes; the one in front decides what it means.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('message', async ({ unit }: ToWorker) => {
  let last = 0;
  await run(unit, (share) => {
    if (Date.now() - last < PROGRESS_MS) return;
    last = Date.now();
    send({ kind: 'progress', share });
  });
  send({ kind: 'done' });
});
