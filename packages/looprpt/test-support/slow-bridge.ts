/**
 * From the slow model to the product's: the same weights, batches and settings on both sides, so that a test can run both
 * and compare. The weights cross by their upstream names through `upstreamTensors`, and gradients come back the same way.
 *
 * Not here: what is compared (the tests), the numbers fixed in place of chance (fixed-randomness.ts).
 */
import { type DType, grad, noGrad, scope, type Tensor, tensor } from '@looprpt/engine';
import { emptyBatch, type PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { parseOuroConfig } from 'looprpt/internal/model/config.js';
import { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { emptyWeights, namedParameters, upstreamTensors } from 'looprpt/internal/model/weights.js';
import { type TrainingBatch, trainingBatch } from 'looprpt/internal/objectives/batch.js';
import type { LoopRptConfig } from 'looprpt/internal/objectives/looprpt/config.js';
import { parameter, rotaryPositions } from './slow/slow-loop-lm.js';
import type { SlowLoopRptSettings } from './slow/slow-looprpt-types.js';
import { type SlowBatch, UNCOUNTED } from './slow/slow-readout.js';
import { configJson, type TinyModel } from './slow/tiny-model.js';

/** The product's model with the slow model's weights, every parameter asking for a gradient. */
export function modelOf({ config, params }: TinyModel, dtype: DType = 'float64'): LoopLM {
  const resolved = parseOuroConfig(configJson(config), 'the slow configuration');
  const weights = emptyWeights(resolved, { dtype, device: 'cpu' });
  scope(() =>
    noGrad(() => {
      // A row that no upstream tensor fills shows in every comparison.
      for (const { tensor: stored } of namedParameters(weights)) stored.fill_(Number.NaN);
      for (const { name, shape, stored, rows } of upstreamTensors(resolved))
        stored(weights)
          .slice(0, ...rows)
          .copy_(tensor(parameter(params, name).data, { shape }));
    }),
  );
  return new LoopLM(resolved, weights).setRequiresGrad(true);
}

/** d loss / d parameter by upstream name, row-major; null where the parameter plays no part in the loss. */
export type UpstreamGradients = ReadonlyMap<string, Float64Array | null>;

export function upstreamGradients(model: LoopLM, loss: Tensor): UpstreamGradients {
  const stored = model.parameters().map((parameter) => parameter.tensor);
  const gradients = grad([loss], stored, { retainGraph: true });
  return new Map(
    upstreamTensors(model.config).map((upstream) => {
      const gradient = gradients[stored.indexOf(upstream.stored(model.weights))]!;
      return [upstream.name, gradient?.slice(0, ...upstream.rows).toNumbers() ?? null];
    }),
  );
}

/**
 * The slow batch as the loader would have packed it. Negative segments are padding; each padding place needs a number of
 * its own there, because the slow model lets equal numbers see each other.
 */
export function packedOf(batch: SlowBatch): PackedBatch {
  const [B, S] = [batch.ids.length, batch.ids[0]!.length];
  const packed = emptyBatch(B, S);
  const positions = rotaryPositions(batch);
  for (let b = 0; b < B; b++) {
    for (let s = 0; s < S; s++) {
      const [place, segment, target] = [b * S + s, batch.segments?.[b]?.[s] ?? 0, batch.targets[b]![s]!];
      packed.inputIds[place] = batch.ids[b]![s]!;
      packed.targetIds[place] = target === UNCOUNTED ? 0 : target;
      packed.segmentIds[place] = Math.max(-1, segment);
      packed.positionIds[place] = positions[b]![s]!;
      packed.lossMask[place] = target === UNCOUNTED ? 0 : 1;
      packed.tokens += segment < 0 ? 0 : 1;
      packed.lossTokens += packed.lossMask[place]!;
    }
  }
  return packed;
}

export function batchOf(batch: SlowBatch): TrainingBatch {
  return trainingBatch(packedOf(batch), 'cpu');
}

/** The slow version's names for the same settings; what hard rollouts take as constant is fixed in the product. */
export function slowSettings(config: LoopRptConfig): SlowLoopRptSettings {
  const { advantageEpsilon, closedFormWeighting, entropyAt, rewardFrom } = config;
  return {
    ...config,
    kappaShare: config.kappaShare ?? 1,
    stepAdvantage: config.stepAdvantage ?? null,
    entropySource: entropyAt,
    rewardSource: rewardFrom,
    epsilon: advantageEpsilon,
    closedFormWeighting: closedFormWeighting === 'policy' ? 'pi' : 'uniform',
    rolloutKeysValues: 'detached',
    rolloutStart: 'live',
  };
}
