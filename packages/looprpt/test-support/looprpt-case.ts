/**
 * One LoopRPT step on a tiny model, given to both sides: the product's step and the slow one, with the same weights, batch,
 * settings, noise and exits.
 */
import { type DType, scope } from '@looprpt/engine';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import type { TrainingBatch } from 'looprpt/internal/objectives/batch.js';
import { type LoopRptConfig, loopRptConfigSchema } from 'looprpt/internal/objectives/looprpt/config.js';
import { loopRptLoss } from 'looprpt/internal/objectives/looprpt/step.js';
import type { RowKey } from 'looprpt/internal/objectives/row-key.js';
import { FixedRandomness } from './fixed-randomness.js';
import type { SlowParams } from './slow/slow-loop-lm.js';
import { freezeLoopRpt } from './slow/slow-looprpt.js';
import type { SlowLoopRptResult, SlowLoopRptSetup } from './slow/slow-looprpt-types.js';
import { type SlowBatch, UNCOUNTED } from './slow/slow-readout.js';
import { latentNoise, nearbyParams, random, type TinyModel, tinyModel } from './slow/tiny-model.js';
import { batchOf, modelOf, slowSettings, type UpstreamGradients, upstreamGradients } from './slow-bridge.js';

/** Grouped heads, 4 loops, own LM head. */
export const fourLoops: TinyModel = tinyModel(21, { loops: 4, heads: 4, kvHeads: 2 });
/** One group of heads, 3 loops, the LM head tied to the embedding, which is small enough for logits of moderate size. */
export const threeLoops: TinyModel = withSmallEmbedding(tinyModel(31, { loops: 3, tieEmbeddings: true }));

function withSmallEmbedding({ config, params }: TinyModel): TinyModel {
  const name = 'model.embed_tokens.weight';
  const { shape, data } = params[name]!;
  return { config, params: { ...params, [name]: { shape, data: data.map((x) => 0.4 * x) } } };
}

/** Rows that differ: two documents with masked places, 5 of which count; one document and padding, with 2. */
export const mixedBatch: SlowBatch = {
  ids: [
    [3, 1, 4, 1, 5, 9],
    [2, 6, 5, 3, 0, 0],
  ],
  segments: [
    [0, 0, 0, 1, 1, 1],
    [0, 0, 0, 0, -1, -2],
  ],
  targets: [
    [1, 4, 2, UNCOUNTED, 9, 2],
    [UNCOUNTED, 5, 3, UNCOUNTED, UNCOUNTED, UNCOUNTED],
  ],
};

/** The same with a row of two documents of which nothing counts (prompts, say) between the others. */
export const batchWithSilentRow: SlowBatch = {
  ids: [mixedBatch.ids[0]!, [8, 9, 7, 9, 3, 2], mixedBatch.ids[1]!],
  segments: [mixedBatch.segments![0]!, [0, 0, 1, 1, 1, 1], mixedBatch.segments![1]!],
  targets: [mixedBatch.targets[0]!, [8, 9, 7, 9, 3, 2].map(() => UNCOUNTED), mixedBatch.targets[1]!],
};

export interface LoopRptCase {
  student: TinyModel;
  teacher: SlowParams;
  config: LoopRptConfig;
  slow: SlowLoopRptSetup;
}

/** What a case may change of LoopRPT's settings; the rest are small, and large enough that every part shows in the loss. */
export type LoopRptOverrides = Partial<Omit<LoopRptConfig, 'kind'>>;

export function loopRptCase(
  overrides: LoopRptOverrides = {},
  { student = fourLoops, batch = mixedBatch }: { student?: TinyModel; batch?: SlowBatch } = {},
): LoopRptCase {
  const config = loopRptConfigSchema.parse({
    kind: 'looprpt',
    alpha: 0.7,
    beta: 1.3,
    gamma: 0.2,
    delta: 0.4,
    rho: 0.5,
    tau: 0.6,
    lambdaBase: 0.1,
    rolloutCount: 3,
    sigma: 0.3,
    ...overrides,
  });
  const teacher = nearbyParams(student.params, 22, 0.15);
  const numbers = random(23);
  const [rollouts, rows, length] = [config.rolloutCount, batch.ids.length, batch.ids[0]!.length];
  const exits = Array.from({ length: rollouts }, () =>
    batch.ids.map((row) => row.map(() => numbers.below(student.config.loops))),
  );
  const noise = latentNoise(student.config, 24, config.sigma, { rollouts, rows, length });
  const slow = { config: student.config, teacher, batch, settings: slowSettings(config), noise, exits };
  return { student, teacher, config, slow };
}

/** The slow step: its results at the student's weights, and the loss as a function of weights with all constants held. */
export function slowStep({ slow, student }: LoopRptCase): {
  result: SlowLoopRptResult;
  lossOf: (params: SlowParams) => number;
} {
  const step = freezeLoopRpt(slow, student.params);
  return { result: step(student.params), lossOf: (params) => step(params).loss };
}

/** What the product's step said, as numbers. */
export interface ProductStep {
  loss: number;
  parts: Record<string, number>;
  /** π [k][m], R [k][m], and the rewards of the groups [g][m]. */
  exitPdf: number[][];
  rewards: number[][];
  groupRewards: number[][];
  /** π^(g)(t^(g)) [g][m]; null in closed form. */
  rolloutPdf: number[][] | null;
  gradients: UpstreamGradients;
}

export interface ProductModels {
  student: LoopLM;
  teacher: LoopLM;
  batch: TrainingBatch;
  rowKeys: readonly RowKey[];
}

/** Runs `body` with the product's models and batch for a case, and frees them. */
export function withModels<T>(
  { student, teacher, slow }: LoopRptCase,
  body: (models: ProductModels) => T,
  dtype: DType = 'float64',
): T {
  const models = {
    student: modelOf(student, dtype),
    teacher: modelOf({ config: student.config, params: teacher }, dtype),
  };
  try {
    const rowKeys = slow.batch.ids.map((_, row): RowKey => ({ seed: 5, step: 1, row }));
    return scope(() => body({ ...models, batch: batchOf(slow.batch), rowKeys }));
  } finally {
    models.student.dispose();
    models.teacher.dispose();
  }
}

/**
 * The product's step on a case, with the noise and exits of the slow one.
 * @param options.ownTeacher the student itself is given as teacher
 */
export function productStep(
  of: LoopRptCase,
  dtype: DType = 'float64',
  { ownTeacher = false }: { ownTeacher?: boolean } = {},
): ProductStep {
  const random = new FixedRandomness(
    of.slow,
    slowStep(of).result.tokens.map((token) => token.teacher),
  );
  return withModels(
    of,
    ({ student, teacher, batch }) => {
      const report = loopRptLoss(student, ownTeacher ? student : teacher, batch, of.config, random);
      return {
        loss: report.loss.item(),
        parts: Object.fromEntries(Object.entries(report.parts).map(([name, part]) => [name, part.item()])),
        exitPdf: report.exitPdfKN.toArray<number[][]>(),
        rewards: report.rewardKN!.toArray<number[][]>(),
        groupRewards: report.groupRewardsGN!.toArray<number[][]>(),
        rolloutPdf: random.exitPdfGM,
        gradients: upstreamGradients(student, report.loss),
      };
    },
    dtype,
  );
}
