/**
 * The CUDA benchmark: rounds in which each side and mode has a process of its own, one after the other, because two models of this
 * size do not fit into a device together. The order turns by one with each round. A table on stdout, the JSON in the last line.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { engineBuild } from '@looprpt/engine';
import type { Agreement } from '../agreement.js';
import type { BatchShape } from '../cases.js';
import { writeTokens } from '../files.js';
import { findPeer, type Peer } from '../peer.js';
import { median } from '../statistics.js';
import { type Program, WorkerProcess } from '../worker-process.js';
import { deviceName, nominalPeak } from './device.js';
import { type CudaShape, type Job, matmulSchema, memorySchema, peerMode, planOf, stepSchema, tokensOf } from './job.js';
import { type CudaRow, cudaAgreements, cudaTable, rowOf, type SideMeasurement } from './rows.js';

export interface CudaBenchOptions {
  device: string;
  model: CudaShape;
  batch: BatchShape;
  modes: readonly string[];
  /** 'auto': where the plan would fill more than four fifths of the device. */
  recompute: 'auto' | 'on' | 'off';
  rounds: number;
  steps: number;
  warmup: number;
  threads: number;
  peer: boolean;
  python?: string | undefined;
  compile: boolean;
}

const OURS: Program = [process.execPath, fileURLToPath(new URL('./worker.js', import.meta.url))];
const PEER_SCRIPT = fileURLToPath(new URL('../../../peer/bench_cuda.py', import.meta.url));

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** A side of a mode, with all that its processes have answered. */
interface Entrant extends SideMeasurement {
  side: 'ours' | 'peer';
  mode: string;
  job: Job;
  program: Program;
  failure: string | null;
}

