/**
 * `dtype: auto`: bfloat16 where the processor has the instructions and a few steps of a slice of the model say that it pays, else float32.
 *
 * The slice is one layer of the model's widths, run twice, with its head, forwards, backwards and through AdamW. What is decided
 * becomes the run's dtype and is stored with it: a run that goes on never decides again.
 *
 * Not here: whether a device can multiply in a dtype at all (model/usable-dtype.ts), and what several processes agree on
 * (distributed/agreed-dtype.ts).
 */
import { Generator, setThreads } from '@looprpt/engine';
import type { ModelDType } from '../base/dtypes.js';
import { bfloat16Instructions } from '../base/processor.js';
import { emptyBatch, type PackedBatch } from '../data/loader/batch.js';
import type { LoopLMConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { usableDType } from '../model/usable-dtype.js';
import { objectiveOf } from '../objectives/objective.js';
import { adamWConfigSchema } from './adamw.js';
import { Trainer } from './trainer.js';

export interface DTypeChoice {
  dtype: ModelDType;
  /** In words, for people. */
  why: string;
  /** Whether steps were timed for it. */
  measured: boolean;
}

export interface DTypeQuestion {
  model: LoopLMConfig;
  device: string;
  threads: number;
}

/** Below this width conversions and small products leave nothing to gain; runs of such models stay in float32 on every machine. */
const LEAST_WIDTH = 192;
/** bfloat16 has to be at least so much faster. */
const PAYS = 1.1;
/** Multiply-adds of a timed step, about. */
const WORK = 1e9;
const TOKENS = { least: 64, most: 1024 };
const ROW = 64;
const TIMED = 3;

/** Why nothing here can gain by bfloat16; null where something may. */
export function bfloat16Obstacle(device: string): string | null {
  if (device === 'cpu' && bfloat16Instructions()?.length === 0) return 'the processor has no products in bfloat16';
  if (usableDType('bfloat16', device) !== 'bfloat16') return `this libtorch has no products in bfloat16 on ${device}`;
  return null;
}

export function chooseDType({ model, device, threads }: DTypeQuestion): DTypeChoice {
  const float32 = (why: string): DTypeChoice => ({ dtype: 'float32', why, measured: false });
  if (model.hiddenSize < LEAST_WIDTH) return float32(`hidden size ${model.hiddenSize} is below ${LEAST_WIDTH}`);
  const obstacle = bfloat16Obstacle(device);
  if (obstacle !== null) return float32(obstacle);
  const instructions = device === 'cpu' ? bfloat16Instructions() : null;
  const named = instructions === null ? device : instructions.join(', ');
  setThreads(threads);
  const ratio = speedUp(model, device);
  const measured = `measured ${ratio.toFixed(2)} times as fast as float32 on a slice of the model`;
  return ratio >= PAYS
    ? { dtype: 'bfloat16', why: `${named}; ${measured}`, measured: true }
    : { ...float32(`bfloat16 ${measured}`), measured: true };
}

/** Seconds of a step in float32, over those in bfloat16: the quickest of a few in turns, which other work on the machine slows least. */
function speedUp(model: LoopLMConfig, device: string): number {
  const slices = (['float32', 'bfloat16'] as const).map((dtype) => sliceOf(model, device, dtype));
  try {
    const seconds = slices.map(() => Number.POSITIVE_INFINITY);
    for (let i = 0; i <= TIMED; i++)
      slices.forEach(({ step }, at) => {
        const began = performance.now();
        step();
        // The first step makes what later ones use again.
        if (i > 0) seconds[at] = Math.min(seconds[at]!, performance.now() - began);
      });
    return seconds[0]! / seconds[1]!;
  } finally {
    for (const { dispose } of slices) dispose();
  }
}

function sliceOf(model: LoopLMConfig, device: string, dtype: ModelDType): { step: () => void; dispose: () => void } {
  const slice = { ...model, layers: 1, loops: 2, windows: [null] };
  const student = LoopLM.create(slice, new Generator(1, 'cpu'), { dtype, device });
  const objective = objectiveOf({ kind: 'stage1', beta: 0.1 });
  const trainer = new Trainer({ student, objective, optimizer: adamWConfigSchema.parse({}), teacherDecay: 0, seed: 0 });
  const batch = anyBatch(slice);
  return {
    step: () => trainer.step([batch], 1e-6),
    dispose: () => {
      trainer[Symbol.dispose]();
      student.dispose();
    },
  };
}

/** Rows of ids that follow each other, all of which count. */
function anyBatch({ hiddenSize: E, intermediateSize: F, vocabSize: V }: LoopLMConfig): PackedBatch {
  const perToken = 2 * (4 * E * E + 3 * E * F + E * V) * 3;
  const rows = Math.round(Math.min(TOKENS.most, Math.max(TOKENS.least, WORK / perToken)) / ROW);
  const batch = emptyBatch(rows, ROW);
  batch.tokens = batch.lossTokens = rows * ROW;
  for (let at = 0; at < rows * ROW; at++) {
    batch.inputIds[at] = at % V;
    batch.targetIds[at] = (at + 1) % V;
    batch.positionIds[at] = at % ROW;
    batch.lossMask[at] = 1;
  }
  return batch;
}
