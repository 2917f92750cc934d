/**
 * LoopLMs for tests of evaluation and generation, in float32: the golden fixtures, and tiny ones whose weights the slow
 * reference shares. Never imported by the product.
 */
import { loadModel } from 'looprpt/internal/checkpoint/folder.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { goldenVectors, type ModelVectors } from './golden-model.js';
import { goldenFolder } from './slow/golden.js';
import type { SlowConfig } from './slow/slow-loop-lm.js';
import { type TinyModel, tinyModel } from './slow/tiny-model.js';
import { modelOf } from './slow-bridge.js';

export function tinyLoopLM(seed: number, overrides: Partial<SlowConfig> = {}): { model: LoopLM; slow: TinyModel } {
  const slow = tinyModel(seed, overrides);
  return { model: modelOf(slow, 'float32'), slow };
}

/** The golden sets that are part of the repository. */
export const GOLDEN = ['tiny64', 'gqa96'] as const;

export function goldenCase(name: (typeof GOLDEN)[number]): { model: LoopLM; golden: ModelVectors } {
  const folder = goldenFolder(name);
  return { model: loadModel(folder, { dtype: 'float32' }), golden: goldenVectors(folder) };
}
