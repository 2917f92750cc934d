/**
 * The first-contact job, `npm start`: takes a small base LoopLM, improves it by LoopRPT and by the strongest simple baseline on the
 * same documents, evaluates all three on held-out ones, prints a table and writes the report. Continues where it was interrupted.
 */
import { join } from 'node:path';
import { progress } from '../cli/terminal/progress.js';
import { stages } from '../cli/terminal/stages.js';
import { writeFigure } from '../report/figure-file.js';
import { percent } from '../report/format.js';
import type { ReportRun } from '../report/input.js';
import { loadRun } from '../report/load-run.js';
import { writeReport } from '../report/page.js';
import { run } from '../train/run.js';
import { ARMS, type Arm, armConfig, BASE_MODEL, STEPS } from './arms.js';
import { compareModels, type Judged } from './compare.js';
import { jobFolder, REPORT } from './folder.js';
import { startTables } from './tables.js';

export interface StartOptions {
  /** Folder of the job; a finished job there makes it take the next free name. */
  out: string;
  quiet: boolean;
  threads: number;
  seed: number;
  signal: AbortSignal;
}

const NOTES = [
  `All arms start from the same base and see the same documents in the same order: ${STEPS} steps of 32 documents, never one of the held-out ones.`,
  'The base is small (103,000 weights) and its data endless, which favours plain cross-entropy: read the table as a working example, not as evidence for or against the method.',
  'Intervals are 95 % paired bootstrap intervals over held-out documents of one training seed.',
];

export async function runStart({ out, quiet, threads, seed, signal }: StartOptions): Promise<void> {
  const folder = jobFolder(out, { threads, seed, arms: ARMS.map((arm) => armConfig(arm, { out: '', threads, seed })) });
  const stage = stages(ARMS.length + 2, { quiet });
  const judged: Judged[] = [{ name: 'base', model: BASE_MODEL, role: 'base' }];
  for (const arm of ARMS) {
    const model = await stage.run(`${arm.name}: ${STEPS} steps from the base`, () =>
      trainArm(arm, { out: folder, threads, seed, quiet, signal }),
    );
    if (model === null) return;
    judged.push({ name: arm.name, model, role: arm.isBaseline ? 'baseline' : 'arm' });
  }
  const comparison = await stage.run('Evaluation on held-out documents', async (say) => {
    const result = await compareModels(judged);
    const [base, ...arms] = result.evaluations;
    const area = (evaluation: typeof base): string => percent(evaluation?.area?.gate ?? Number.NaN);
    say(`area ${area(base)} → ${arms.map(area).join(', ')}`);
    return result;
  });
  const report = join(folder, REPORT);
  await stage.run('Report', async (say) => {
    const runs = comparison.evaluations.map((evaluation, i): ReportRun => {
      const arm = ARMS[i - 1];
      if (!arm) return { name: evaluation.model, metrics: [], evaluation };
      const { config, metrics } = loadRun(join(folder, arm.folder)).run;
      return { name: arm.name, config, metrics, evaluation };
    });
    const title = 'LoopRPT and its strongest baseline on multi-hop lookup';
    const { comparisons } = comparison;
    const input = { title, runs, comparisons, notes: NOTES, command: 'npm start' };
    await writeFigure(input, 'pareto', join(folder, 'pareto.svg'));
    await writeReport(input, report);
    say(report);
  });
  process.stdout.write(`\n${startTables(comparison, process.stdout.isTTY ?? false)}\n\nreport: ${report}\n`);
}

/** @returns the folder of the trained model, null if it was interrupted */
async function trainArm(arm: Arm, options: Omit<StartOptions, 'out'> & { out: string }): Promise<string | null> {
  const config = armConfig(arm, options);
  using bar = progress(arm.name, config.steps, { quiet: options.quiet });
  const outcome = await run(config, true, {
    signal: options.signal,
    onMessage: (message) => bar.log(message),
    onStep: ({ step, loss, meanLoops, tokensPerSecond }) =>
      bar.update(
        step,
        `loss ${loss.toFixed(3)}  loops ${meanLoops.toFixed(2)}  ${tokensPerSecond.toFixed(0)} tokens/s`,
      ),
  });
  if (outcome.interrupted) {
    bar.log(`interrupted after step ${outcome.step}; the same command goes on from there`);
    return null;
  }
  bar.done();
  return outcome.model;
}
