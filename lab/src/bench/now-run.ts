/** The steps of `bench:now`: every way of each side in a process of its own, a step of each in turns; tables, and JSON in the last line. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { engineBuild } from '@looprpt/engine';
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { toArgv, type WorkerArguments } from './arguments.js';
import type { BenchMode, BenchModel } from './cases.js';
import { findPeerNow, type Peer } from './peer.js';
import { type StepReply, stepReplySchema } from './protocol.js';
import { median } from './statistics.js';
import { OUR_PROGRAM, type Program, runToEnd, WorkerProcess } from './worker-process.js';

export interface NowOptions {
  models: readonly BenchModel[];
  modes: readonly BenchMode[];
  reps: number;
  warmup: number;
  threads: number;
  python: string | undefined;
  /** Parts of the names of the ways to run; default: all. */
  ways?: readonly string[] | undefined;
  /** Only fill the cache of torch.compile. */
  compileOnly: boolean;
  /** A file of outcomes, in which those of the same models and modes are replaced. */
  into?: string | undefined;
}

interface Way {
  side: 'ours' | 'peer';
  name: string;
  flags: readonly string[];
}

const OURS: readonly Way[] = [
  { side: 'ours', name: 'ours, float32', flags: ['--dtype', 'float32'] },
  { side: 'ours', name: 'ours, bfloat16', flags: ['--dtype', 'bfloat16'] },
];
const PRODUCTS = ['--attention', 'products'];
const PEERS: readonly Way[] = [
  { side: 'peer', name: 'PyTorch, float32', flags: PRODUCTS },
  { side: 'peer', name: 'PyTorch, float32, compiled', flags: [...PRODUCTS, '--compile'] },
  { side: 'peer', name: 'PyTorch, bfloat16', flags: ['--autocast', ...PRODUCTS] },
  { side: 'peer', name: 'PyTorch, bfloat16, fused attention', flags: ['--autocast'] },
  { side: 'peer', name: 'PyTorch, bfloat16, compiled', flags: ['--autocast', ...PRODUCTS, '--compile'] },
];

const SHAPE = { B: 16, T: 128 };

/** Steps after which a way has compiled all it will. */
const COMPILED_AFTER = 2;

/** What torch.compile has made is kept between runs, so that compiling is no part of one that is timed. */
const CACHE = fileURLToPath(new URL('../../../.cache/bench-now', import.meta.url));

/** @param parts whole names, or what names may contain; undefined: all */
function chosenWays(parts: readonly string[] | undefined): Way[] {
  const all = [...OURS, ...PEERS];
  const isIn = (name: string, part: string): boolean =>
    all.some((way) => way.name === part) ? name === part : name.includes(part);
  return all.filter(({ name }) => parts?.some((part) => isIn(name, part)) ?? true);
}

interface WayResult {
  name: string;
  side: Way['side'];
  /** By the clock, the median. */
  seconds: number;
  /** Of all threads, the median: what other programs on the machine change least. */
  cpuSeconds: number;
  tokensPerSecond: number;
  peakMB: number;
  /** Cores that other programs kept busy meanwhile, on average. */
  othersBusy: number;
}

interface Result {
  model: string;
  mode: string;
  ways: WayResult[];
  /** The best of the peer's seconds over the best of ours, step by step: the median. */
  ratio: number;
  /** The same ways, by CPU seconds: the ratio of medians. */
  cpuRatio: number;
  /** Our float32 over our bfloat16; null where one of them was not run. */
  bfloat16: number | null;
}

export async function benchNow(options: NowOptions): Promise<void> {
  const peer = findPeerNow(options.python === undefined ? undefined : [options.python]);
  if (peer === null) throw new UserError('no Python with PyTorch 2 and numpy at hand; name one with --python');
  process.env.TORCHINDUCTOR_CACHE_DIR ??= CACHE;
  const ways = chosenWays(options.ways);
  if (options.compileOnly) {
    await compileAll(ways, peer, options);
    return;
  }
  for (const side of ['ours', 'peer'])
    if (!ways.some((way) => way.side === side))
      throw new UserError(`--ways ${options.ways?.join(' ')}: leaves none of ${side}`);
  const libtorch = engineBuild().libtorch.version;
  process.stdout.write(
    `libtorch ${libtorch} against PyTorch ${peer.version}, ${options.threads} threads, medians of ${options.reps} steps taken in turns, ${SHAPE.B} x ${SHAPE.T} tokens, ${cpus()[0]?.model}\n`,
  );
  const results: Result[] = [];
  for (const model of options.models)
    for (const mode of options.modes) {
      const result = await measured(model, mode, ways, peer, options);
      results.push(result);
      process.stdout.write(`\n${tableOf(result)}\n`);
    }
  const machine = { cpu: cpus()[0]?.model ?? null, cores: availableParallelism() };
  const software = { libtorch, pytorch: peer.version, node: process.versions.node };
  const { reps, warmup, threads } = options;
  const settings = { reps, warmup, threads, shape: SHAPE };
  const outcome: Outcome = { bench: 'now', machine, software, settings, results };
  if (options.into !== undefined) mergeInto(options.into, outcome);
  process.stdout.write(`\n${JSON.stringify(outcome)}\n`);
}

interface Outcome {
  bench: 'now';
  machine: { cpu: string | null; cores: number };
  software: Record<string, string>;
  settings: object;
  results: Result[];
}

