/** One study from its name to its outcome on disk: `npm run evidence -- NAME`. */
import { join } from 'node:path';
import { setThreads } from '@looprpt/engine';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { aggregate } from './aggregate.js';
import { conduct } from './conduct.js';
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
  /** Write to docs also what is not the whole study. */
  publish: boolean;
}

export async function runStudy(name: string, options: RunStudyOptions): Promise<void> {
  const { out, jobs, threads, tuning, compute, input, quiet, resamples } = options;
  const whole = studyNamed(name);
  const study = select(whole, options);
  const store = new Store(out);
  using workers = new Workers(out, jobs, threads);
  process.once('SIGINT', () => {
    process.stderr.write('\nstopped; the same command goes on from here\n');
    process.exit(130);
  });
  const conducted = await conduct({
    study,
    store,
    run: workers.run,
    threads,
    quiet,
    inputs: input,
    budgets: compute ? BUDGETS : ['tokens'],
    tune: tuning,
  });
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
