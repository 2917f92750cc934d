/** Very many micro-batches in bfloat16: the step's gradient is that of one of them, where all are equal. */
import { Generator, liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import type { PackedBatch } from '../data/loader/batch.js';
import type { LoopLMConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { objectiveOf } from '../objectives/objective.js';
import { runConfigSchema } from './run-config.js';
import { Trainer } from './trainer.js';

const model: LoopLMConfig = {
  vocabSize: 12,
  hiddenSize: 8,
  intermediateSize: 12,
  layers: 1,
  heads: 2,
  kvHeads: 1,
  headDim: 4,
  loops: 2,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  tieWordEmbeddings: false,
  initializerRange: 0.2,
  windows: [null],
  exitThreshold: 1,
  exitLoop: null,
  bosTokenId: 0,
  eosTokenIds: [0],
  padTokenId: null,
  extra: {},
};
const { objective, optimizer } = runConfigSchema.parse({
  model: { from: 'x' },
  data: { shards: 'x' },
  objective: { kind: 'stage1' },
  out: 'x',
  steps: 1,
  batch: { rows: 1, sequenceLength: 6 },
});

const ids = [3, 7, 1, 3, 9, 4, 2];
const batch: PackedBatch = {
  B: 1,
  S: 6,
  tokens: 6,
  lossTokens: 6,
  inputIds: Int32Array.from(ids.slice(0, 6)),
  targetIds: Int32Array.from(ids.slice(1)),
  segmentIds: new Int32Array(6),
  positionIds: Int32Array.from({ length: 6 }, (_, i) => i),
  documentIds: new Int32Array(6),
  lossMask: new Uint8Array(6).fill(1),
};

/** The gradient's norm in a step of so many equal micro-batches. Nothing of it is left behind. */
function normOf(micro: number, dtype: 'bfloat16' | 'float32'): number {
  const student = LoopLM.create(model, new Generator(1), { dtype });
  const options = { student, objective: objectiveOf(objective), optimizer, teacherDecay: 0, seed: 1 };
  using trainer = new Trainer(options);
  const live = liveTensors();
  const { gradientNorm } = trainer.step(new Array(micro).fill(batch), 1e-2);
  expect(liveTensors()).toBe(live);
  student.dispose();
  return gradientNorm;
}

describe('the mean of 300 equal gradients', () => {
  // Added up in bfloat16, where the last 44 have no effect, it would be off by 2 %.
  it.each([
    ['bfloat16', 5e-3],
    ['float32', 1e-5],
  ] as const)('in %s is one of them', (dtype, tolerance) => {
    expect(Math.abs(normOf(300, dtype) / normOf(1, dtype) - 1)).toBeLessThan(tolerance);
  });
});
