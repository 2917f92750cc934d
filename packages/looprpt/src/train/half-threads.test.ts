/** Whole steps in bfloat16 on one thread and on two: the same bits of weights, master weights, moments and teacher, and the same loss. */
import { createHash } from 'node:crypto';
import { Generator, getThreads, scope, setThreads } from '@looprpt/engine';
import { afterEach, expect, it } from 'vitest';
import type { z } from 'zod';
import { configJson, tinyConfig } from '../../test-support/slow/tiny-model.js';
import { emptyBatch, type PackedBatch } from '../data/loader/batch.js';
import { parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { objectiveConfigSchema, objectiveOf } from '../objectives/objective.js';
import { adamWConfigSchema } from './adamw.js';
import { Trainer } from './trainer.js';

type ObjectiveInput = z.input<typeof objectiveConfigSchema>;

const before = getThreads();
afterEach(() => setThreads(before));

/** Wide enough that every operator has work for two threads: the largest grain of ours is 32,768 numbers. */
const config = {
  ...parseOuroConfig(configJson(tinyConfig({})), 'tiny'),
  hiddenSize: 192,
  intermediateSize: 512,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 48,
  loops: 3,
  vocabSize: 96,
  windows: [null, null],
};

/** Two documents a row, of different lengths; every third place does not count. */
function batch(): PackedBatch {
  const [B, T] = [8, 64];
  const made = emptyBatch(B, T);
  for (let at = 0; at < B * T; at++) {
    const [row, place] = [Math.floor(at / T), at % T];
    const start = 20 + row;
    const counts = at % 3 !== 0;
    made.inputIds[at] = (at * 7 + row) % config.vocabSize;
    made.targetIds[at] = (at * 5 + 1) % config.vocabSize;
    made.segmentIds[at] = place < start ? 0 : 1;
    made.positionIds[at] = place < start ? place : place - start;
    made.lossMask[at] = Number(counts);
    made.lossTokens += Number(counts);
  }
  made.tokens = B * T;
  return made;
}

function stepped(objective: ObjectiveInput, threads: number): { losses: number[]; digest: string } {
  setThreads(threads);
  const student = LoopLM.create(config, new Generator(3, 'cpu'), { dtype: 'bfloat16' });
  const parsed = objectiveConfigSchema.parse(objective);
  const optimizer = adamWConfigSchema.parse({});
  using trainer = new Trainer({ student, objective: objectiveOf(parsed), optimizer, teacherDecay: 0.9, seed: 1 });
  const losses = Array.from({ length: 3 }, () => trainer.step([batch()], 1e-2).loss);
  const hash = createHash('sha256');
  scope(() => {
    for (const { tensor } of student.parameters()) hash.update(Float64Array.from(tensor.detach().toNumbers()));
  });
  using state = trainer.tensors();
  for (const [name, tensor] of state.entries()) hash.update(name).update(Float64Array.from(tensor.toNumbers()));
  student.dispose();
  return { losses, digest: hash.digest('hex') };
}

it.each<[string, ObjectiveInput]>([
  ['stage I', { kind: 'stage1' }],
  ['LoopRPT, hard rollouts', { kind: 'looprpt', rolloutCount: 2 }],
  [
    'LoopRPT, full rollouts into the backbone',
    { kind: 'looprpt', rolloutCount: 2, rollouts: 'full', policyGradient: 'backbone' },
  ],
  ['LoopRPT in closed form', { kind: 'looprpt', policy: 'closed' }],
])('%s', (_, objective) => {
  const one = stepped(objective, 1);
  expect(one.losses.every(Number.isFinite)).toBe(true);
  expect(new Set(one.losses).size).toBe(3);
  expect(stepped(objective, 2)).toEqual(one);
});
