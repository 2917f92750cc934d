/**
 * Decoding with trained gates and heads: speculation over depth, and early exits with either cache, against full depth in the same
 * rounds. Random weights accept nothing and leave anywhere, so these rows need models that have learned something.
 *
 * All sequences are past their prompts, and the batch is full throughout; they go on after their end tokens. Decoders are warm: what
 * speculation learns in the seconds before the first round it has in the rounds, as a server has.
 */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { loadModel } from 'looprpt/internal/checkpoint/load-model.js';
import { type DecodeRequest, DecoderCore } from 'looprpt/internal/decode/index.js';
import { samplingConfig } from 'looprpt/internal/decode/sampling.js';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { median } from '../statistics.js';
import { PROBLEMS } from './problems.js';

/** Folders, from the root of the repository. */
export const TRAINED = ['lab/models/math-large-base', 'lab/models/math-base', 'packages/looprpt/models/hop-base'];

export interface TrainedOptions {
  models: readonly string[];
  batches: readonly number[];
  /** Of each sequence in a round. */
  tokens: number;
  reps: number;
  temperature: number;
  threads: number;
  /** Seconds of texts with drafts before the first round. */
  warmUp: number;
}

export interface TrainedRow {
  model: string;
  batch: number;
  name: string;
  tokensPerSecond: number;
  /** Medians over the rounds of the speed against full depth in the same round: by the clock, and by the time of the processor. */
  speedup: number | null;
  cpuSpeedup: number | null;
  /** Passes that a token takes, of its sequence. */
  passes: number;
  /** Of drafts; null where there are none. */
  accepted: number | null;
}

interface Round {
  seconds: number;
  cpuSeconds: number;
  tokens: number;
  /** Sequences · passes. */
  passes: number;
  drafted: number;
  accepted: number;
}

interface Way {
  name: string;
  core: DecoderCore;
  request: Pick<DecodeRequest, 'exit' | 'speculate'>;
}

const FULL = 'full depth';
const THRESHOLD = 0.5;

export async function benchTrained(options: TrainedOptions, say: (line: string) => void): Promise<TrainedRow[]> {
  const rows: TrainedRow[] = [];
  for (const folder of options.models) {
    const model = await loadModel(folder, {});
    const tokenizer = await Tokenizer.load(folder);
    const prompts = await Promise.all(PROBLEMS.map(async (text) => Array.from(await tokenizer.encode(text))));
    for (const batch of options.batches) {
      const longest = Math.max(...prompts.map(({ length }) => length));
      const maxLength = longest + options.tokens + 1;
      const sizes = { maxSequences: batch, maxLength, prefillRows: 512, prefixReuse: false };
      const pages = batch * model.config.loops * Math.ceil(maxLength / 16);
      using plain = new DecoderCore(model, { ...sizes, pages });
      using drafting = new DecoderCore(model, { ...sizes, pages });
      using complete = new DecoderCore(model, { ...sizes, pages, cache: { decode: 'complete' } });
      const exit = { rule: 'gate', threshold: THRESHOLD } as const;
      const ways: Way[] = [
        { name: FULL, core: plain, request: {} },
        { name: 'speculation', core: drafting, request: { speculate: true } },
        { name: `per-loop, τ ${THRESHOLD}`, core: plain, request: { exit } },
        { name: `complete, τ ${THRESHOLD}`, core: complete, request: { exit } },
      ];
      rows.push(...rowsOf({ model: basename(folder), batch }, ways, prompts, options));
      say(`${basename(folder)}, batch ${batch}`);
    }
    model.dispose();
  }
  return rows;
}

