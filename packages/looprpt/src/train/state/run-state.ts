/**
 * Checkpoints of a run: `checkpoints/step-N/`, each a Hugging Face folder of the student plus the trainer's state.
 *
 *   config.json, model*.safetensors, tokenizer files   the model, as any other checkpoint
 *   trainer.json                                       step, counters, data position
 *   trainer.safetensors                                optimizer moments, float32 masters, EMA teacher
 *   checksums.json                                     SHA-256 of every file above
 *
 * Here is what they mean to a run and how one is read; checkpoint/ has the parts: folders, snapshots, the writer's thread,
 * retention. Invariants: a folder of that name is whole (it is written under another name and renamed); a folder whose files do
 * not match their checksums is never resumed from and never deleted.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { noGrad, scope } from '@looprpt/engine';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { loadModel } from '../../checkpoint/load-model.js';
import { SafetensorsFile } from '../../checkpoint/safetensors/read.js';
import { type Trainer, trainerStateSchema } from '../trainer.js';
import { type FoundCheckpoint, parseJson, STATE_FILE, TENSORS_FILE } from './folder.js';
import { scoreSchema } from './retention.js';

export { damageOf, type FoundCheckpoint, listCheckpoints, newestWholeCheckpoint } from './folder.js';

const count = z.number().int().nonnegative();

/** Everything of a run that is not a tensor. */
export const runStateSchema = z.strictObject({
  version: z.literal(1),
  step: count,
  tokens: count,
  seconds: z.number().nonnegative(),
  skippedInRow: count,
  skippedTotal: count,
  /** How often the run went back to a checkpoint. */
  rollbacks: count.default(0),
  /** Of `checkpoint.keepBest`; null without it. */
  score: scoreSchema.nullable().default(null),
  gateWatch: z.tuple([z.number().int(), z.number().int()]),
  trainer: trainerStateSchema,
  /** Position of the loader; it checks this itself. */
  data: z.unknown(),
});
export type RunState = z.infer<typeof runStateSchema>;

/** Fills the trainer (student, optimizer, teacher) from a whole checkpoint and returns the rest of the state. */
export function restoreCheckpoint({ path }: FoundCheckpoint, trainer: Trainer): RunState {
  const parsed = runStateSchema.safeParse(parseJson(readFileSync(join(path, STATE_FILE), 'utf8')));
  if (!parsed.success)
    throw new UserError(
      `${join(path, STATE_FILE)}: not a trainer's state of this version; remove this checkpoint to go on from an older one`,
    );
  const { student } = trainer;
  const saved = loadModel(path, { dtype: student.dtype, device: student.device });
  noGrad(() => {
    const source = saved.parameters();
    for (const [i, { tensor }] of student.parameters().entries()) tensor.copy_(source[i]!.tensor);
  });
  saved.dispose();
  using file = new SafetensorsFile(join(path, TENSORS_FILE));
  const stored = new Map(file.tensors.map((entry) => [entry.name, entry]));
  scope(() =>
    noGrad(() => {
      for (const { name, shape, dtype, fill } of trainer.storedTensors()) {
        const entry = stored.get(name);
        if (!entry || entry.shape.join() !== shape.join() || entry.dtype !== dtype)
          throw new UserError(
            `${join(path, TENSORS_FILE)}: no ${dtype} tensor ${name} of shape [${shape}]; the run's configuration is another one`,
          );
        fill(file.load(entry));
      }
    }),
  );
  trainer.restore(parsed.data.trainer);
  return parsed.data;
}
