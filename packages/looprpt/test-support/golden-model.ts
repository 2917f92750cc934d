/** The golden sets for tests of the model: folders, and recorded vectors in the form that `golden.json` has them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedGolden } from './shared-golden.js';
import { type GoldenVectors, goldenFolder } from './slow/golden.js';

/** All that the tests of the model read; index letters as in slow-loop-lm.ts, i is a layer. */
export interface ModelVectors extends GoldenVectors {
  /** Per threshold: steps [b][s] and logits [b][s][v]. */
  thresholds: Record<string, { exit_step: number[][]; logits: number[][][] }>;
  /** Tables of that many positions, [s][j] for the first half of a head's features. */
  rope: { positions: number; cos_first_half: number[][]; sin_first_half: number[][] };
  /** At row 0, last position: the residual stream after each [k][i], and the state after each [k]. */
  trace_last_position_row0: { first8: number[][][]; l2_norm: number[][]; hidden_first8: number[][] };
  left_padding: GoldenVectors['left_padding'] & { position_ids: number[][] };
}

/** Sets that are part of the repository, and those that some machines have besides. */
export const GOLDEN_SETS = ['tiny64', 'gqa96', 'wide128'] as const;
export type GoldenSet = (typeof GOLDEN_SETS)[number];

/** Folder of a set, or null when this machine has none. */
export function goldenModelFolder(name: GoldenSet): string | null {
  return name === 'wide128' ? sharedGolden(name) : goldenFolder(name);
}

export function goldenVectors(folder: string): ModelVectors {
  const vectors = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as ModelVectors & { format: string };
  assert.match(vectors.format, /golden/);
  return vectors;
}