function rowsOf(
  of: Pick<TrainedRow, 'model' | 'batch'>,
  ways: readonly Way[],
  prompts: readonly number[][],
  { tokens, reps, temperature, warmUp }: TrainedOptions,
): TrainedRow[] {
  const rounds = new Map(ways.map(({ name }) => [name, [] as Round[]]));
  const run = ({ core, request }: Way, round: number): Round => {
    const requests = Array.from(
      { length: of.batch },
      (_, b): DecodeRequest => ({
        ...request,
        prompt: prompts[(round * of.batch + b) % prompts.length]!,
        maxTokens: tokens,
        sampling: samplingConfig.parse({ temperature }),
        seed: round * of.batch + b,
      }),
    );
    return roundOf(core, requests);
  };
  for (const way of ways) {
    let seconds = 0;
    for (let round = reps; round === reps || (way.request.speculate && seconds < warmUp); round++)
      seconds += run(way, round).seconds;
  }
  for (let round = 0; round < reps; round++)
    for (let turn = 0; turn < ways.length; turn++) {
      const way = ways[(turn + round) % ways.length]!;
      rounds.get(way.name)!.push(run(way, round));
    }
  const full = rounds.get(FULL)!;
  return ways.map(({ name }) => {
    const own = rounds.get(name)!;
    const ratio = (rate: (round: Round) => number): number | null =>
      name === FULL ? null : median(own.map((round, r) => rate(round) / rate(full[r]!)));
    const sum = (of: keyof Round): number => own.reduce((total, round) => total + round[of], 0);
    return {
      ...of,
      name,
      tokensPerSecond: median(own.map((round) => round.tokens / round.seconds)),
      speedup: ratio((round) => round.tokens / round.seconds),
      cpuSpeedup: ratio((round) => round.tokens / round.cpuSeconds),
      passes: sum('passes') / sum('tokens'),
      accepted: sum('drafted') > 0 ? sum('accepted') / sum('drafted') : null,
    };
  });
}

/** From when all are past their prompts to when the first has all its tokens. The decoder must be at rest and is left so. */
export function roundOf(core: DecoderCore, requests: readonly DecodeRequest[]): Round {
  const sequences = requests.map((request) => core.add(request));
  const made = (): number[] => sequences.map(({ ids }, s) => ids.length - requests[s]!.prompt.length);
  while (made().some((tokens) => tokens === 0)) core.pass();
  assert(
    sequences.every(({ finish }) => finish === null),
    'the round is too short for all sequences to be under way',
  );
  const before = { ...core.speculation };
  const first = made().reduce((sum, tokens) => sum + tokens, 0);
  const started = { wall: performance.now(), cpu: process.cpuUsage() };
  let passes = 0;
  while (sequences.every(({ finish }) => finish === null)) {
    core.pass();
    passes += sequences.length;
  }
  const { user, system } = process.cpuUsage(started.cpu);
  const seconds = (performance.now() - started.wall) / 1000;
  const tokens = made().reduce((sum, tokens) => sum + tokens, 0) - first;
  for (const sequence of sequences) core.cancel(sequence);
  const { drafted, accepted } = core.speculation;
  return {
    seconds,
    cpuSeconds: (user + system) / 1e6,
    tokens,
    passes,
    drafted: drafted - before.drafted,
    accepted: accepted - before.accepted,
  };
}

export function trainedTable(rows: readonly TrainedRow[]): string {
  const shown = (value: number | null, digits: number): string => (value === null ? '' : value.toFixed(digits));
  const head =
    '| model | batch | way | tokens/s | × full depth | × by processor time | passes a token | drafts right |\n|:--|--:|:--|--:|--:|--:|--:|--:|';
  const lines = rows.map(
    ({ model, batch, name, tokensPerSecond, speedup, cpuSpeedup, passes, accepted }) =>
      `| ${model} | ${batch} | ${name} | ${shown(tokensPerSecond, 0)} | ${shown(speedup, 2)} | ${shown(cpuSpeedup, 2)} | ${shown(passes, 2)} | ${accepted === null ? '' : `${(100 * accepted).toFixed(0)} %`} |`,
  );
  return [head, ...lines].join('\n');
}
