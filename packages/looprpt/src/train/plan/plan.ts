/**
 * What a run will need, before it is started: parameters, tokens, floating-point operations, and memory (memory.ts).
 * Pure arithmetic on the configuration; nothing is loaded.
 *
 * FLOPs count a multiply-add as two, and only products, over the keys that a place can see if its row is one document, as
 * `model/flops.ts` does. A backward pass costs twice its forward pass, but attention over constant keys and values as much as it;
 * the optimizer has no products.
 *
 * Tokens and FLOPs are of one rank; every rank has as many.
 *
 * Letters: T places, N = B·T, n counted places, m hard places, E hidden, L layers, K loops, G key heads, D head size.
 */

import { type LoopLMConfig, parameterCount } from '../../model/config.js';
import { flopsPerToken } from '../../model/flops.js';
import { type LoopRptConfig, readsNoisyPasses, runsRollouts } from '../../objectives/looprpt/config.js';
import type { RunConfig } from '../run-config.js';
import { keepsTeacher } from '../teacher.js';
import { type MemoryPlan, planMemory } from './memory.js';
import { planTraffic, type TrafficPlan } from './traffic.js';
import type { Work } from './work.js';

export interface RunPlan {
  parameters: { total: number; trained: number };
  tokens: { perStep: number; total: number };
  memory: MemoryPlan;
  /** What a rank sends and receives in a step, by the least that a ring needs; 0 alone. */
  traffic: TrafficPlan;
  flops: {
    /** Forward and backward, LM head included. */
    student: number;
    /** Without gradient: hard tokens, their entropies and reference log-probabilities. */
    teacher: number;
    rollouts: number;
    /** Loops that the backward pass runs again (`memory.recomputeLoops`). */
    again: number;
    perStep: number;
    total: number;
  };
}

export interface PlanInput {
  config: RunConfig;
  /** Processes that share the run; default 1. */
  ranks?: number | undefined;
  model: LoopLMConfig;
  /** Share of the places whose target counts in the loss; default 1, which is the most there can be. */
  lossShare?: number | undefined;
}

export function planRun({ config, model, lossShare = 1, ranks = 1 }: PlanInput): RunPlan {
  const { batch, steps, objective } = config;
  const total = parameterCount(model);
  const trained = objective.kind === 'gate' ? model.hiddenSize + 1 : total;
  const work = workOf(config, lossShare);
  const { student, teacher, rollouts, again } = microBatchFlops(work, config, model);
  const perStep = batch.accumulate * (student + teacher + rollouts + again);
  const tokens = work.places * batch.accumulate;
  return {
    parameters: { total, trained },
    tokens: { perStep: tokens, total: tokens * steps },
    memory: planMemory(work, config, model, { total, trained }, ranks),
    traffic: planTraffic(config, { total, trained }, ranks),
    flops: {
      student: batch.accumulate * student,
      teacher: batch.accumulate * teacher,
      rollouts: batch.accumulate * rollouts,
      again: batch.accumulate * again,
      perStep,
      total: perStep * steps,
    },
  };
}

function workOf({ batch, objective }: RunConfig, lossShare: number): Work {
  const { rows, sequenceLength: T } = batch;
  const countedInRow = Math.round(lossShare * T);
  const hardInRow = 'rho' in objective ? Math.ceil(objective.rho * countedInRow) : countedInRow;
  const rolls = objective.kind === 'looprpt' && runsRollouts(objective);
  return {
    places: rows * T,
    counted: rows * countedInRow,
    hard: rows * hardInRow,
    rollouts: rolls
      ? {
          passes: objective.rolloutCount,
          places: objective.rollouts === 'full' ? rows * T : rows * hardInRow,
          recorded: objective.policyGradient === 'backbone' || readsNoisyPasses(objective),
          readAtEveryLoop: readsNoisyPasses(objective),
        }
      : null,
  };
}

interface MicroBatchFlops {
  student: number;
  teacher: number;
  rollouts: number;
  again: number;
}

