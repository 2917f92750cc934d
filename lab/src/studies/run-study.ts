/** One study from its name to its outcome on disk: `npm run evidence -- NAME`. */
import { join } from 'node:path';
import { setThreads } from '@looprpt/engine';
import { interruption } from 'looprpt/internal/base/interrupt.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { aggregate } from './aggregate.js';
import { type ConductOptions, conduct, forecast, tryOnTuning } from './conduct.js';
import { studyPage } from './page.js';
import { BUDGETS } from './planner.js';
import { PAGES, publish, REPOSITORY, RESULTS } from './publish.js';
import type { Inputs } from './ready-corpus.js';
import { readResult, writeResult } from './result-file.js';
import { type Selection, select } from './select.js';
import { Store } from './store.js';
import { STUDIES } from './studies/index.js';
import type { Study } from './study.js';
import { resultTables } from './tables.js';
import { textsOf } from './text-corpus.js';
import { triedTable } from './tried-table.js';
import { Workers } from './workers.js';

export interface RunStudyOptions extends Selection {
  tuning: boolean;
  compute: boolean;
  input: Inputs;
  out: string;
  jobs: number;
  threads: number;
  resamples: number;
  quiet: boolean;
  /** The trials on the tuning split alone, as a table: nothing is judged or written. */
  try: boolean;
  /** What the study will take; nothing is run. */
  dryRun: boolean;
  /** Write to docs also what is not the whole study. */
  publish: boolean;
}

export async function runStudy(name: string, options: RunStudyOptions): Promise<void> {
  const { out, jobs, threads } = options;
  const whole = studyNamed(name);
  const study = select(whole, options);
  const store = new Store(out);
  using workers = new Workers(out, jobs, threads);
  using stop = interruption(process.stderr, {
    words: 'stopping after the units at hand; Ctrl-C again stops at once',
  });
  stop.signal.addEventListener('abort', () => workers.stop());
  try {
    await runAndWrite(whole, study, store, workers, options);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write('stopped; the same command goes on from here\n');
    process.exitCode = 130;
  }
}

async function runAndWrite(
  whole: Study,
  study: Study,
  store: Store,
  workers: Workers,
  options: RunStudyOptions,
): Promise<void> {
  const { jobs, threads, tuning, compute, input, quiet, resamples } = options;
  const { name } = whole;
  const how: ConductOptions = {
    study,
    store,
    run: workers.run,
    threads,
    quiet,
    inputs: input,
    budgets: compute ? BUDGETS : ['tokens'],
    tune: tuning,
    jobs,
  };
  if (options.dryRun) {
    process.stdout.write(`${await forecast(how)}\n`);
    return;
  }
  if (options.try) {
    process.stdout.write(`${triedTable(await tryOnTuning(how))}\n`);
    return;
  }
  const conducted = await conduct(how);
  setThreads(jobs * threads);
  const isWhole = tuning && compute && JSON.stringify(study) === JSON.stringify(whole);
  const file = store.path(`${name}.json`);
  writeResult(aggregate(conducted, { command: commandOf(whole, options), whole: isWhole, resamples }), file);
  // All that is shown is made of the file's rounded numbers, so that it agrees with what is drawn from the file later.
  const result = readResult(file);
  const report = store.path(`${name}.html`);
  writeWholeFile(report, await studyPage(result));
  process.stdout.write(`${resultTables(result)}\n\noutcome: ${file}\nreport: ${report}\n`);
  if (!isWhole && !options.publish) return;
  await publish(result, REPOSITORY);
  process.stdout.write(`written to ${join(REPOSITORY, RESULTS)} and ${PAGES}\n`);
}

export function studyNamed(name: string): Study {
  const study = STUDIES.find((one) => one.name === name);
  if (!study) throw new UserError(`no study ${name}; there are ${STUDIES.map((one) => one.name).join(', ')}`);
  return study;
}

/** As a reader can run it; paths of data are theirs. */
function commandOf({ name, corpus }: Study, options: RunStudyOptions): string {
  const { seeds, arms, quick, tuning, compute, publish } = options;
  return [
    `npm run evidence -- ${name}`,
    ...(seeds === undefined ? [] : [`--seeds ${seeds}`]),
    ...(arms ? [`--arms ${arms.join()}`] : []),
    ...(quick ? ['--quick'] : []),
    ...(tuning ? [] : ['--no-tuning']),
    ...(compute ? [] : ['--no-compute']),
    ...textsOf(corpus).map((data) => `--input ${data}=PATH`),
    ...(publish ? ['--publish'] : []),
  ].join(' ');
}
