/**
 * Checkpoints of a run: `checkpoints/step-N/`, each a Hugging Face folder of the student plus the trainer's state.
 *
 *   config.json, model*.safetensors, tokenizer files   the model, as any other checkpoint
 *   trainer.json                                       step, counters, data position, generator states
 *   trainer.safetensors                                optimizer moments, float32 masters, EMA teacher
 *   checksums.json                                     SHA-256 of every file above; written last
 *
 * Invariants: a folder of that name is whole (it is written under another name and renamed); a folder whose files do not match
 * their checksums is never resumed from and never deleted.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { noGrad, scope } from '@looprpt/engine';
import { z } from 'zod';
import { loadModel } from '../checkpoint/load-model.js';
import { SafetensorsFile } from '../checkpoint/safetensors/read.js';
import { writeSafetensors } from '../checkpoint/safetensors/write.js';
import { copyCompanions, writeModelFiles } from '../checkpoint/save-model.js';
import { writeWholeFolder } from '../data/shards/whole-folder.js';
import { UserError } from '../user-error.js';
import { type Trainer, trainerStateSchema } from './trainer.js';

const STATE = 'trainer.json';
const TENSORS = 'trainer.safetensors';
const CHECKSUMS = 'checksums.json';

const count = z.number().int().nonnegative();

/** Everything of a run that is not a tensor. */
export const runStateSchema = z.strictObject({
  version: z.literal(1),
  step: count,
  tokens: count,
  seconds: z.number().nonnegative(),
  skippedInRow: count,
  skippedTotal: count,
  gateWatch: z.tuple([z.number().int(), z.number().int()]),
  trainer: trainerStateSchema,
  /** Position of the loader; it checks this itself. */
  data: z.unknown(),
});
export type RunState = z.infer<typeof runStateSchema>;

export interface FoundCheckpoint {
  path: string;
  step: number;
}

/** Folders that are named as checkpoints, newest first. */
export function listCheckpoints(runFolder: string): FoundCheckpoint[] {
  const folder = join(runFolder, 'checkpoints');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const step = /^step-(\d+)$/.exec(name)?.[1];
      return step === undefined ? [] : [{ path: join(folder, name), step: Number(step) }];
    })
    .sort((a, b) => b.step - a.step);
}

/** @param tokenizerFrom the folder whose tokenizer files go with the model */
export async function writeCheckpoint(
  runFolder: string,
  state: RunState,
  trainer: Trainer,
  tokenizerFrom: string,
): Promise<string> {
  const path = join(runFolder, 'checkpoints', `step-${state.step}`);
  // The same step again (a run that was interrupted right after a checkpoint): the one that is there is whole.
  if ((await damageOf(path)) === null) return path;
  rmSync(path, { recursive: true, force: true });
  await writeWholeFolder(path, async (partial) => {
    writeModelFiles(trainer.student, partial);
    await copyCompanions(tokenizerFrom, partial);
    const tensors = [...trainer.tensors()];
    writeSafetensors(
      join(partial, TENSORS),
      tensors.map(([name, tensor]) => ({ name, shape: tensor.shape, dtype: tensor.dtype, values: () => tensor })),
    );
    writeFileSync(join(partial, STATE), `${JSON.stringify(state, null, 2)}\n`);
    const sums = await checksums(partial, readdirSync(partial).sort());
    writeFileSync(join(partial, CHECKSUMS), `${JSON.stringify(sums, null, 2)}\n`);
  });
  return path;
}

async function checksums(folder: string, names: readonly string[]): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const name of names) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(folder, name)), hash);
    sums[name] = hash.digest('hex');
  }
  return sums;
}

/** What is wrong with a checkpoint folder, in a few words; null if it is whole. */
export async function damageOf(path: string): Promise<string | null> {
  const listFile = join(path, CHECKSUMS);
  if (!existsSync(listFile)) return `${CHECKSUMS} is missing`;
  const parsed = z.record(z.string(), z.string()).safeParse(parseJson(readFileSync(listFile, 'utf8')));
  if (!parsed.success) return `${CHECKSUMS} is damaged`;
  const names = Object.keys(parsed.data);
  for (const required of [STATE, TENSORS])
    if (!names.includes(required)) return `${CHECKSUMS} does not list ${required}`;
  for (const name of names) if (!existsSync(join(path, name))) return `${name} is missing`;
  const actual = await checksums(path, names);
  const changed = names.find((name) => actual[name] !== parsed.data[name]);
  return changed === undefined ? null : `${changed} does not match its checksum`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The newest checkpoint that is whole; damaged ones are named through `warn` and left where they are.
 * @returns null where there is none at all
 * @throws UserError when there are checkpoints and none is whole
 */
export async function newestWholeCheckpoint(
  runFolder: string,
  warn: (message: string) => void,
): Promise<FoundCheckpoint | null> {
  const found = listCheckpoints(runFolder);
  for (const checkpoint of found) {
    const damage = await damageOf(checkpoint.path);
    if (damage === null) return checkpoint;
    warn(`${checkpoint.path}: damaged (${damage}); going back to an older checkpoint`);
  }
  if (found.length > 0)
    throw new UserError(
      `${runFolder}: all ${found.length} checkpoints are damaged; start the run again without --resume in a new folder`,
    );
  return null;
}

/** Fills the trainer (student, optimizer, teacher, generators) from a whole checkpoint and returns the rest of the state. */
export function restoreCheckpoint({ path }: FoundCheckpoint, trainer: Trainer): RunState {
  const parsed = runStateSchema.safeParse(parseJson(readFileSync(join(path, STATE), 'utf8')));
  if (!parsed.success)
    throw new UserError(
      `${join(path, STATE)}: not a trainer's state of this version; remove this checkpoint to go on from an older one`,
    );
  const { student } = trainer;
  const saved = loadModel(path, { dtype: student.dtype, device: student.device });
  noGrad(() => {
    const source = saved.parameters();
    for (const [i, { tensor }] of student.parameters().entries()) tensor.copy_(source[i]!.tensor);
  });
  saved.dispose();
  using file = new SafetensorsFile(join(path, TENSORS));
  const stored = new Map(file.tensors.map((entry) => [entry.name, entry]));
  scope(() =>
    noGrad(() => {
      for (const [name, tensor] of trainer.tensors()) {
        const entry = stored.get(name);
        if (!entry || entry.shape.join() !== tensor.shape.join() || entry.dtype !== tensor.dtype)
          throw new UserError(
            `${join(path, TENSORS)}: no ${tensor.dtype} tensor ${name} of shape [${tensor.shape}]; the run's configuration is another one`,
          );
        tensor.copy_(file.load(entry));
      }
    }),
  );
  trainer.restore(parsed.data.trainer);
  return parsed.data;
}

/** Removes all but the newest `keep` checkpoints. */
export function retain(runFolder: string, keep: number): void {
  for (const { path } of listCheckpoints(runFolder).slice(keep)) rmSync(path, { recursive: true, force: true });
}
