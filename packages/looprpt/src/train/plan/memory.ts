/**
 * The memory that a run will need, in bytes, on each rank.
 *
 * What stays is exact: weights, gradients, optimizer, teacher. What a micro-batch needs on top is an estimate from the
 * tensors that its operators keep (operators.ts) until its backward pass has ended. Node and libtorch themselves take a few
 * hundred MB more, a CUDA context as much again.
 *
 * Letters: K loops, L layers, E hidden.
 */
import type { LoopLMConfig } from '../../model/config.js';
import { CHUNK_LOGITS } from '../../objectives/looprpt/reference-distillation.js';
import { objectiveOf } from '../../objectives/objective.js';
import type { RunConfig } from '../run-config.js';
import { keepsTeacher } from '../teacher.js';
import { readOutBytes, stackBytes, wayOf, widthsOf } from './operators.js';
import type { Parameters, Work } from './work.js';

export interface MemoryPlan {
  weights: number;
  gradients: number;
  /** What the ranks' gradients are summed in, in float32; none alone. */
  gradientSums: number;
  /** float32 copies of half-precision weights. */
  masters: number;
  /** Both moments of AdamW. */
  moments: number;
  /** The EMA's weights, and its float32 averages of half-precision ones. */
  teacher: number;
  /** The copy of all these that a checkpoint is written from; in the host's memory, so 0 on other devices. */
  checkpoint: number;
  /** The student's pass over a micro-batch, and one layer of its backward pass. */
  activations: number;
  /** What the loss reads of states and logits, and its gradient. */
  logits: number;
  /** The teacher's pass, with the entropies that choose hard tokens, and its weights where they are gathered for it. */
  teacherPass: number;
  rollouts: number;
  total: number;
}

export function planMemory(
  work: Work,
  config: RunConfig,
  model: LoopLMConfig,
  parameters: Parameters,
  ranks: number,
): MemoryPlan {
  const parts = { ...staying(config, parameters, ranks), ...passing(work, config, model, parameters, ranks) };
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}

type Staying = Pick<
  MemoryPlan,
  'weights' | 'gradients' | 'gradientSums' | 'masters' | 'moments' | 'teacher' | 'checkpoint'
>;

function staying(config: RunConfig, { total, trained }: Parameters, ranks: number): Staying {
  const { device, dtype, distributed } = config;
  const { width, wide, half } = widthsOf(dtype);
  const share = distributed.zero ? 1 / ranks : 1;
  const weights = width * total;
  const masters = half ? share * 4 * trained : 0;
  const moments = share * 2 * wide * trained;
  const divided = isTeacherDivided(distributed, ranks);
  const averages = keepsTeacher(config) ? (divided ? share : 1) * wide * total : 0;
  return {
    weights,
    masters,
    moments,
    // Those of several micro-batches are added up in float32; on several ranks in the buckets.
    gradients: (width + (half && config.batch.accumulate > 1 && ranks === 1 ? 4 : 0)) * trained,
    gradientSums: ranks > 1 ? wide * trained * (1 + (distributed.zero ? share : 0)) : 0,
    // Beside float32 averages, the half-precision weights that are run; where they are divided, they are made for each pass.
    teacher: averages + (half && !divided && averages > 0 ? width * total : 0),
    checkpoint: device === 'cpu' ? weights + masters + moments + averages : 0,
  };
}

function isTeacherDivided({ zero, replicateTeacher }: RunConfig['distributed'], ranks: number): boolean {
  return zero && ranks > 1 && !replicateTeacher;
}

type Passing = Pick<MemoryPlan, 'activations' | 'logits' | 'teacherPass' | 'rollouts'>;

function passing(work: Work, config: RunConfig, model: LoopLMConfig, { total }: Parameters, ranks: number): Passing {
  const { places, counted, hard, rollouts } = work;
  const { batch, objective } = config;
  const { loops: K, layers: L, hiddenSize: E } = model;
  const { width } = widthsOf(config.dtype);
  const { layer, made, norm } = stackBytes(model, batch.sequenceLength, config);
  const loop = { kept: L * layer + norm, made: L * made + norm, states: K * 2 * width * E };
  // One loop's intermediates at a time, where nothing is recorded or a loop is run again in the backward pass.
  const light = places * (loop.made + loop.states);
  const gateOnly = objective.kind === 'gate';
  const gathered = keepsTeacher(config) && isTeacherDivided(config.distributed, ranks) ? width * total : 0;
  const read = readOutBytes(model, config, gateOnly ? counted : hard, !gateOnly);
  const teacherReads = objective.kind === 'looprpt' ? readOutBytes(model, config, hard, false).kept : 0;
  // The pass of a student that is its own teacher is there already.
  const pass = config.teacherDecay > 0 || objective.kind !== 'looprpt' ? light + K * teacherReads + gathered : 0;
  return {
    activations: (config.memory.recomputeLoops ? light : K * places * loop.kept) + (gateOnly ? 0 : places * layer),
    logits: K * read.kept + (gateOnly ? 0 : read.backward) + distillationBytes(work, config, model),
    teacherPass: objectiveOf(objective).readsTeacher ? pass + readOutBytes(model, config, counted, false).entropy : 0,
    rollouts: rollouts
      ? rolloutBytes(rollouts, config, model, loop) +
        (rollouts.readAtEveryLoop ? K * readOutBytes(model, config, rollouts.passes * hard, true).kept : 0) +
        cleanRows(work, config, model)
      : 0,
  };
}

/** A chunk of the teacher's logits and probabilities, and the head's gradient, whole (a wide sum) and of a chunk. */
function distillationBytes({ hard }: Work, { objective, dtype }: RunConfig, model: LoopLMConfig): number {
  if (objective.kind !== 'looprpt' || objective.zeta === 0) return 0;
  const { width, wide } = widthsOf(dtype);
  const { vocabSize: V, hiddenSize: E } = model;
  return 2 * wide * Math.min(hard * V, Math.max(CHUNK_LOGITS, V)) + (wide + width) * V * E;
}

/**
 * After every loop the noise, and the state with it; hard rollouts run side by side, full ones one after the other. Neither loop 1 nor the
 * last is recorded, unless the divergence from the teacher reads that one too.
 */
function rolloutBytes(
  { passes, places, recorded, readAtEveryLoop }: NonNullable<Work['rollouts']>,
  { objective, memory }: RunConfig,
  { loops: K }: LoopLMConfig,
  loop: { kept: number; made: number; states: number },
): number {
  if (recorded && !memory.recomputeLoops)
    return passes * places * ((readAtEveryLoop ? K - 1 : K - 2) * loop.kept + loop.states);
  const together = objective.kind === 'looprpt' && objective.rollouts === 'full' ? 1 : passes;
  return passes * places * loop.states + together * places * loop.made;
}

/** Joined rows of the clean pass, which hard rollouts read: of every loop and layer, where no operator keeps them anyway. */
function cleanRows(work: Work, config: RunConfig, model: LoopLMConfig): number {
  const { loops: K, layers: L, heads: H, kvHeads: G, headDim: D } = model;
  if (work.rollouts === null || config.objective.kind !== 'looprpt' || config.objective.rollouts === 'full') return 0;
  const heldAnyway = wayOf(config) !== 'lean' && !config.memory.recomputeLoops;
  return heldAnyway ? 0 : work.places * K * L * widthsOf(config.dtype).width * (H + 2 * G) * D;
}
