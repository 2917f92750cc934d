/** The steps of `bench:now`: every way of each side in a process of its own, a step of each in turns; tables, and JSON in the last line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineBuild } from '@looprpt/engine';
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
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

interface Result {
  model: string;
  mode: string;
  ways: { name: string; side: Way['side']; seconds: number; tokensPerSecond: number; peakMB: number }[];
  /** The best of the peer's seconds over the best of ours, step by step: the median. */
  ratio: number;
  /** Our float32 over our bfloat16. */
  bfloat16: number;
}

export async function benchNow(options: NowOptions): Promise<void> {
  const peer = findPeerNow(options.python === undefined ? undefined : [options.python]);
  if (peer === null) throw new UserError('no Python with PyTorch 2 and numpy at hand; name one with --python');
  const libtorch = engineBuild().libtorch.version;
  process.stdout.write(
    `libtorch ${libtorch} against PyTorch ${peer.version}, ${options.threads} threads, medians of ${options.reps} steps taken in turns, ${SHAPE.B} x ${SHAPE.T} tokens, ${cpus()[0]?.model}\n`,
  );
  const results: Result[] = [];
  for (const model of options.models)
    for (const mode of options.modes) {
      const result = await measured(model, mode, peer, options);
      results.push(result);
      process.stdout.write(`\n${tableOf(result)}\n`);
    }
  const machine = { cpu: cpus()[0]?.model ?? null, cores: availableParallelism() };
  const software = { libtorch, pytorch: peer.version, node: process.versions.node };
  const { reps, warmup, threads } = options;
  process.stdout.write(
    `\n${JSON.stringify({ bench: 'now', machine, software, settings: { reps, warmup, threads, shape: SHAPE }, results })}\n`,
  );
}

async function measured(model: BenchModel, mode: BenchMode, peer: Peer, options: NowOptions): Promise<Result> {
  const { threads, warmup, reps } = options;
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-bench-'));
  const files = { model: join(folder, 'model'), tokens: join(folder, 'tokens.i32') };
  const args = (worker: string): WorkerArguments => ({ worker, model, shape: SHAPE, threads, files });
  try {
    await runToEnd(OUR_PROGRAM, args('prepare'));
    const ways = [...OURS, ...PEERS];
    const workers = ways.map(({ side, name, flags }) => {
      const program: Program = side === 'ours' ? OUR_PROGRAM : peer.program;
      const worker = side === 'ours' ? mode.name : mode.peer;
      return new WorkerProcess(program, { name, threads, argv: [...toArgv(args(worker)), ...flags] });
    });
    const steps: StepReply[][] = ways.map(() => []);
    for (let rep = 0; rep < warmup + reps; rep++) {
      for (let turn = 0; turn < ways.length; turn++) {
        const at = (turn + rep) % ways.length;
        const reply = await workers[at]!.ask('', stepReplySchema);
        if (rep >= warmup) steps[at]!.push(reply);
      }
      process.stderr.write(
        `${model.name} ${mode.name}: ${rep < warmup ? 'warm-up' : `step ${rep - warmup + 1} of ${reps}`}\n`,
      );
    }
    for (const worker of workers) await worker.close();
    return resultOf(model.name, mode.name, ways, steps);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function resultOf(model: string, mode: string, ways: readonly Way[], steps: readonly StepReply[][]): Result {
  const rows = ways.map(({ name, side }, i) => {
    const seconds = median(steps[i]!.map((step) => step.seconds));
    return { name, side, seconds, tokensPerSecond: (SHAPE.B * SHAPE.T) / seconds, peakMB: steps[i]!.at(-1)!.rss };
  });
  const best = (side: Way['side']): number =>
    rows.reduce((at, row, i) => (row.side === side && (at < 0 || row.seconds < rows[at]!.seconds) ? i : at), -1);
  const over = (a: number, b: number): number =>
    median(steps[a]!.map(({ seconds }, i) => seconds / steps[b]![i]!.seconds));
  return { model, mode, ways: rows, ratio: over(best('peer'), best('ours')), bfloat16: over(0, 1) };
}

function tableOf({ model, mode, ways, ratio, bfloat16 }: Result): string {
  const rows = ways.map(({ name, seconds, tokensPerSecond, peakMB }) => [
    name,
    seconds.toFixed(3),
    tokensPerSecond.toFixed(0),
    peakMB.toFixed(0),
  ]);
  const table = renderTable([`${model}, ${mode}`, 'seconds', 'tokens/s', 'peak MB'], rows, { color: false });
  return `${table}\nours over PyTorch, the best of each: ${ratio.toFixed(2)}; our bfloat16 over our float32: ${bfloat16.toFixed(2)}`;
}
