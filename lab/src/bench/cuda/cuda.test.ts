/** The CUDA benchmark on the CPU, with a tiny model: both sides for real, and the arithmetic of its rows. */
import { fileURLToPath } from 'node:url';
import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../../packages/engine/test-support/collect-garbage.js';
import { temporaryFolder } from '../../../../packages/looprpt/test-support/temporary-folder.js';
import { writeTokens } from '../files.js';
import { findPeer } from '../peer.js';
import { WorkerProcess } from '../worker-process.js';
import { nominalPeak } from './device.js';
import { type CudaStep, type Job, matmulSchema, memorySchema, modelConfigOf, planOf, stepSchema } from './job.js';
import { cudaAgreements, cudaTable, rowOf } from './rows.js';
import { CudaStepWorker } from './step-worker.js';
import { syntheticModel } from './synthetic.js';

const model = { hidden: 32, layers: 2, heads: 2, ffn: 48, vocab: 160 };
const batch = { B: 4, T: 64 };

function job(mode: string, recomputeLoops = false): Job {
  const tokens = `${temporaryFolder().path}/tokens`;
  writeTokens(tokens, model.vocab, batch);
  return { mode, model, batch, tokens, recomputeLoops, device: 'cpu', threads: 1, compile: false };
}

function steps(of: Job, count: number): CudaStep[] {
  using worker = new CudaStepWorker(of);
  return Array.from({ length: count }, () => stepSchema.parse(worker.answer('step')));
}

describe('our worker', () => {
  it.each(['stage1', 'looprpt-hard-gate', 'looprpt'])('%s: steps, memory, products', async (mode) => {
    await collectGarbage();
    const before = liveTensors();
    {
      using worker = new CudaStepWorker(job(mode));
      expect(stepSchema.parse(worker.answer('step')).loss).toBeLessThan(20);
      expect(memorySchema.parse(worker.answer('memory')).peak).toBeGreaterThan(1e7);
      expect(matmulSchema.parse(worker.answer('matmul')).flops).toBeGreaterThan(0);
      expect(() => worker.answer('other')).toThrow('no such request');
    }
    expect(liveTensors()).toBe(before);
  });

  it('takes the same steps, up to bfloat16, where loops are run again', () => {
    const [kept, again] = [steps(job('stage1'), 3), steps(job('stage1', true), 3)];
    expect(again[0]!.loss).toBe(kept[0]!.loss);
    for (const [i, { loss }] of kept.entries()) expect(again[i]!.loss).toBeCloseTo(loss, 1);
  });
});

it('weights are spread as a random initialisation is', () => {
  const made = syntheticModel(modelConfigOf({ ...model, vocab: 4096 }), 'cpu');
  const values = made.weights.embedding.toNumbers();
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  expect(Math.abs(mean)).toBeLessThan(3e-4);
  expect(deviation).toBeCloseTo(0.02, 3);
  expect(made.weights.layers[0]!.out.toNumbers()).not.toEqual(made.weights.layers[1]!.out.toNumbers());
  expect([...made.weights.finalNorm.toNumbers()]).toEqual(Array(32).fill(1));
  expect(made.weights.gateBias.item()).toBe(0);
  made.dispose();
});

it.for<[string, boolean]>([
  ['stage1', false],
  ['stage1', true],
  ['looprpt-hard-gate', true],
])('the peer computes the same: %s, loops run again: %s', async ([mode, recomputeLoops], { skip }) => {
  const peer = findPeer('1.13.0');
  if (!peer) return skip('no Python with PyTorch and numpy');
  const script = fileURLToPath(new URL('../../../peer/bench_cuda.py', import.meta.url));
  const of = job(mode, recomputeLoops);
  const worker = new WorkerProcess([peer.program[0], script], {
    name: `peer ${mode}`,
    threads: 1,
    argv: [JSON.stringify(of)],
  });
  const theirs = [await worker.ask('step', stepSchema), await worker.ask('step', stepSchema)];
  expect(theirs[1]!.loss).not.toBe(theirs[0]!.loss);
  expect((await worker.ask('memory', memorySchema)).peak).toBeGreaterThan(1e7);
  await worker.close();
  const ours = steps(of, 2);
  // Without hard tokens, whose choice hangs on the last digit of an entropy, the second step agrees too.
  const compared = mode === 'stage1' ? ours : ours.slice(0, 1);
  const agreed = compared.flatMap((step, i) => cudaAgreements(mode, step, theirs[i]!));
  expect(agreed.filter(({ agree }) => !agree)).toEqual([]);
  expect(agreed).toHaveLength(2);
});

describe('rows', () => {
  const input = { mode: 'looprpt', peerMode: 'looprpt-hard-gate', tokens: 8192, recomputeLoops: true };
  const numbers = { flops: { ours: 200e12, peer: 210e12 }, peak: 989e12, matmul: 800e12 };

  it('have rates of the median step, against the peak and the measured products', () => {
    const row = rowOf(
      { ...input, ...numbers },
      { first: null, seconds: [0.5, 0.4, 9], peak: 60e9 },
      { first: null, seconds: [1, 1, 1.2], peak: null },
    );
    expect(row.ours!.tokensPerSecond).toBe(16_384);
    expect(row.ours!.mfu).toBeCloseTo(400 / 989, 10);
    expect(row.ours!.ofMatmul).toBeCloseTo(0.5, 10);
    expect(row.peer!.mfu).toBeCloseTo(210 / 989, 10);
    expect(row.speedup).toBe(2);
    const table = cudaTable([row]);
    expect(table).toMatch(/looprpt +ours +16384 +0\.500 +40\.4 % +50\.0 % +60\.0 +2\.00/);
    expect(table).toMatch(/looprpt-hard-gate +PyTorch +8192 +1\.000 +21\.2 % +26\.3 % +–/);
  });

  it('are empty for a side that did not run', () => {
    const failed = { first: null, seconds: [], peak: null };
    expect(rowOf({ ...input, ...numbers }, failed, null)).toMatchObject({ ours: null, peer: null, speedup: null });
  });

  it('count no loop twice that is run again', () => {
    expect(planOf(job('looprpt', true)).flops).toBe(planOf(job('looprpt')).flops);
    expect(planOf(job('looprpt', true)).bytes).toBeLessThan(planOf(job('looprpt')).bytes);
  });

  it('are held against the peak of the device, where it is known', () => {
    expect(nominalPeak('NVIDIA H200')).toBe(989e12);
    expect(nominalPeak('NVIDIA H100 80GB HBM3')).toBe(989e12);
    expect(nominalPeak('NVIDIA A100-SXM4-80GB')).toBe(312e12);
    expect(nominalPeak('NVIDIA GeForce RTX 4090')).toBeNull();
    expect(nominalPeak(null)).toBeNull();
  });
});
