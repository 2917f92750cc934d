/**
 * The plan against slow counts: products enumerated one by one, operators' results listed one by one, and the bytes of a real
 * trainer's tensors.
 */
import { Generator } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import type { LoopLMConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import type { ObjectiveConfig } from '../objectives/objective.js';
import { planRun } from './plan.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from './run-config.js';
import { Trainer } from './trainer.js';

const model: LoopLMConfig = {
  ...{ vocabSize: 30, hiddenSize: 8, intermediateSize: 12, layers: 2, heads: 4, kvHeads: 2, headDim: 2, loops: 3 },
  ...{ rmsNormEps: 1e-6, ropeTheta: 10_000, tieWordEmbeddings: false, initializerRange: 0.02, windows: [null, 3] },
  ...{ exitThreshold: 1, exitLoop: null, bosTokenId: 0, eosTokenIds: [0], padTokenId: null, extra: {} },
};
const ROWS = 2;
const T = 5;

function configOf(objective: RunConfigInput['objective'], change: Partial<RunConfigInput> = {}): RunConfig {
  return runConfigSchema.parse({
    ...{ model: { from: 'x' }, data: { shards: 'x' }, objective, out: 'x', steps: 7 },
    batch: { rows: ROWS, sequenceLength: T },
    ...change,
  });
}

/** FLOPs of all products of a pass of one loop, place by place; `queriesOnly` leaves out the keys' and values' projection. */
function stackFlops(places: readonly number[], queriesOnly = false): number {
  const { hiddenSize: E, intermediateSize: F, heads, kvHeads, headDim: D, windows } = model;
  let flops = 0;
  const product = (outputs: number, inputs: number): void => {
    for (let i = 0; i < outputs; i++) flops += 2 * inputs;
  };
  for (const place of places) {
    for (const window of windows) {
      product(heads * D, E);
      if (!queriesOnly) product(2 * kvHeads * D, E);
      for (let key = 0; key <= place; key++) {
        if (window !== null && key <= place - window) continue;
        for (let head = 0; head < heads; head++) {
          product(1, D);
          product(D, 1);
        }
      }
      product(E, heads * D);
      product(2 * F, E);
      product(E, F);
    }
  }
  return flops;
}

/** Mean over the places that there are: hard tokens may be anywhere. */
const everyPlace = Array.from({ length: ROWS * T }, (_, i) => i % T);
const meanPlace = (queriesOnly = false): number => stackFlops(everyPlace, queriesOnly) / everyPlace.length;
const pass = model.loops * stackFlops(everyPlace);
const head = 2 * model.hiddenSize * model.vocabSize;
const gate = 2 * model.hiddenSize;
const K = model.loops;
const N = ROWS * T;

describe('FLOPs of a step', () => {
  const flops = (config: RunConfig) => planRun({ config, model }).flops;

  it('are three forward passes for plain objectives', () => {
    for (const kind of ['stage1', 'uniform-ce'] as const) {
      const { student, teacher, rollouts, perStep, total } = flops(configOf({ kind }));
      expect(student).toBeCloseTo(3 * (pass + K * N * (head + gate)), 3);
      expect([teacher, rollouts, perStep, total]).toEqual([0, 0, student, 7 * student]);
    }
  });

  it('are one pass and the gate for stage II', () => {
    expect(flops(configOf({ kind: 'gate' })).perStep).toBeCloseTo(pass + K * N * (head + 2 * gate), 3);
  });

  it('have the head at hard tokens alone, and a teacher who chooses them', () => {
    const { student, teacher } = flops(configOf({ kind: 'hard-token-ce', rho: 0.5 }));
    const hard = ROWS * 3;
    expect(student).toBeCloseTo(3 * (pass + K * hard * (head + gate)), 3);
    expect(teacher).toBeCloseTo(pass + N * (K * gate + head), 3);
  });

  const hard = ROWS * Math.ceil(0.2 * T);
  it.each<[Partial<Extract<ObjectiveConfig, { kind: 'looprpt' }>>, number]>([
    [{ policy: 'closed' }, 0],
    [{ alpha: 0 }, 0],
    [{ rollouts: 'hard' }, 8 * ((K - 1) * hard * meanPlace(true) + 2 * K * hard * gate)],
    [{ rollouts: 'full' }, 8 * ((K - 1) * N * meanPlace() + 2 * K * hard * gate)],
    [{ rollouts: 'full', rewardFrom: 'own' }, 8 * ((K - 1) * N * meanPlace() + 2 * K * hard * gate + hard * head)],
    [{ rollouts: 'full', policyGradient: 'backbone' }, 8 * 3 * ((K - 1) * N * meanPlace() + K * hard * gate)],
  ])('have rollouts as they are set: %o', (settings, expected) => {
    const { teacher, rollouts } = flops(configOf({ kind: 'looprpt', ...settings }));
    expect(rollouts).toBeCloseTo(expected, 3);
    expect(teacher).toBeCloseTo(pass + N * (K * gate + head) + K * hard * head, 3);
  });

  it('grow with accumulation, and the head with the share that counts', () => {
    const once = configOf({ kind: 'stage1' });
    const thrice = configOf({ kind: 'stage1' }, { batch: { rows: ROWS, sequenceLength: T, accumulate: 3 } });
    expect(flops(thrice).perStep).toBeCloseTo(3 * flops(once).perStep, 3);
    expect(planRun({ config: thrice, model }).tokens).toEqual({ perStep: 3 * N, total: 7 * 3 * N });
    const part = planRun({ config: once, model, lossShare: 0.4 }).flops.perStep;
    expect(part).toBeCloseTo(3 * (pass + K * ROWS * 2 * (head + gate)), 3);
  });
});

describe('memory that stays', () => {
  it.each<[ObjectiveConfig['kind'], 'float32' | 'bfloat16' | 'float64']>([
    ['stage1', 'float32'],
    ['looprpt', 'float32'],
    ['looprpt', 'bfloat16'],
    ['gate', 'bfloat16'],
    ['hard-token-ce', 'float64'],
  ])('of %s in %s is what a trainer holds', (kind, dtype) => {
    const config = configOf({ kind }, { dtype });
    const student = LoopLM.create(model, new Generator(1), { dtype });
    const { objective, optimizer, teacherDecay, seed } = config;
    using trainer = new Trainer({ student, objective, optimizer, teacherDecay, seed });
    const bytes = (names: RegExp): number =>
      [...trainer.tensors()].reduce((sum, [name, { nbytes }]) => sum + (names.test(name) ? nbytes : 0), 0);
    const sum = (tensors: { nbytes: number }[]): number => tensors.reduce((total, { nbytes }) => total + nbytes, 0);
    const trained = student.parameters().filter(({ tensor }) => tensor.requiresGrad);
    // The rounded weights of the teacher are no part of a checkpoint.
    const rounded = dtype === 'bfloat16' && trainer.teacher ? trainer.teacher.model.parameters() : [];
    expect(planRun({ config, model }).memory).toMatchObject({
      weights: sum(student.parameters().map(({ tensor }) => tensor)),
      gradients: sum(trained.map(({ tensor }) => tensor)),
      masters: bytes(/^master\./),
      moments: bytes(/^(mean|variance)\./),
      teacher: bytes(/^teacher\./) + sum(rounded.map(({ tensor }) => tensor)),
    });
    student.dispose();
  });
});

describe('memory of a micro-batch', () => {
  /** Elements that one place's way through the plain operators makes, in the order of layer.ts. */
  function plainElements(): number {
    const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D } = model;
    const norm = [E, E, E];
    const layer = [
      ...norm,
      (H + 2 * G) * D,
      ...[H, G].flatMap((heads) => [...Array(6).fill((heads * D) / 2), heads * D]),
      ...[H * D, H * T, H * T, H * T, H * D, H * D],
      ...[E, ...norm, E],
      ...[...norm, 2 * F, F, F, E, ...norm, E],
    ];
    const sum = (sizes: number[]): number => sizes.reduce((total, size) => total + size, 0);
    return K * (model.layers * sum(layer) + sum(norm)) + sum(layer);
  }

  it('is what plain operators make, and one layer of the way back', () => {
    const config = configOf({ kind: 'stage1' }, { dtype: 'float64' });
    const { activations, logits } = planRun({ config, model }).memory;
    expect(activations).toBe(8 * N * plainElements());
    const { hiddenSize: E, vocabSize: V } = model;
    expect(logits).toBe(8 * N * (K * (E + V + V) + 2 * V));
  });

  it('is less with fused operators, and none of a part that is switched off', () => {
    const memory = (objective: RunConfigInput['objective'], dtype: 'float32' | 'bfloat16' = 'float32') =>
      planRun({ config: configOf(objective, { dtype }), model }).memory;
    expect(memory({ kind: 'stage1' }).activations).toBeLessThan(memory({ kind: 'stage1' }, 'bfloat16').activations);
    expect(memory({ kind: 'stage1' })).toMatchObject({ teacher: 0, teacherPass: 0, rollouts: 0, masters: 0 });
    expect(memory({ kind: 'looprpt', policy: 'closed' })).toMatchObject({ rollouts: 0 });
    const { total, ...parts } = memory({ kind: 'looprpt' });
    expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
  });
});
