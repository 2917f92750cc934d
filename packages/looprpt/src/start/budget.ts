/**
 * From minutes to a plan: which model, how many steps of the base, how many of each arm. Pure arithmetic on measured times.
 *
 * Invariants: every arm has the same measured time, so those with cheaper steps make more of them; nothing reads the corpus more than
 * `MOST_PASSES` times; the plan fits into the time as far as the measurements hold.
 *
 * Units: seconds; tokens.
 */
import type { StepTime } from '../train/plan/probe.js';

/** Shares of the time that training has. */
const BASE_SHARE = 0.55;
/** What measurements, checkpoints and the report may take more than planned. */
const RESERVE = 0.1;
/** Passes over the corpus beyond which a small model mostly learns it by heart. */
export const MOST_PASSES = 4;
/** Of an evaluation's forward pass, against a training step on as many tokens. */
const EVALUATION_COST = 0.5;

/** A model that can be trained from scratch, smallest first. */
export const SIZES = [
  { hiddenSize: 64, intermediateSize: 176, layers: 2, heads: 4 },
  { hiddenSize: 128, intermediateSize: 352, layers: 2, heads: 4 },
  { hiddenSize: 192, intermediateSize: 512, layers: 3, heads: 6 },
  { hiddenSize: 256, intermediateSize: 704, layers: 4, heads: 8 },
  { hiddenSize: 384, intermediateSize: 1024, layers: 6, heads: 6 },
  { hiddenSize: 512, intermediateSize: 1376, layers: 8, heads: 8 },
] as const;
export type Size = (typeof SIZES)[number];

/** Training tokens that a weight of a base wants at least, embeddings included. */
const TOKENS_PER_WEIGHT = 5;

export interface Measured {
  /** Of the whole job, from now on. */
  seconds: number;
  tokensPerStep: number;
  corpusTokens: number;
  heldOutTokens: number;
}

/** Seconds. @param models that are evaluated */
function evaluationSeconds({ tokensPerStep, heldOutTokens }: Measured, stepSeconds: number, models: number): number {
  return models * (heldOutTokens / tokensPerStep) * stepSeconds * EVALUATION_COST;
}

/** The time that training has once evaluation and reserve are taken off. @param models that are evaluated */
function trainingSeconds(measured: Measured, stepSeconds: number, models: number): number {
  return Math.max(0, measured.seconds * (1 - RESERVE) - evaluationSeconds(measured, stepSeconds, models));
}

/** Steps after which the corpus was read as often as it may be. */
function passesCap({ corpusTokens, tokensPerStep }: Measured): number {
  return Math.max(1, Math.floor((MOST_PASSES * corpusTokens) / tokensPerStep));
}

/**
 * The largest model whose base can see enough tokens in its time, else the smallest.
 * @param stepSeconds a prediction for each size, smallest first
 * @param weights of each size
 */
export function chooseSize(
  measured: Measured,
  stepSeconds: readonly number[],
  weights: readonly number[],
  models: number,
): number {
  const enough = SIZES.map((_, i) => {
    const steps = Math.min(
      passesCap(measured),
      (BASE_SHARE * trainingSeconds(measured, stepSeconds[i]!, models)) / stepSeconds[i]!,
    );
    return steps * measured.tokensPerStep >= TOKENS_PER_WEIGHT * weights[i]!;
  });
  return Math.max(0, enough.lastIndexOf(true));
}

export interface Steps {
  /** Of the base; 0 where there is one already. */
  base: number;
  /** Of each arm, in their order. */
  arms: number[];
  /** Expected, of all of it. */
  seconds: number;
}

/** @param baseStep seconds of a step of the base; null where there is one already  @param armSteps seconds of a step of each arm */
export function planSteps(measured: Measured, baseStep: number | null, armSteps: readonly number[]): Steps {
  const slowest = Math.max(...armSteps);
  const training = trainingSeconds(measured, slowest, armSteps.length + 1);
  const cap = passesCap(measured);
  const base = baseStep === null ? 0 : whole((BASE_SHARE * training) / baseStep, cap);
  const left = baseStep === null ? training : (1 - BASE_SHARE) * training;
  const share = left / armSteps.length;
  // The cheapest arm is the first at the end of its passes; then none has more time than it.
  const time = Math.min(share, cap * Math.min(...armSteps));
  const arms = armSteps.map((seconds) => whole(time / seconds, cap));
  const evaluation = evaluationSeconds(measured, slowest, armSteps.length + 1);
  const seconds = base * (baseStep ?? 0) + arms.reduce((sum, steps, i) => sum + steps * armSteps[i]!, 0) + evaluation;
  return { base, arms, seconds };
}

/** A base that took so much longer than measured, or less, tells of a machine that has other work than when it was measured. */
const TOLERATED = 1.15;

export interface Timed {
  /** Seconds of a step when the plan was made. */
  baseStep: number;
  armSteps: readonly number[];
  /** Seconds that the job had left then, without the steps that were timed. */
  left: number;
}

/**
 * Seconds of a step of each arm by the clock: in the proportions of their processor time, which other work on the machine does not change,
 * at the speed that all of them had together. What was measured at a bad moment gets no other time for it.
 */
export function armStepSeconds(arms: readonly StepTime[], base: StepTime | null): number[] {
  const all = base === null ? arms : [...arms, base];
  const sum = (of: (time: StepTime) => number): number => all.reduce((total, time) => total + of(time), 0);
  const clock = sum(({ wall }) => wall) / sum(({ cpu }) => cpu);
  return arms.map(({ cpu }) => cpu * clock);
}

/**
 * What the arms can do in the time that a base left, by the speed that it had; at least one step each.
 * @param baseSeconds that it took
 */
export function stepsAfterBase(
  measured: Omit<Measured, 'seconds'>,
  { base, arms }: Pick<Steps, 'base' | 'arms'>,
  timed: Timed,
  baseSeconds: number,
): { slower: number; arms: number[] } {
  const slower = baseSeconds / (base * timed.baseStep);
  if (slower < TOLERATED && slower > 1 / TOLERATED) return { slower, arms };
  const seconds = timed.left - baseSeconds;
  const steps = timed.armSteps.map((step) => step * slower);
  return { slower, arms: planSteps({ ...measured, seconds }, null, steps).arms };
}

const whole = (steps: number, most: number): number => Math.max(1, Math.min(most, Math.floor(steps)));
