/**
 * The thread that reads run folders, so that the server's never waits for them: finds them, reads them bit by bit, tells what changed.
 * Its `workerData` are the folders.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { answer } from '../thread/answering.js';
import { RunLibrary } from './library.js';
import type { RunList, RunsAnswers, RunsNews } from './protocol.js';
import { Readers } from './readers.js';

const REST_MS = 400;
/** While files are being read, which is what there is to tell. */
const NEWS_MS = 1000;

const library = new RunLibrary(workerData as string[], new Readers());
const list = (): RunList => ({ runs: library.summaries, lines: [...library.lines] });
const tell = answer<RunsAnswers, RunsNews>({
  list,
  curves: ({ ids, columns, ...range }) => JSON.stringify({ runs: library.curves(ids, columns, range) }, rounded),
});

let told = 0;
for (;;) {
  const isBusy = library.work();
  // Other messages have their turn.
  await new Promise((turn) => setImmediate(turn));
  const { elsewhere } = library;
  if (Date.now() - told < NEWS_MS && (isBusy || elsewhere)) {
    if (!isBusy) await Promise.race([elsewhere, sleep(REST_MS)]);
    continue;
  }
  told = Date.now();
  if (library.refresh()) {
    library.takeChanges();
    tell({ all: true, list: list() });
  } else {
    const runs = library.takeChanges();
    if (runs.length > 0) tell({ all: false, runs });
  }
  if (!isBusy && !elsewhere && !(await library.check())) await sleep(REST_MS);
}

/** Six digits are more than a screen shows. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
