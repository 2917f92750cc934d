/**
 * Weight interpolation: the model of a run with `blend` b < 1 is θ_0 + b (θ − θ_0), between the start and the last weights, every
 * parameter alike. It lies in `RUN/model` once the run has ended, and is what the run's folder means as a model from then on.
 * Another b needs no training: `--resume` with it writes the model anew.
 *
 * Weights between two ends of a fine-tuning may predict better than either where steps are large and data few: what the steps have in
 * common adds up, what is noise of single batches shrinks. It costs no training. Checkpoints stay what they are; a run that goes
 * on goes on from the unblended weights.
 */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noGrad, op, scope } from '@looprpt/engine';
import { saveModel } from '../checkpoint/save-model.js';
import { TRAINED_ON_FILE, trainedOnText } from '../data/tasks/trained-on.js';
import type { LoopLM } from '../model/loop-lm.js';
import type { RunConfig } from './run-config.js';
import { writeFailure } from './state/write-failure.js';
import type { ModelSource } from './student.js';

const FOLDER = 'model';

/** Where the blended model of a finished run is; null where there is none. */
export function blendedModelOf(runFolder: string): string | null {
  const path = join(runFolder, FOLDER);
  return existsSync(path) ? path : null;
}

/** Moves `start` the share `b` of its way to `trained`, in place; computed in float32 at least. */
export function blendTowards(start: LoopLM, trained: LoopLM, b: number): void {
  const ends = trained.parameters();
  noGrad(() =>
    scope(() => {
      for (const [i, { tensor }] of start.parameters().entries()) {
        const end = ends[i]!.tensor;
        const dtype = tensor.dtype === 'float64' ? 'float64' : 'float32';
        tensor.copy_(op('aten::lerp.Scalar')(tensor.to({ dtype }), end.to({ dtype }), b));
      }
    }),
  );
}

/**
 * Writes the blended model of a run that has ended, in the place of one that is there; with `blend` 1 there is none.
 * @returns its folder, or null
 * @throws UserError when the disk refuses
 */
export async function writeBlended(
  { out, blend, data }: RunConfig,
  trained: LoopLM,
  source: ModelSource,
): Promise<string | null> {
  const path = join(out, FOLDER);
  if (blend === 1) {
    rmSync(path, { recursive: true, force: true });
    return null;
  }
  const next = join(out, `.${FOLDER}.next`);
  const model = source.open();
  try {
    blendTowards(model, trained, blend);
    rmSync(next, { recursive: true, force: true });
    await saveModel(model, next, { tokenizerFrom: source.tokenizerFrom });
    if ('task' in data) writeFileSync(join(next, TRAINED_ON_FILE), trainedOnText(data.task), { flush: true });
    rmSync(path, { recursive: true, force: true });
    renameSync(next, path);
  } catch (error) {
    throw writeFailure(error, `${path}: the blended model`);
  } finally {
    model.dispose();
  }
  return path;
}
