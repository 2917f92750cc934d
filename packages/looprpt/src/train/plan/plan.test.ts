/**
 * The plan against slow counts: products enumerated one by one, operators' results listed one by one, and the bytes of a real
 * trainer's tensors.
 */

import { Generator } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import type { LoopLMConfig } from '../../model/config.js';
import { LoopLM } from '../../model/loop-lm.js';
import type { ObjectiveConfig } from '../../objectives/objective.js';
import { objectiveOf } from '../../objectives/objective.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../run-config.js';
import { Trainer } from '../trainer.js';
import { planRun } from './plan.js';

const model: LoopLMConfig = {
  vocabSize: 30,
  hiddenSize: 8,
  intermediateSize: 12,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 2,
  loops: 3,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  tieWordEmbeddings: false,
  initializerRange: 0.02,
  windows: [null, 3],
  exitThreshold: 1,
  exitLoop: null,
  bosTokenId: 0,
  eosTokenIds: [0],
  padTokenId: null,
  extra: {},
};
const ROWS = 2;
const T = 5;

function configOf(objective: RunConfigInput['objective'], change: Partial<RunConfigInput> = {}): RunConfig {
  return runConfigSchema.parse({
    model: { from: 'x' },
    data: { shards: 'x' },
    objective,
    out: 'x',
    steps: 7,
    batch: { rows: ROWS, sequenceLength: T },
    ...change,
  });
}

