/**
 * The one loop of optimizer steps: micro-batches in, a report of every step out. What a step means (metrics, saved states,
 * rollbacks, a bar) is the caller's, in `onStep`; this file knows nothing of files, runs or ranks.
 *
 * Invariants: no batch is read that no step is made from, so the position of the data after a step is that of the step; other
 * work of the process (signals, timers, messages) has its turn after every step, before `onStep`.
 */
import type { PackedBatch } from '../data/loader/batch.js';
import type { StepResult, Trainer } from './trainer.js';

export interface LoopSetting {
  trainer: Pick<Trainer, 'step'>;
  /** The micro-batches of one step after the other. Going back does not rewind them. */
  batches: AsyncIterable<readonly PackedBatch[]> | Iterable<readonly PackedBatch[]>;
  /** Steps of the whole training. */
  steps: number;
  /** Steps made before this loop; 0 unless told. */
  from?: number;
  /** η of a step, counted from 1. */
  learningRate: (step: number) => number;
  onStep?: (done: StepDone) => NextStep | Promise<NextStep>;
}

export interface StepDone {
  /** From 1. */
  step: number;
  learningRate: number;
  batches: readonly PackedBatch[];
  result: StepResult;
  /** Waiting for the batch and making the step, wall-clock. */
  seconds: number;
}

/** Nothing to go on; 'stop' to end here; `from` to count on from there, after the weights went back to that step. */
export type NextStep = 'stop' | { from: number } | undefined;

/**
 * Trains until the last step, the end of the data, or `onStep` says stop.
 * @returns the steps made, with those before this loop
 * @throws what the trainer, the batches or `onStep` throw
 */
export async function trainingLoop(setting: LoopSetting): Promise<number> {
  const { trainer, steps, learningRate, onStep } = setting;
  const batches = iteratorOf(setting.batches);
  let step = setting.from ?? 0;
  try {
    while (step < steps) {
      const began = performance.now();
      const next = await batches.next();
      if (next.done) break;
      const rate = learningRate(step + 1);
      const result = trainer.step(next.value, rate);
      const seconds = (performance.now() - began) / 1000;
      step++;
      await otherWork();
      const answer = await onStep?.({ step, learningRate: rate, batches: next.value, result, seconds });
      if (answer === 'stop') break;
      if (answer) step = answer.from;
    }
  } finally {
    await batches.return?.();
  }
  return step;
}

type BatchIterator = AsyncIterator<readonly PackedBatch[]> | Iterator<readonly PackedBatch[]>;

function iteratorOf(batches: LoopSetting['batches']): BatchIterator {
  return Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]();
}

function otherWork(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
