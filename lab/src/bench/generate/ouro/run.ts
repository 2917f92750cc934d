/**
 * Decoding and prompts at Ouro's size. In a round every way has a turn at every batch, with the memory's speed measured before it;
 * what a way is held against is of the same round.
 */

import { type BenchModel, modelConfig } from '../../cases.js';
import { median } from '../../statistics.js';
import type { WorkerProcess } from '../../worker-process.js';
import { type Asked, type Measured, measuredSchema } from './protocol.js';
import { bytesOfStep } from './shape.js';
import { type Places, type Way, waysOf } from './ways.js';

export interface OuroOptions extends Places {
  model: BenchModel;
  batches: readonly number[];
  /** Of each sequence. */
  tokens: number;
  /** Of the prompt whose reading is timed; 0: none is. */
  prompt: number;
  reps: number;
  threads: number;
}

export interface OuroRow {
  way: string;
  measure: Exclude<Asked['measure'], 'bandwidth'>;
  /** Sequences; null: a prompt was read. */
  batch: number | null;
  tokensPerSecond: number;
  best: number;
  /** CPU seconds of a token, of all threads. */
  cpuPerToken: number;
  /** What the memory's speed allows, tokens a second, and the share of it that was reached: medians over the rounds. */
  bound: number | null;
  reached: number | null;
  /** Passes of the stack that a token took, and the share of drafts that was right; null where nothing speculates. */
  passes: number | null;
  accepted: number | null;
  /** Speed over our bfloat16 and over PyTorch in the same round. */
  overBfloat16: number | null;
  overPytorch: number | null;
}

export interface OuroResult {
  model: BenchModel;
  tokens: number;
  prompt: number;
  reps: number;
  /** GB/s, the median and the best of all samples. */
  bandwidth: { median: number; best: number };
  rows: OuroRow[];
}

const SHORT_PROMPT = 16;
/** So many times as many tokens of a text that speculates, whose speed depends on which drafts are right. */
const SPECULATED = 4;

interface Sample extends Measured {
  /** Bytes a second that the memory gave before it. */
  bandwidth: number;
}

