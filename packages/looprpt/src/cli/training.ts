/** What `pretrain` and `train` do: a run with a progress bar, Ctrl-C with a checkpoint, a report at the end. */
import { basename, join, resolve } from 'node:path';
import { interruption } from '../base/interrupt.js';
import { type Cli, commandLine, printFacts, printJson, sayer } from '../base/terminal/cli.js';
import { trainingBar } from '../train/bar.js';
import type { MetricsRecord } from '../train/metrics/record.js';
import type { RunOutcome } from '../train/run.js';
import type { RunConfig } from '../train/run-config.js';
import type { TrainConfig } from '../train/train.js';
import { type TrainingKind, type TrainingOptions, trainingConfig } from './training-config.js';
import { printPlan } from './training-plan.js';

export async function trainingCommand(cli: Cli, kind: TrainingKind, options: TrainingOptions): Promise<void> {
  const say = sayer(cli, options);
  const { config, dtypeIsOpen } = await trainingConfig(kind, options, say);
  if (options.dryRun) {
    await printPlan(cli, config, options);
    return;
  }
  const { passesRemark } = await import('../train/plan/time.js');
  const remark = passesRemark(config);
  if (remark !== null) say(remark);
  const outcome = await runWithBar(cli, kind, dtypeIsOpen ? { ...config, dtype: 'auto' } : config, options);
  if (outcome.interrupted) cli.exitCode = 130;
  // Of several processes the first speaks for all.
  if (outcome.rank > 0) return;
  const report = outcome.interrupted ? null : await reportOn(cli, config);
  if (outcome.interrupted) {
    say(`interrupted after step ${outcome.step}; --resume goes on from there`);
  }
  const { model, step, interrupted, skipped } = outcome;
  if (options.json) {
    printJson(cli, { out: config.out, model, step, interrupted, skipped, report });
    return;
  }
  printFacts(cli, [
    ['model', model],
    ...(skipped > 0 ? [['skipped steps', skipped] as const] : []),
    ...(report === null ? [] : [['report', report] as const]),
  ]);
}

async function runWithBar(
  cli: Cli,
  kind: TrainingKind,
  config: TrainConfig,
  { resume = false, extend, quiet = false }: { resume?: boolean; extend?: number; quiet?: boolean },
): Promise<RunOutcome> {
  const { train } = await import('../train/train.js');
  using interrupted = interruption(cli.stderr);
  using bar = trainingBar(kind, { stream: cli.stderr, quiet });
  const { timeRemark } = await import('../train/plan/time.js');
  const watch = longRunWatch(timeRemark, bar.onMessage);
  return await train(config, {
    resume,
    extend: extend !== undefined,
    signal: interrupted.signal,
    onMessage: bar.onMessage,
    onStep: (record, steps) => {
      bar.onStep(record, steps);
      watch(record, steps);
    },
  });
}

/** Steps of this process after which the length of the run is known. */
const KNOWN_AFTER = 5;

/** Says once, early, that a run will take longer than one would think. */
function longRunWatch(
  timeRemark: (seconds: number) => string | null,
  onMessage: (message: string) => void,
): (record: MetricsRecord, steps: number) => void {
  let made = 0;
  let began = 0;
  return ({ step, seconds }, steps) => {
    made++;
    if (made === 1) began = seconds;
    if (made !== KNOWN_AFTER) return;
    const perStep = (seconds - began) / (KNOWN_AFTER - 1);
    const remark = timeRemark(perStep * (steps - step));
    if (remark !== null) onMessage(remark);
  };
}

/** The run's page; null when it has nothing to show. */
async function reportOn(cli: Cli, { out, objective }: RunConfig): Promise<string | null> {
  const { reportInput } = await import('../eval/report/runs.js');
  const { writeReport } = await import('../eval/report/page.js');
  const title = `${basename(resolve(out))}: ${objective.kind}`;
  const input = reportInput([out], { title, command: commandLine(cli) });
  if (input.runs[0]!.metrics.length === 0) return null;
  const path = join(out, 'report.html');
  await writeReport(input, path);
  return path;
}
