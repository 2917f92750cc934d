/** One mode of ours, step by step: what a training run does for every batch, timed. */

import { readFileSync } from 'node:fs';
import { profile } from '@looprpt/engine';
import { loadModel } from 'looprpt/internal/checkpoint/load-model.js';
import type { PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { parameterCount } from 'looprpt/internal/model/config.js';
import { objectiveOf } from 'looprpt/internal/objectives/objective.js';
import { type StepResult, Trainer } from 'looprpt/internal/train/trainer.js';
import type { WorkerArguments } from './arguments.js';
import { MODES, runConfig } from './cases.js';
import { readBatches } from './files.js';
import { profileParts } from './profile-parts.js';
import type { OperatorsReply, PartTime, StepReply } from './protocol.js';

/** Of CPU time in /proc/stat; fixed in Linux's interface on the architectures in use. */
const TICKS_PER_SECOND = 100;

export class StepWorker implements Disposable {
  readonly #trainer: Trainer;
  readonly #batches: readonly PackedBatch[];
  readonly #learningRate: number;
  readonly #rssBefore = peakMB();
  #steps = 0;

  constructor({ worker, shape, files, dtype }: Pick<WorkerArguments, 'worker' | 'shape' | 'files' | 'dtype'>) {
    const { objective, recomputeLoops } = MODES.find(({ name }) => name === worker)!;
    const { optimizer, teacherDecay, seed } = runConfig(objective, shape);
    this.#learningRate = optimizer.learningRate;
    this.#batches = readBatches(files.tokens, shape);
    const student = Object.assign(loadModel(files.model, { dtype }), { recomputeLoops });
    this.#trainer = new Trainer({ student, objective: objectiveOf(objective), optimizer, teacherDecay, seed });
  }

  /** A step; the line says what is wanted to be known of it. */
  answer(line: string): StepReply | { parts: PartTime[] } | OperatorsReply {
    switch (line) {
      case '':
        return this.#timed();
      case 'parts':
        return { parts: profileParts(this.#trainer, () => this.#step()) };
      case 'operators':
        return this.#operators();
      default:
        throw new Error(`no such request: ${line}`);
    }
  }

  #step(): StepResult {
    const batch = this.#batches[this.#steps++ % this.#batches.length]!;
    return this.#trainer.step([batch], this.#learningRate);
  }

  #timed(): StepReply {
    const cpuBefore = process.cpuUsage();
    const busyBefore = busySeconds();
    const start = performance.now();
    const { loss, parts } = this.#step();
    const seconds = (performance.now() - start) / 1000;
    const busy = busySeconds() - busyBefore;
    const { user, system } = process.cpuUsage(cpuBefore);
    const cpu = (user + system) / 1e6;
    return {
      seconds,
      cpu,
      others: Math.max(0, (busy - cpu) / seconds),
      loss,
      parts,
      rss: peakMB(),
      rss_import: this.#rssBefore,
      parameters: parameterCount(this.#trainer.student.config),
    };
  }

  #operators(): OperatorsReply {
    const start = performance.now();
    const operators = profile(() => void this.#step());
    return { seconds: (performance.now() - start) / 1000, operators };
  }

  [Symbol.dispose](): void {
    this.#trainer[Symbol.dispose]();
    this.#trainer.student.dispose();
  }
}

function peakMB(): number {
  return process.resourceUsage().maxRSS / 1024;
}

/** CPU seconds that the whole machine has used; 0 where it does not say. */
function busySeconds(): number {
  if (process.platform !== 'linux') return 0;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = readFileSync('/proc/stat', 'utf8')
    .slice(4)
    .split('\n', 1)[0]!
    .trim()
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}
