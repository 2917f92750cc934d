/** `--dry-run`: what a run resolves to and what it will need, and nothing is started or written. */
import { existsSync } from 'node:fs';
import { stringify } from 'yaml';
import { formatBytes } from '../base/terminal/bytes.js';
import { type Cli, printFacts, printJson, printLine } from '../base/terminal/cli.js';
import type { LoopLMConfig } from '../model/config.js';
import type { RunPlan } from '../train/plan/plan.js';
import type { RunConfig } from '../train/run-config.js';
import type { ModelSource } from '../train/student.js';

/** Opens the model's configuration, its tokenizer and the data's first batch, so that what is wrong with them shows. */
export async function printPlan(cli: Cli, config: RunConfig, { json = false }: { json?: boolean }): Promise<void> {
  const { modelSource } = await import('../train/student.js');
  const { planRun } = await import('../train/plan/plan.js');
  const { placeInEnvironment } = await import('../train/distributed/environment.js');
  const source = await modelSource(config, { weights: false });
  const { lossShare, padding } = await firstBatch(config, source);
  const ranks = placeInEnvironment(process.env)?.size ?? 1;
  const { memoryRemark, machineBytes } = await import('../train/plan/fits.js');
  const tight = memoryRemark(config, source.config, { ranks });
  const plan = planRun({ config, model: source.config, lossShare, ranks });
  const stepSeconds = ranks === 1 && isQuick(config, plan) ? await probed(config) : null;
  const { passesOf, timeFacts } = await import('../train/plan/time.js');
  if (json) {
    const time = {
      stepSeconds,
      seconds: stepSeconds === null ? null : stepSeconds * config.steps,
      passes: passesOf(config),
    };
    printJson(cli, { config, model: architecture(source.config), ranks, lossShare, padding, ...plan, time });
    return;
  }
  printLine(cli, stringify(config).trimEnd());
  printLine(cli, '');
  const machine: Fact[] =
    config.device === 'cpu'
      ? [['machine', `${formatBytes(machineBytes())} of memory${tight === null ? '' : `: ${tight}`}`]]
      : [];
  const time = timeFacts(config, stepSeconds);
  printFacts(cli, [...facts(config, source.config, { lossShare, ranks }, plan), ...machine, ...time]);
}

/** FLOPs of steps that a processor makes within seconds. */
const QUICK_STEP = 1e12;

/** Whether a few steps can be tried: of weights that are at hand, in a short time. */
function isQuick({ model, device, objective, data }: RunConfig, { flops }: RunPlan): boolean {
  const atHand = 'architecture' in model || existsSync(model.from);
  return atHand && device === 'cpu' && objective.kind !== 'custom' && !('given' in data) && flops.perStep < QUICK_STEP;
}

async function probed(config: RunConfig): Promise<number | null> {
  const { probeStep } = await import('../train/plan/probe.js');
  return probeStep(config);
}

async function firstBatch(
  config: RunConfig,
  { tokenizer }: ModelSource,
): Promise<{ lossShare: number; padding: number }> {
  const { openRunData } = await import('../train/run-data.js');
  const batch = await openRunData(config, tokenizer).next();
  if (batch === null) return { lossShare: 0, padding: 1 };
  const places = batch.B * batch.S;
  return { lossShare: batch.lossTokens / places, padding: 1 - batch.tokens / places };
}

function architecture({ extra: _, ...config }: LoopLMConfig): Omit<LoopLMConfig, 'extra'> {
  return config;
}

type Fact = [string, string];

function facts(
  { steps, batch, objective }: RunConfig,
  model: LoopLMConfig,
  { lossShare, ranks }: { lossShare: number; ranks: number },
  { parameters, tokens, memory, traffic, flops }: RunPlan,
): Fact[] {
  const { layers, hiddenSize, heads, loops, vocabSize } = model;
  const { perStep, total: allFlops, ...kinds } = flops;
  const shares = Object.entries(kinds).filter(([kind, part]) => part > 0 || kind !== 'again');
  const shared = shares.map(([kind, part]) => `${kind} ${((100 * part) / perStep).toFixed(0)} %`).join(', ');
  const { total, ...parts } = memory;
  const named = Object.entries(parts).filter(([, size]) => size > 0);
  return [
    ['model', `${layers} layers × ${loops} loops, hidden ${hiddenSize}, ${heads} heads, vocabulary ${vocabSize}`],
    [
      'parameters',
      `${count(parameters.total)}, of which ${count(parameters.trained)} are trained by ${objective.kind}`,
    ],
    [
      'tokens',
      `${count(tokens.perStep)} a step, ${count(tokens.total)} in ${count(steps)} steps (${batch.rows} rows × ${batch.sequenceLength} × ${batch.accumulate})`,
    ],
    ['counted', `${(100 * lossShare).toFixed(1)} % of the tokens of the first batch count in the loss`],
    [
      'memory',
      `about ${formatBytes(total)}: ${named.map(([name, size]) => `${words(name)} ${formatBytes(size)}`).join(', ')}`,
    ],
    ['FLOPs', `${si(perStep)} a step (${shared}), ${si(allFlops)} in all`],
    ...(ranks > 1
      ? [
          [
            'ranks',
            `${ranks}, each with the above; ${formatBytes(traffic.total)} sent by each in a step`,
          ] satisfies Fact,
        ]
      : []),
  ];
}

/** `teacherPass` → `teacher pass` */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function si(value: number): string {
  const power = Math.min(7, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${(value / 1000 ** power).toFixed(2)}${['', ' k', ' M', ' G', ' T', ' P', ' E', ' Z'][power]}`;
}