/** @returns whether ours ran and agrees with the peer wherever they can be compared */
export async function benchCuda(options: CudaBenchOptions): Promise<boolean> {
  const { device, model, batch, rounds, steps } = options;
  const python = options.python === undefined ? undefined : [options.python];
  const peer = options.peer ? findPeer(engineBuild().libtorch.version, python) : null;
  const name = device === 'cpu' ? null : deviceName(device);
  const software = { libtorch: engineBuild().libtorch.version, pytorch: peer?.version ?? null };
  print(
    `${name ?? device}, libtorch ${software.libtorch}, peer: ${peer?.version ? `PyTorch ${peer.version}` : 'none'}; ` +
      `bfloat16, ${batch.B} x ${batch.T} tokens, medians of ${rounds} rounds of ${steps} steps`,
  );
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-bench-'));
  try {
    const tokens = join(folder, 'tokens.i32');
    writeTokens(tokens, model.vocab, batch);
    const whole = await deviceBytes(options, tokens);
    const entrants = entrantsOf(options, tokens, peer, whole);
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++)
      for (let turn = 0; turn < entrants.length; turn++)
        await run(entrants[(turn + round) % entrants.length]!, options, rates, `round ${round + 1}`);
    return report(options, entrants, rates, { name, software });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function jobOf(options: CudaBenchOptions, tokens: string, mode: string): Job {
  const { device, model, batch, threads, compile } = options;
  return { mode, model, batch, device, threads, tokens, compile, recomputeLoops: options.recompute === 'on' };
}

/** All bytes of the device; null where it does not say. */
async function deviceBytes(options: CudaBenchOptions, tokens: string): Promise<number | null> {
  if (options.device === 'cpu') return null;
  const tiny = { hidden: 64, layers: 1, heads: 1, ffn: 64, vocab: options.model.vocab };
  const worker = launch(OURS, { ...jobOf(options, tokens, 'stage1'), model: tiny });
  const { whole } = await worker.ask('memory', memorySchema);
  await worker.close();
  return whole;
}

function entrantsOf(options: CudaBenchOptions, tokens: string, peer: Peer | null, whole: number | null): Entrant[] {
  const entrant = (side: 'ours' | 'peer', mode: string, recomputeLoops: boolean, program: Program): Entrant => ({
    side,
    mode,
    program,
    first: null,
    seconds: [],
    peak: null,
    failure: null,
    job: { ...jobOf(options, tokens, side === 'ours' ? mode : peerMode(mode)), recomputeLoops },
  });
  return options.modes.flatMap((mode) => {
    const job = jobOf(options, tokens, mode);
    const tooLarge = whole !== null && planOf({ ...job, recomputeLoops: false }).bytes > 0.8 * whole;
    const again = options.recompute === 'on' || (options.recompute === 'auto' && tooLarge);
    return [
      entrant('ours', mode, again, OURS),
      ...(peer ? [entrant('peer', mode, again, [peer.program[0], PEER_SCRIPT])] : []),
    ];
  });
}

function launch(program: Program, job: Job): WorkerProcess {
  const name = `${program === OURS ? 'ours' : 'peer'} ${job.mode}`;
  return new WorkerProcess(program, { name, threads: job.threads, argv: [JSON.stringify(job)] });
}

/** One process: steps to warm up, steps to measure. A side that has failed once is left out from then on. */
async function run(entrant: Entrant, options: CudaBenchOptions, rates: number[], label: string): Promise<void> {
  if (entrant.failure !== null) return;
  const worker = launch(entrant.program, entrant.job);
  const seconds: number[] = [];
  try {
    for (let step = 0; step < options.warmup + options.steps; step++) {
      const reply = await worker.ask('step', stepSchema);
      if (step === 0) entrant.first = reply;
      if (step >= options.warmup) seconds.push(reply.seconds);
    }
    const { peak } = await worker.ask('memory', memorySchema);
    entrant.peak = peak === null ? entrant.peak : Math.max(peak, entrant.peak ?? 0);
    if (entrant.side === 'ours') rates.push((await worker.ask('matmul', matmulSchema)).flops);
    entrant.seconds.push(...seconds);
  } catch (error) {
    entrant.failure = (error as Error).message;
  }
  await worker.close();
  const times = seconds.map((time) => time.toFixed(3)).join(' ');
  say(`${label}: ${entrant.side} ${entrant.mode}: ${entrant.failure ?? times}`);
}

function report(
  options: CudaBenchOptions,
  entrants: readonly Entrant[],
  rates: readonly number[],
  { name, software }: { name: string | null; software: object },
): boolean {
  const matmul = median(rates);
  const peak = nominalPeak(name) ?? matmul;
  const find = (side: Entrant['side'], mode: string): Entrant | null =>
    entrants.find((one) => one.side === side && one.mode === mode) ?? null;
  const rows: CudaRow[] = [];
  const agreements: Agreement[] = [];
  for (const mode of options.modes) {
    const [ours, peer] = [find('ours', mode)!, find('peer', mode)];
    const { recomputeLoops } = ours.job;
    const flops = { ours: planOf(ours.job).flops, peer: planOf({ ...ours.job, mode: peerMode(mode) }).flops };
    const tokens = tokensOf(options.batch);
    rows.push(rowOf({ mode, peerMode: peerMode(mode), tokens, flops, peak, matmul, recomputeLoops }, ours, peer));
    if (ours.first && peer?.first && mode === peerMode(mode))
      agreements.push(...cudaAgreements(mode, ours.first, peer.first));
  }
  const given = nominalPeak(name) === null ? 'the measured rate of products' : "the maker's";
  print(
    `\n${cudaTable(rows)}\n\nMFU of ${(peak / 1e12).toFixed(1)} TFLOP/s, ${given}; products ran at ${(matmul / 1e12).toFixed(1)}`,
  );
  const failures = entrants.flatMap(({ side, mode, failure }) =>
    failure === null ? [] : [`${side} ${mode}: ${failure}`],
  );
  for (const line of failures) print(`left out: ${line}`);
  const apart = agreements.filter(({ agree }) => !agree);
  for (const { mode, what, ours, peer } of apart)
    print(`NOT THE SAME COMPUTATION: ${mode}: ${what} of the first step is ${ours} here and ${peer} for the peer`);
  const { python: _, ...settings } = options;
  print(
    `\n${JSON.stringify({ bench: 'cuda', device: name ?? options.device, software, settings, peak, matmul, rows, agreements, failures })}`,
  );
  return apart.length === 0 && entrants.every(({ side, failure }) => side === 'peer' || failure === null);
}
