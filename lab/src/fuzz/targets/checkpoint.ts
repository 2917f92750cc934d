/** A run's checkpoint: the list of sums, and a trainer's state whose sums were made to fit. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Generator } from '@looprpt/engine';
import fc from 'fast-check';
import { writeSafetensors } from 'looprpt/internal/checkpoint/safetensors/write.js';
import { saveModel } from 'looprpt/internal/checkpoint/save-model.js';
import type { LoopLMConfig } from 'looprpt/internal/model/config.js';
import { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { objectiveConfigSchema, objectiveOf } from 'looprpt/internal/objectives/objective.js';
import { adamWConfigSchema } from 'looprpt/internal/train/adamw.js';
import { newestWholeCheckpoint, restoreCheckpoint } from 'looprpt/internal/train/state/run-state.js';
import { Trainer } from 'looprpt/internal/train/trainer.js';
import { mutatedBytes } from '../mutate/bytes.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

const MODEL: LoopLMConfig = {
  vocabSize: 5,
  hiddenSize: 4,
  intermediateSize: 3,
  layers: 1,
  heads: 2,
  kvHeads: 1,
  headDim: 2,
  loops: 2,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  tieWordEmbeddings: false,
  initializerRange: 0.02,
  windows: [null],
  exitThreshold: 1,
  exitLoop: null,
  bosTokenId: 0,
  eosTokenIds: [0],
  padTokenId: null,
  extra: {},
};

const FOLDER = 'checkpoints/step-2';

function newTrainer(): Trainer {
  const objective = objectiveConfigSchema.parse({ kind: 'looprpt' });
  const student = LoopLM.create(MODEL, new Generator(1));
  return new Trainer({
    student,
    objective: objectiveOf(objective),
    optimizer: adamWConfigSchema.parse({}),
    teacherDecay: 0.9,
    seed: 0,
  });
}

export async function checkpoint(): Promise<FuzzTarget> {
  const trainer = newTrainer();
  const files = await honestFiles(trainer);
  const state = {
    version: 1,
    step: 2,
    tokens: 20,
    seconds: 0.5,
    skippedInRow: 0,
    skippedTotal: 0,
    gateWatch: [0, 0],
    trainer: trainer.state(),
    data: { version: 1, sequence: 'x', epoch: 0, position: 3, waiting: [[0, 0, 1]] },
  };
  files.set('trainer.json', Buffer.from(JSON.stringify(state)));
  const tensors = files.get('trainer.safetensors')!;
  const sums = sumsOf(files);
  const withSums = (changed: Map<string, Uint8Array>): CaseFiles =>
    folder(new Map([...changed, ['checksums.json', Buffer.from(JSON.stringify(sumsOf(changed)))]]));
  return {
    cases: fc.oneof(
      mutatedJson(sums).map((bytes) => folder(new Map([...files, ['checksums.json', bytes]]))),
      mutatedJson(state).map((bytes) => withSums(new Map([...files, ['trainer.json', bytes]]))),
      mutatedBytes(tensors).map((bytes) => withSums(new Map([...files, ['trainer.safetensors', bytes]]))),
    ),
    async read(path) {
      const newest = await newestWholeCheckpoint(path, () => undefined);
      if (newest !== null) restoreCheckpoint(newest, trainer);
    },
  };
}

async function honestFiles(trainer: Trainer): Promise<Map<string, Uint8Array>> {
  const root = mkdtempSync(join(tmpdir(), 'looprpt-fuzz-checkpoint-'));
  const path = join(root, 'model');
  await saveModel(trainer.student, path);
  const tensors = [...trainer.tensors()];
  writeSafetensors(
    join(path, 'trainer.safetensors'),
    tensors.map(([name, tensor]) => ({ name, shape: tensor.shape, dtype: tensor.dtype, values: () => tensor })),
  );
  const files = new Map(readdirSync(path).map((name) => [name, new Uint8Array(readFileSync(join(path, name)))]));
  rmSync(root, { recursive: true });
  return files;
}

function sumsOf(files: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries(
    [...files].map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')]),
  );
}

function folder(files: ReadonlyMap<string, Uint8Array>): CaseFiles {
  return [...files].map(([name, bytes]) => [`${FOLDER}/${name}`, bytes]);
}
