/**
 * The first-contact job: a base LoopLM, LoopRPT and the strongest simple baselines on it for the same documents, their evaluation on
 * held-out ones, a verdict and a report. `npm start` takes the base that ships and a generated task; own text makes a base of its own
 * first, or starts from a model that is given. Continues where it was interrupted.
 */
import { join } from 'node:path';
import { stages } from '../base/terminal/stages.js';
import { writeWholeFile } from '../base/write-file.js';
import { writeFigure } from '../eval/report/figure-file.js';
import { percent } from '../eval/report/format.js';
import type { ReportRun } from '../eval/report/input.js';
import { loadRun } from '../eval/report/load-run.js';
import { writeReport } from '../eval/report/page.js';
import { trainingBar } from '../train/bar.js';
import { run } from '../train/run.js';
import type { RunConfig } from '../train/run-config.js';
import { type Arm, TEXT_ARMS, TRANSFER_ARMS } from './arms.js';
import { type Comparison, compareModels, type Judged } from './compare.js';
import { jobFolder, REPORT } from './folder.js';
import type { Setting } from './setting.js';
import { startTables } from './tables.js';
import { type TextOptions, textSetting } from './text-setting.js';
import { textSource, topicName } from './text-source.js';
import { transferSetting } from './transfer-setting.js';
import { verdictOf } from './verdict.js';

export interface StartOptions {
  /** Folder of the job; a finished job there makes it take the next free name. */
  out: string;
  quiet: boolean;
  threads: number;
  seed: number;
  signal: AbortSignal;
  /** Own text instead of the generated task. */
  text?: Pick<TextOptions, 'topic' | 'model' | 'minutes'> | undefined;
}

/** Ends early, without a word, where the signal says so: what is there is kept, and a second call goes on with it. */
export async function runStart(options: StartOptions): Promise<void> {
  try {
    await start(options);
  } catch (error) {
    if (!options.signal.aborted || error !== options.signal.reason) throw error;
  }
}

async function start({ out, quiet, threads, seed, signal, text }: StartOptions): Promise<void> {
  const began = performance.now();
  // Before the job has a folder: text that cannot be used leaves nothing behind.
  const source = text ? await textSource(text.topic, signal) : null;
  const folder = jobFolder(out, { threads, seed, ...(text ?? { topic: 'transfer' }) });
  const arms = text ? TEXT_ARMS : TRANSFER_ARMS;
  const stage = stages(arms.length + (text ? 3 : 2), { quiet });
  const train = (title: string, config: RunConfig): Promise<string> => trainWithBar(title, config, { quiet, signal });
  const say = (line: string): void => {
    if (!quiet) process.stderr.write(`    ${line}\n`);
  };
  const setting = text
    ? await stage.run(`${topicName(text.topic)}: ${text.model ?? 'tokenizer, shards, plan, base'}`, () =>
        textSetting({
          ...text,
          source: source!,
          began,
          folder,
          threads,
          seed,
          signal,
          say,
          train: (config) => train('base', config),
        }),
      )
    : transferSetting({ out: folder, threads, seed });
  const judged: Judged[] = [{ name: 'base', model: setting.base, role: 'base' }];
  for (const arm of setting.arms) {
    const config = setting.config(arm);
    const model = await stage.run(`${arm.name}: ${config.steps} steps from the base`, () => train(arm.name, config));
    judged.push({ name: arm.name, model, role: arm.isBaseline ? 'baseline' : 'arm' });
  }
  const comparison = await stage.run('Evaluation on held-out documents', async (say) => {
    const result = await compareModels(judged, setting, signal);
    const areas = result.evaluations.map(({ frontier }) => percent(frontier?.area ?? Number.NaN));
    say(`frontier ${areas[0]} → ${areas.slice(1).join(', ')}`);
    return result;
  });
  // Where the studio and `report` look for it.
  for (const [i, arm] of setting.arms.entries())
    writeWholeFile(join(folder, arm.folder, 'eval.json'), `${JSON.stringify(comparison.evaluations[i + 1])}\n`);
  const report = join(folder, REPORT);
  await stage.run('Report', async (say) => {
    await writePage(folder, report, setting, comparison, commandOf(text, out));
    say(report);
  });
  process.stdout.write(
    `\n${startTables(comparison, process.stdout.isTTY ?? false)}\n\nreport: ${report}\nlook closer: npx looprpt studio ${folder}\n`,
  );
}

function commandOf(text: StartOptions['text'], out: string): string {
  if (!text) return 'npm start';
  const { topic, model, minutes } = text;
  const input = topic.kind === 'files' ? topic.paths : topic.path === undefined ? [] : [topic.path];
  return [
    'npx looprpt start',
    ...(topic.kind === 'named' ? [`--dataset ${topic.name}`] : []),
    ...(input.length > 0 ? [`--input ${input.join(' ')}`] : []),
    ...(model === undefined ? [] : [`--model ${model}`]),
    `--minutes ${minutes} --out ${out}`,
  ].join(' ');
}

async function writePage(
  folder: string,
  report: string,
  { title, notes, arms }: Setting,
  comparison: Comparison,
  command: string,
): Promise<void> {
  const { evaluations, comparisons } = comparison;
  const runs = evaluations.map((evaluation, i): ReportRun => {
    const arm = arms[i - 1];
    if (!arm) return { name: evaluation.model, metrics: [], evaluation };
    const { config, metrics } = loadRun(join(folder, arm.folder)).run;
    return { name: arm.name, config, metrics, evaluation };
  });
  const input = {
    title,
    verdict: verdictOf(comparison),
    runs,
    comparisons,
    notes: [
      ...presetNotes(arms),
      ...notes,
      'Intervals are 95 % paired bootstrap intervals over held-out documents of one training seed.',
    ],
    command,
  };
  await writeFigure(input, 'pareto', join(folder, 'pareto.svg'));
  await writeReport(input, report);
}

/** What of the arms is the paper's. */
function presetNotes(arms: readonly Arm[]): string[] {
  const has = (folder: string): boolean => arms.some((arm) => arm.folder === folder);
  return [
    ...(has('looprpt-paper')
      ? ['LoopRPT, paper is LoopRPT to the letter where the paper is known.']
      : [
          "LoopRPT, fast is the preset fast: its γ, δ, the pass of L_KL and the reach of the policy gradient are ours, not the paper's.",
        ]),
    'LoopRPT, all-tokens and tethered are presets of our own.',
  ];
}

/** @returns the folder of the trained model @throws the signal's reason when it was interrupted */
async function trainWithBar(
  title: string,
  config: RunConfig,
  { quiet, signal }: { quiet: boolean; signal: AbortSignal },
): Promise<string> {
  using bar = trainingBar(title, { quiet });
  const outcome = await run(config, true, { signal, onMessage: bar.onMessage, onStep: bar.onStep });
  if (outcome.interrupted) signal.throwIfAborted();
  bar.done();
  return outcome.model;
}