/** FLOPs of all products of a pass of one loop, place by place; `queriesOnly` leaves out the keys' and values' projection. */
function stackFlops(places: readonly number[], queriesOnly = false, attentionOnly = false): number {
  const { hiddenSize: E, intermediateSize: F, heads, kvHeads, headDim: D, windows } = model;
  let flops = 0;
  const product = (outputs: number, inputs: number, isAttention = false): void => {
    for (let i = 0; i < outputs; i++) flops += isAttention || !attentionOnly ? 2 * inputs : 0;
  };
  for (const place of places) {
    for (const window of windows) {
      product(heads * D, E);
      if (!queriesOnly) product(2 * kvHeads * D, E);
      for (let key = 0; key <= place; key++) {
        if (window !== null && key <= place - window) continue;
        for (let head = 0; head < heads; head++) {
          product(1, D, true);
          product(D, 1, true);
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
const meanAttention = stackFlops(everyPlace, true, true) / everyPlace.length;
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
  /** Mean loops after the first of three that a hard rollout runs, without and with the last. */
  const [TO_EXIT, TO_LAST] = [1 / 2, 1 / 2 + 1 / 4];
  it.each<[Partial<Extract<ObjectiveConfig, { kind: 'looprpt' }>>, number]>([
    [{ policy: 'closed' }, 0],
    [{ alpha: 0 }, 0],
    // As if half of those on the way stopped after every loop; the last loop is run for its own state alone.
    [{ rollouts: 'hard' }, 8 * hard * (TO_EXIT * meanPlace(true) + 2 * (1 + TO_EXIT) * gate)],
    [{ rollouts: 'hard', rewardFrom: 'own' }, 8 * hard * (TO_LAST * meanPlace(true) + 2 * (1 + TO_EXIT) * gate + head)],
    [{ rollouts: 'full' }, 8 * ((K - 2) * N * meanPlace() + 2 * (K - 1) * hard * gate)],
    [
      { rollouts: 'full', rewardFrom: 'own' },
      8 * ((K - 1) * N * meanPlace() + 2 * (K - 1) * hard * gate + hard * head),
    ],
    [{ rollouts: 'full', policyGradient: 'backbone' }, 8 * 3 * ((K - 2) * N * meanPlace() + (K - 1) * hard * gate)],
    [
      { rollouts: 'full', klFrom: 'noisy' },
      8 * (3 * (K - 1) * N * meanPlace() + 2 * (K - 1) * hard * gate + 3 * K * hard * head),
    ],
    [
      { rollouts: 'full', klFrom: 'noisy', policyGradient: 'backbone' },
      8 * (3 * (K - 1) * N * meanPlace() + 3 * (K - 1) * hard * gate + 3 * K * hard * head),
    ],
    // Four products of attention have a gradient; of two of them it is that of a constant.
    [
      { rollouts: 'hard', policyGradient: 'backbone' },
      8 * hard * (TO_EXIT * (3 * (meanPlace(true) - meanAttention) + 2 * meanAttention) + 3 * (1 + TO_EXIT) * gate),
    ],
  ])('have rollouts as they are set: %o', (settings, expected) => {
    const { teacher, rollouts } = flops(configOf({ kind: 'looprpt', ...settings }));
    expect(rollouts).toBeCloseTo(expected, 3);
    expect(teacher).toBeCloseTo(pass + N * (K * gate + head) + K * hard * head, 3);
  });

  it('elsewhere than on a CPU no hard rollout ends before the others', () => {
    const change = { device: 'cuda' } as const;
    const { rollouts } = flops(configOf({ kind: 'looprpt', rollouts: 'hard' }, change));
    expect(rollouts).toBeCloseTo(8 * hard * ((K - 2) * meanPlace(true) + 2 * (K - 1) * gate), 3);
  });

  it('of reference distillation are two products of the student and one or two of the teacher', () => {
    const settings = { kind: 'looprpt', policy: 'closed', entropyAt: 'last' } as const;
    const without = flops(configOf(settings));
    for (const [distillFrom, reads] of [
      ['last', 1],
      ['reference', 2],
    ] as const) {
      const with_ = flops(configOf({ ...settings, zeta: 1, distillFrom }));
      expect(with_.student - without.student).toBeCloseTo(2 * hard * head, 3);
      expect(with_.teacher - without.teacher).toBeCloseTo(reads * hard * head, 3);
    }
    const unbounded = flops(configOf({ ...settings, delta: 0 }));
    expect(without.teacher - unbounded.teacher).toBeCloseTo((K - 1) * hard * head, 3);
    const logits = (zeta: number): number =>
      planRun({ config: configOf({ ...settings, zeta }, { dtype: 'float64' }), model }).memory.logits;
    expect(logits(1) - logits(0)).toBe(2 * 8 * (hard + model.hiddenSize) * model.vocabSize);
  });

  it('have no second pass where the student is its own teacher', () => {
    const of = (settings: object, teacherDecay: number) =>
      flops(configOf({ kind: 'looprpt', policy: 'closed', zeta: 1, ...settings }, { teacherDecay }));
    const [apart, own] = [of({}, 0.9), of({}, 0)];
    expect(own.student).toBeCloseTo(apart.student, 3);
    expect(own.teacher).toBeCloseTo(N * (K * gate + head) + 2 * hard * head, 3);
    expect(own.teacher - of({ distillFrom: 'reference' }, 0).teacher).toBeCloseTo(hard * head, 3);
  });

  it('are more where loops are run again, by the forward passes that are recorded', () => {
    const again = (objective: RunConfigInput['objective']): number =>
      flops(configOf(objective, { memory: { recomputeLoops: true } })).again;
    expect(again({ kind: 'stage1' })).toBeCloseTo(pass, 3);
    expect(again({ kind: 'gate' })).toBe(0);
    expect(again({ kind: 'looprpt' })).toBeCloseTo(pass, 3);
    const backbone = { kind: 'looprpt', rollouts: 'full', policyGradient: 'backbone' } as const;
    expect(again(backbone)).toBeCloseTo(pass + 8 * (K - 2) * N * meanPlace(), 3);
    const { student, perStep } = flops(configOf({ kind: 'stage1' }, { memory: { recomputeLoops: true } }));
    expect(perStep).toBeCloseTo(student + pass, 3);
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
    using trainer = new Trainer({ student, objective: objectiveOf(objective), optimizer, teacherDecay, seed });
    const bytes = (names: RegExp): number =>
      [...trainer.tensors()].reduce((sum, [name, { nbytes }]) => sum + (names.test(name) ? nbytes : 0), 0);
    const sum = (tensors: { nbytes: number }[]): number => tensors.reduce((total, { nbytes }) => total + nbytes, 0);
    const trained = student.parameters().filter(({ tensor }) => tensor.requiresGrad);
    // The rounded weights of the teacher are no part of a checkpoint.
    const rounded =
      dtype === 'bfloat16' && trainer.teacher ? trainer.teacher.during((model) => model.parameters()) : [];
    expect(planRun({ config, model }).memory).toMatchObject({
      weights: sum(student.parameters().map(({ tensor }) => tensor)),
      gradients: sum(trained.map(({ tensor }) => tensor)),
      masters: bytes(/^master\./),
      moments: bytes(/^(mean|variance)\./),
      teacher: bytes(/^teacher\./) + sum(rounded.map(({ tensor }) => tensor)),
      checkpoint: sum(student.parameters().map(({ tensor }) => tensor)) + bytes(/./),
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
      H * D,
      H * T,
      H * T,
      H * T,
      H * D,
      H * D,
      E,
      ...norm,
      E,
      ...norm,
      2 * F,
      F,
      F,
      E,
      ...norm,
      E,
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

  it('has one loop and the states between loops, where loops are run again', () => {
    const again = { dtype: 'float64', memory: { recomputeLoops: true } } as const;
    const { activations } = planRun({ config: configOf({ kind: 'stage1' }, again), model }).memory;
    const { hiddenSize: E } = model;
    const oneLoop = planRun({
      config: configOf({ kind: 'stage1' }, { dtype: 'float64' }),
      model: { ...model, loops: 1 },
    }).memory.activations;
    expect(activations).toBe(oneLoop + 8 * N * K * 2 * E);
    const rollouts = (settings: object, memory: object): number =>
      planRun({
        config: configOf({ kind: 'looprpt', policyGradient: 'backbone', ...settings }, { memory }),
        // Of three loops only one is recorded.
        model: { ...model, loops: 4 },
      }).memory.rollouts;
    for (const kind of ['full', 'hard'])
      expect(rollouts({ rollouts: kind }, { recomputeLoops: true })).toBeLessThan(rollouts({ rollouts: kind }, {}));
  });

  /** What one place's way through the lean operators leaves for the backward pass: elements, and statistics in float32. */
  function leanBytes(): number {
    const { hiddenSize: E, intermediateSize: F, heads: H, headDim: D } = model;
    const saved = {
      normed: E,
      queries: H * D,
      sharedKeys: H * D,
      sharedValues: H * D,
      heads: H * D,
      projected: E,
      sum: E,
      normedForMlp: E,
      gateAndUp: 2 * F,
      product: F,
      down: E,
      sumForNext: E,
    };
    const statistics = H + 4;
    const sum = Object.values(saved).reduce((total, size) => total + size, 0);
    const layer = 2 * sum + 4 * statistics;
    return K * (model.layers * layer + 2 * E + 4) + layer;
  }

  it('is what lean operators keep in half precision', () => {
    const half = { dtype: 'bfloat16', device: 'cuda' } as const;
    const { activations, logits } = planRun({ config: configOf({ kind: 'stage1' }, half), model }).memory;
    expect(activations).toBe(N * leanBytes());
    const { hiddenSize: E, vocabSize: V } = model;
    // States, and one chunk of logits in bfloat16, in float32, and their gradient; the head's gradient.
    expect(logits).toBe(K * N * (2 * E + 4) + N * V * (2 + 4 + 2) + 2 * V * E);
  });

  it('of rollouts whose gradient ends at the gate is that of one loop', () => {
    const rollouts = (change: object): number =>
      planRun({ config: configOf({ kind: 'looprpt', ...change }, { dtype: 'bfloat16' }), model }).memory.rollouts;
    expect(rollouts({ rollouts: 'full', policyGradient: 'backbone' })).toBeGreaterThan(rollouts({ rollouts: 'full' }));
    // Another rollout keeps only its states, with the noise on each: one way in bfloat16, K loops.
    const another = rollouts({ rollouts: 'full', rolloutCount: 9 }) - rollouts({ rollouts: 'full', rolloutCount: 8 });
    expect(another).toBe(N * K * 2 * 2 * model.hiddenSize);
  });

  it('is divided among ranks with ZeRO-1, and sums of gradients come on top', () => {
    const at = (ranks: number, distributed: object, kind: 'looprpt' | 'stage1' = 'looprpt') =>
      planRun({ config: configOf({ kind }, { dtype: 'bfloat16', device: 'cuda', distributed }), model, ranks }).memory;
    const { total: P } = planRun({ config: configOf({ kind: 'stage1' }), model }).parameters;
    const whole = at(4, {});
    expect([whole.gradientSums, whole.masters, whole.moments, whole.teacher]).toEqual([4 * P, 4 * P, 8 * P, 6 * P]);
    const divided = at(4, { zero: true });
    expect([divided.gradientSums, divided.masters, divided.moments, divided.teacher]).toEqual([5 * P, P, 2 * P, P]);
    expect(divided.teacherPass - whole.teacherPass).toBe(2 * P);
    expect(at(4, { zero: true, replicateTeacher: true }).teacher).toBe(6 * P);
    expect(at(1, { zero: true })).toEqual(at(1, {}));
    expect(at(1, {}).gradientSums).toBe(0);
  });

  it('is less with fused operators, and none of a part that is switched off', () => {
    const memory = (objective: RunConfigInput['objective'], dtype: 'float32' | 'float64' = 'float32') =>
      planRun({ config: configOf(objective, { dtype }), model }).memory;
    expect(memory({ kind: 'stage1' }).activations).toBeLessThan(memory({ kind: 'stage1' }, 'float64').activations / 2);
    expect(memory({ kind: 'stage1' })).toMatchObject({ teacher: 0, teacherPass: 0, rollouts: 0, masters: 0 });
    expect(memory({ kind: 'looprpt', policy: 'closed' })).toMatchObject({ rollouts: 0 });
    const { total, ...parts } = memory({ kind: 'looprpt' });
    expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
  });
});

describe('traffic of a step', () => {
  const at = (ranks: number, distributed: object, kind: 'looprpt' | 'stage1') =>
    planRun({
      config: configOf(
        { kind },
        { dtype: 'bfloat16', distributed, batch: { rows: 1, sequenceLength: T, accumulate: 3 } },
      ),
      model,
      ranks,
    }).traffic;
  const { total: P } = planRun({ config: configOf({ kind: 'stage1' }), model }).parameters;

  it('is an all-reduce in float32', () => {
    expect(at(4, {}, 'looprpt')).toEqual({ gradients: 6 * P, weights: 0, teacher: 0, total: 6 * P });
    expect(at(1, {}, 'looprpt').total).toBe(0);
  });

  it('is a reduce-scatter and gathers with ZeRO-1', () => {
    expect(at(4, { zero: true }, 'stage1')).toEqual({ gradients: 3 * P, weights: 1.5 * P, teacher: 0, total: 4.5 * P });
    expect(at(4, { zero: true }, 'looprpt').teacher).toBe(3 * 1.5 * P);
    expect(at(4, { zero: true, replicateTeacher: true }, 'looprpt').teacher).toBe(0);
  });
});
