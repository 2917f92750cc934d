/** One mode of ours on a device: what a training run does for every batch, timed until the device has done it. */

import { deviceMemory, op, randn, scope, synchronize } from '@looprpt/engine';
import type { PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { objectiveOf } from 'looprpt/internal/objectives/objective.js';
import { Trainer } from 'looprpt/internal/train/trainer.js';
import { readBatches } from '../files.js';
import { median } from '../statistics.js';
import { type CudaMemory, type CudaStep, type Job, modelConfigOf, runConfigOf } from './job.js';
import { syntheticModel } from './synthetic.js';

/** Rows and columns of the product that says how fast the device is, and how often it is done. */
const MATMUL = { cuda: { size: 8192, times: 20 }, cpu: { size: 512, times: 5 } };

export class CudaStepWorker implements Disposable {
  readonly #trainer: Trainer;
  readonly #batches: readonly PackedBatch[];
  readonly #device: string;
  readonly #learningRate: number;
  #steps = 0;

  constructor(job: Job) {
    const { objective, optimizer, teacherDecay, seed } = runConfigOf(job);
    const student = syntheticModel(modelConfigOf(job.model), job.device);
    student.recomputeLoops = job.recomputeLoops;
    this.#trainer = new Trainer({ student, objective: objectiveOf(objective), optimizer, teacherDecay, seed });
    this.#batches = readBatches(job.tokens, job.batch);
    this.#device = job.device;
    this.#learningRate = optimizer.learningRate;
  }

  answer(line: string): CudaStep | CudaMemory | { flops: number } {
    switch (line) {
      case 'step':
        return this.#step();
      case 'memory':
        return this.#memory();
      case 'matmul':
        return { flops: this.#matmul() };
      default:
        throw new Error(`no such request: ${line}`);
    }
  }

  #step(): CudaStep {
    const batch = this.#batches[this.#steps++ % this.#batches.length]!;
    const start = performance.now();
    const { loss, parts } = this.#trainer.step([batch], this.#learningRate);
    synchronize(this.#device);
    return { seconds: (performance.now() - start) / 1000, loss, parts };
  }

  #memory(): CudaMemory {
    if (this.#device === 'cpu') return { peak: process.resourceUsage().maxRSS * 1024, whole: null };
    return deviceMemory(this.#device) ?? { peak: null, whole: null };
  }

  #matmul(): number {
    const { size, times } = MATMUL[this.#device === 'cpu' ? 'cpu' : 'cuda'];
    return scope(() => {
      const make = () => randn([size, size], { device: this.#device }).to({ dtype: 'bfloat16' });
      const [left, right, into] = [make(), make(), make()];
      const seconds = Array.from({ length: times + 1 }, () => {
        synchronize(this.#device);
        const start = performance.now();
        op('aten::mm.out')(left, right, { out: into });
        synchronize(this.#device);
        return (performance.now() - start) / 1000;
      });
      return (2 * size ** 3) / median(seconds.slice(1));
    });
  }

  [Symbol.dispose](): void {
    this.#trainer[Symbol.dispose]();
    this.#trainer.student.dispose();
  }
}