/** One model and mode a line. */
function mergeInto(file: string, { results, ...head }: Outcome): void {
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Outcome).results : [];
  const isNew = ({ model, mode }: Result): boolean => results.some((one) => one.model === model && one.mode === mode);
  const lines = [...before.filter((one) => !isNew(one)), ...results].map((one) => JSON.stringify(one));
  writeWholeFile(file, `${JSON.stringify(head).slice(0, -1)},"results":[\n${lines.join(',\n')}\n]}\n`);
}

async function compileAll(ways: readonly Way[], peer: Peer, { models, modes, threads }: NowOptions): Promise<void> {
  const compiled = ways.filter(({ flags }) => flags.includes('--compile'));
  for (const model of models)
    for (const mode of modes)
      for (const way of compiled)
        await withFiles(model, threads, async (args) => {
          process.stderr.write(`${model.name} ${mode.peer}: ${way.name}\n`);
          const worker = workerOf(way, mode, peer, args);
          for (let i = 0; i < COMPILED_AFTER; i++) await worker.ask('', stepReplySchema);
          await worker.close();
        });
}

type ArgumentsOf = (worker: string) => WorkerArguments;

/** With a model and batches on the disk, which are gone afterwards. */
async function withFiles<T>(model: BenchModel, threads: number, work: (args: ArgumentsOf) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-bench-'));
  const files = { model: join(folder, 'model'), tokens: join(folder, 'tokens.i32') };
  const args = (worker: string): WorkerArguments => ({ worker, model, shape: SHAPE, threads, files });
  try {
    await runToEnd(OUR_PROGRAM, args('prepare'));
    return await work(args);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function workerOf({ side, name, flags }: Way, mode: BenchMode, peer: Peer, args: ArgumentsOf): WorkerProcess {
  const program: Program = side === 'ours' ? OUR_PROGRAM : peer.program;
  const own = args(side === 'ours' ? mode.name : mode.peer);
  return new WorkerProcess(program, { name, threads: own.threads, argv: [...toArgv(own), ...flags] });
}

async function measured(
  model: BenchModel,
  mode: BenchMode,
  ways: readonly Way[],
  peer: Peer,
  { threads, warmup, reps }: NowOptions,
): Promise<Result> {
  return withFiles(model, threads, async (args) => {
    const workers = ways.map((way) => workerOf(way, mode, peer, args));
    const steps: StepReply[][] = ways.map(() => []);
    for (let rep = 0; rep < warmup + reps; rep++) {
      const seconds: number[] = [];
      for (let turn = 0; turn < ways.length; turn++) {
        const at = (turn + rep) % ways.length;
        const reply = await workers[at]!.ask('', stepReplySchema);
        seconds[at] = reply.seconds;
        if (rep >= warmup) steps[at]!.push(reply);
      }
      const what = rep < warmup ? 'warm-up' : `step ${rep - warmup + 1} of ${reps}`;
      const shown = seconds.map((one) => one.toFixed(2)).join(', ');
      process.stderr.write(`${model.name} ${mode.name}: ${what}: ${shown} s\n`);
    }
    for (const worker of workers) await worker.close();
    return resultOf(model.name, mode.name, ways, steps);
  });
}

function resultOf(model: string, mode: string, ways: readonly Way[], steps: readonly StepReply[][]): Result {
  const rows = ways.map(({ name, side }, i) => {
    const own = steps[i]!;
    const seconds = median(own.map((step) => step.seconds));
    return {
      name,
      side,
      seconds,
      cpuSeconds: median(own.map(({ cpu }) => cpu)),
      tokensPerSecond: (SHAPE.B * SHAPE.T) / seconds,
      peakMB: own.at(-1)!.rss,
      othersBusy: own.reduce((sum, { others }) => sum + others, 0) / own.length,
    };
  });
  const best = (side: Way['side']): number =>
    rows.reduce((at, row, i) => (row.side === side && (at < 0 || row.seconds < rows[at]!.seconds) ? i : at), -1);
  const [ours, peers] = [best('ours'), best('peer')];
  const over = (a: number, b: number): number =>
    median(steps[a]!.map(({ seconds }, i) => seconds / steps[b]![i]!.seconds));
  const at = (name: string): number => rows.findIndex((row) => row.name === name);
  const [wide, half] = [at('ours, float32'), at('ours, bfloat16')];
  const bfloat16 = wide >= 0 && half >= 0 ? over(wide, half) : null;
  const cpuRatio = rows[peers]!.cpuSeconds / rows[ours]!.cpuSeconds;
  return { model, mode, ways: rows, ratio: over(peers, ours), cpuRatio, bfloat16 };
}

function tableOf({ model, mode, ways, ratio, cpuRatio, bfloat16 }: Result): string {
  const rows = ways.map(({ name, seconds, cpuSeconds, tokensPerSecond, peakMB }) => [
    name,
    seconds.toFixed(3),
    cpuSeconds.toFixed(3),
    tokensPerSecond.toFixed(0),
    peakMB.toFixed(0),
  ]);
  const table = renderTable([`${model}, ${mode}`, 'seconds', 'CPU seconds', 'tokens/s', 'peak MB'], rows, {
    color: false,
  });
  const half = bfloat16 === null ? '' : `; our bfloat16 over our float32: ${bfloat16.toFixed(2)}`;
  return `${table}\nours over PyTorch, the best of each: ${ratio.toFixed(2)}, by CPU seconds ${cpuRatio.toFixed(2)}${half}`;
}