function microBatchFlops(work: Work, config: RunConfig, model: LoopLMConfig): MicroBatchFlops {
  const { batch, objective, memory } = config;
  const { places, counted, hard } = work;
  const { hiddenSize: E, loops: K } = model;
  const reaches = Array.from({ length: batch.sequenceLength }, (_, t) => t + 1);
  const { perLoop, head } = flopsPerToken(model, reaches);
  const gate = 2 * E;
  const stack = perLoop - gate;
  const attention = perLoop - flopsPerToken(model, 0).perLoop;
  const pass = K * stack * places;
  const readOut = (n: number): number => K * n * (head + gate);
  const chosen = counted * (K * gate + head);
  const explored = exploredFlops(work, model, config, { stack, attention, head, gate });
  return {
    // Stage II differentiates the gate alone, whose products are all it costs.
    student:
      objective.kind === 'gate'
        ? pass + readOut(counted) + K * counted * gate
        : 3 * (pass + readOut(hard)) + meanRow(objective, hard * head),
    teacher:
      objective.kind === 'looprpt'
        ? chosen + teacherReference(objective, keepsTeacher(config), { pass, read: hard * head, loops: K })
        : objective.kind === 'hard-token-ce'
          ? pass + chosen
          : 0,
    rollouts: explored.all,
    again: memory.recomputeLoops ? (objective.kind === 'gate' ? 0 : pass) + explored.recordedWalk : 0,
  };
}

/** Distillation multiplies the head's rows by the teacher's probabilities, and differentiates the product by the rows. */
function meanRow(objective: RunConfig['objective'], read: number): number {
  return objective.kind === 'looprpt' && objective.zeta > 0 ? 2 * read : 0;
}

/**
 * The teacher's pass, and what is asked of it at the hard tokens: by the trust region after every loop, by the reward at its reference
 * alone; by distillation its distribution, and the entropy of that unless tokens were chosen by it. One that is the student itself has
 * read the rest for itself.
 */
function teacherReference(
  { delta, zeta, distillFrom, entropyAt }: LoopRptConfig,
  apart: boolean,
  of: { pass: number; read: number; loops: number },
): number {
  const distillation = zeta > 0 ? (distillFrom === entropyAt ? 1 : 2) : 0;
  return (apart ? of.pass + (delta > 0 ? of.loops : 1) * of.read : 0) + distillation * of.read;
}

/** @param of FLOPs of one place: a loop of the stack, attention in it, the LM head, the gate */
function exploredFlops(
  { hard, rollouts }: Work,
  { hiddenSize: E, layers: L, kvHeads: G, headDim: D, loops: K }: LoopLMConfig,
  { objective, device }: RunConfig,
  of: { stack: number; attention: number; head: number; gate: number },
): { all: number; recordedWalk: number } {
  if (!rollouts || objective.kind !== 'looprpt') return { all: 0, recordedWalk: 0 };
  const { passes, places, recorded, readAtEveryLoop } = rollouts;
  const full = objective.rollouts === 'full';
  const keysAndValues = L * 2 * E * 2 * G * D;
  const forward = full ? of.stack : of.stack - keysAndValues;
  // Of hard rollouts keys and values are the clean pass's, and constant: half of attention's backward products fall away.
  const backward = 2 * forward - (full ? 0 : of.attention);
  // The last loop's gate is not used: that loop is run for its own state alone, and recorded only where the divergence reads it.
  const loopsRun = (most: number): number => (full || device !== 'cpu' ? most : loopsToExit(most));
  const gated = loopsRun(K - 2);
  const further = loopsRun(objective.rewardFrom === 'own' || readAtEveryLoop ? K - 1 : K - 2);
  const differentiated = recorded ? (readAtEveryLoop ? further : gated) : 0;
  const gates = (objective.policyGradient === 'backbone' ? 3 : 2) * (1 + gated) * hard * of.gate;
  const divergence = readAtEveryLoop ? 3 * K * hard * of.head : 0;
  const own = objective.rewardFrom === 'own' ? hard * of.head : 0;
  return {
    all: passes * (places * (further * forward + differentiated * backward) + gates + own + divergence),
    recordedWalk: passes * differentiated * places * forward,
  };
}

/** Mean loops after the first that a hard rollout runs of at most so many on a CPU, as if half of those on the way stopped at each. */
function loopsToExit(most: number): number {
  return most <= 0 ? 0 : 1 - 2 ** -most;
}
