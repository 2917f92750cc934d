/**
 * What a run will need, before it is started: parameters, tokens, floating-point operations, and memory (plan-memory.ts).
 * Pure arithmetic on the configuration; nothing is loaded.
 *
 * FLOPs count a multiply-add as two, and only products, over the keys that a place can see if its row is one document, as
 * `eval/flops.ts` does. A backward pass costs twice its forward pass; the optimizer has no products.
 *
 * Letters: B rows, T places, N = B·T, n counted places, m hard places, E hidden, L layers, K loops, G key heads, D head size.
 */
import { flopsPerToken } from '../eval/flops.js';
import { type LoopLMConfig, parameterCount } from '../model/config.js';
import { type MemoryPlan, planMemory } from './plan-memory.js';
import type { RunConfig } from './run-config.js';

export interface RunPlan {
  parameters: { total: number; trained: number };
  tokens: { perStep: number; total: number };
  memory: MemoryPlan;
  flops: {
    /** Forward and backward, LM head included. */
    student: number;
    /** Without gradient: hard tokens, their entropies and reference log-probabilities. */
    teacher: number;
    rollouts: number;
    perStep: number;
    total: number;
  };
}

export interface PlanInput {
  config: RunConfig;
  model: LoopLMConfig;
  /** Share of the places whose target counts in the loss; default 1, which is the most there can be. */
  lossShare?: number | undefined;
}

export function planRun({ config, model, lossShare = 1 }: PlanInput): RunPlan {
  const { batch, steps, objective } = config;
  const total = parameterCount(model);
  const trained = objective.kind === 'gate' ? model.hiddenSize + 1 : total;
  const work = workOf(config, lossShare);
  const { student, teacher, rollouts } = microBatchFlops(work, config, model);
  const perStep = batch.accumulate * (student + teacher + rollouts);
  const tokens = work.places * batch.accumulate;
  return {
    parameters: { total, trained },
    tokens: { perStep: tokens, total: tokens * steps },
    memory: planMemory(work, config, model, { total, trained }),
    flops: {
      student: batch.accumulate * student,
      teacher: batch.accumulate * teacher,
      rollouts: batch.accumulate * rollouts,
      perStep,
      total: perStep * steps,
    },
  };
}

/** The places of a micro-batch by what is done with them. */
export interface Work {
  /** N */
  places: number;
  /** n */
  counted: number;
  /** m; n where the objective does not select. */
  hard: number;
  rollouts: { passes: number; places: number } | null;
}

function workOf({ batch, objective }: RunConfig, lossShare: number): Work {
  const { rows, sequenceLength: T } = batch;
  const countedInRow = Math.round(lossShare * T);
  const hardInRow = 'rho' in objective ? Math.ceil(objective.rho * countedInRow) : countedInRow;
  const rolls = objective.kind === 'looprpt' && objective.alpha > 0 && objective.policy === 'rollouts';
  return {
    places: rows * T,
    counted: rows * countedInRow,
    hard: rows * hardInRow,
    rollouts: rolls
      ? { passes: objective.rolloutCount, places: objective.rollouts === 'full' ? rows * T : rows * hardInRow }
      : null,
  };
}

function microBatchFlops(
  { places, counted, hard, rollouts }: Work,
  { batch, objective }: RunConfig,
  model: LoopLMConfig,
): { student: number; teacher: number; rollouts: number } {
  const { hiddenSize: E, layers: L, kvHeads: G, headDim: D, loops: K } = model;
  const reaches = Array.from({ length: batch.sequenceLength }, (_, t) => t + 1);
  const { perLoop, head } = flopsPerToken(model, reaches);
  const gate = 2 * E;
  const stack = perLoop - gate;
  const pass = K * stack * places;
  const readOut = (n: number): number => K * n * (head + gate);
  // Stage II differentiates the gate alone, whose products are all it costs.
  const student = objective.kind === 'gate' ? pass + readOut(counted) + K * counted * gate : 3 * (pass + readOut(hard));
  const selection = pass + counted * (K * gate + head);
  const teacher =
    objective.kind === 'looprpt' ? selection + K * hard * head : objective.kind === 'hard-token-ce' ? selection : 0;
  if (!rollouts || objective.kind !== 'looprpt') return { student, teacher, rollouts: 0 };
  const reachesBackbone = objective.policyGradient === 'backbone';
  const keysAndValues = L * 2 * E * 2 * G * D;
  const perPlace = objective.rollouts === 'full' ? stack : stack - keysAndValues;
  const own = objective.rewardFrom === 'own' ? hard * head : 0;
  const walk = (reachesBackbone ? 3 : 1) * (K - 1) * perPlace * rollouts.places;
  const gates = (reachesBackbone ? 3 : 2) * K * hard * gate;
  return { student, teacher, rollouts: rollouts.passes * (walk + gates + own) };
}