export async function benchOuro(options: OuroOptions, say: (line: string) => void): Promise<OuroResult> {
  const { model, batches, tokens, prompt, reps, threads } = options;
  const ways = await waysOf(model, options, threads, say);
  const workers = ways.map(({ start }) => start());
  const tasks: Asked[] = [
    ...batches.map((batch): Asked => ({ measure: 'decode', batch, prompt: SHORT_PROMPT, tokens })),
    { measure: 'speculate', prompt: SHORT_PROMPT, tokens: SPECULATED * tokens },
    ...(prompt > 0 ? [{ measure: 'prefill', prompt } satisfies Asked] : []),
  ];
  const samples = tasks.map(() => ways.map((): Sample[] => []));
  try {
    for (let rep = 0; rep <= reps; rep++)
      for (const [t, asked] of tasks.entries())
        for (let turn = 0; turn < ways.length; turn++) {
          const w = (turn + rep) % ways.length;
          if (!measures(ways[w]!, asked)) continue;
          const bandwidth = rate(await ask(workers[0]!, { measure: 'bandwidth' }));
          const measured = await ask(workers[w]!, rep === 0 ? shortened(asked) : asked);
          if (rep > 0) samples[t]![w]!.push({ ...measured, bandwidth });
          say(
            `${rep === 0 ? 'warm-up' : `round ${rep} of ${reps}`}: ${ways[w]!.name}, ${nameOf(asked)}: ${rate(measured).toFixed(2)} tokens/s, memory ${(bandwidth / 1e9).toFixed(1)} GB/s`,
          );
        }
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
  const speeds = samples.flat(2).map(({ bandwidth }) => bandwidth / 1e9);
  const single = tasks.findIndex((asked) => asked.measure === 'decode' && asked.batch === 1);
  const rows = tasks.flatMap((asked, t) => {
    // A text that speculates is held against the same text at full depth, without.
    const full = samples[asked.measure === 'speculate' && single >= 0 ? single : t]!;
    return rowsOf(asked, { ways, samples: samples[t]!, full, model });
  });
  return { model, tokens, prompt, reps, bandwidth: { median: median(speeds), best: Math.max(...speeds) }, rows };
}

const ask = (worker: WorkerProcess, asked: Asked): Promise<Measured> =>
  worker.ask(JSON.stringify(asked), measuredSchema);
const rate = ({ work, seconds }: Measured): number => work / seconds;
const nameOf = (asked: Asked): string => (asked.measure === 'decode' ? `batch ${asked.batch}` : asked.measure);

function measures({ side, readsPrompts }: Way, { measure }: Asked): boolean {
  if (measure === 'speculate') return side === 'ours';
  return measure !== 'prefill' || readsPrompts;
}

/** To warm up: pages are read once, code is compiled. */
function shortened(asked: Asked): Asked {
  return 'tokens' in asked ? { ...asked, tokens: 3 } : asked;
}

interface Measurements {
  ways: readonly Way[];
  /** By way, a sample a round. */
  samples: readonly (readonly Sample[])[];
  /** The same of what they are held against. */
  full: readonly (readonly Sample[])[];
  model: BenchModel;
}

function rowsOf(asked: Asked, { ways, samples, full, model }: Measurements): OuroRow[] {
  const config = modelConfig(model);
  const { measure } = asked;
  if (measure === 'bandwidth') return [];
  const over = (of: readonly Sample[], reference: number): number | null => {
    const against = full[reference];
    if (!against || against === of || against.length === 0) return null;
    return median(of.map((one, round) => rate(one) / rate(against[round]!)));
  };
  const ratio = (of: readonly Sample[], share: 'passes' | 'accepted'): number | null =>
    of[0]![share] === undefined ? null : median(of.map((one) => one[share]!));
  return ways.flatMap(({ name, bits }, w): OuroRow[] => {
    const of = samples[w]!;
    if (of.length === 0) return [];
    const batch = measure === 'decode' ? asked.batch : measure === 'speculate' ? 1 : null;
    const bounds =
      measure === 'decode' ? of.map(({ bandwidth }) => (asked.batch * bandwidth) / bytesOfStep(config, bits)) : null;
    return [
      {
        way: name,
        measure,
        batch,
        tokensPerSecond: median(of.map(rate)),
        best: Math.max(...of.map(rate)),
        cpuPerToken: median(of.map(({ cpu, work }) => cpu / work)),
        bound: bounds && median(bounds),
        reached: bounds && median(of.map((one, round) => rate(one) / bounds[round]!)),
        passes: ratio(of, 'passes'),
        accepted: ratio(of, 'accepted'),
        overBfloat16: over(of, 0),
        overPytorch: over(
          of,
          ways.findIndex(({ side }) => side === 'pytorch'),
        ),
      },
    ];
  });
}

export function ouroTable({ rows }: Pick<OuroResult, 'rows'>): string {
  const shown = (value: number | null, digits: number): string => (value === null ? '' : value.toFixed(digits));
  const share = (value: number | null): string => (value === null ? '' : `${(100 * value).toFixed(0)} %`);
  const what = ({ measure, batch }: OuroRow): string =>
    measure === 'decode' ? `batch ${batch}` : measure === 'speculate' ? 'batch 1, drafts' : 'prompt';
  const columns = ['', 'way', 'tokens/s', 'best', 'CPU s a token', 'bound', 'reached', 'passes', 'drafts right'];
  const head = [...columns, '× our bfloat16', '× PyTorch'];
  const lines = rows.map((row) => [
    what(row),
    row.way,
    shown(row.tokensPerSecond, 2),
    shown(row.best, 2),
    shown(row.cpuPerToken, 3),
    shown(row.bound, 2),
    share(row.reached),
    shown(row.passes, 2),
    share(row.accepted),
    shown(row.overBfloat16, 2),
    shown(row.overPytorch, 2),
  ]);
  return [head, head.map(() => '--:'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
