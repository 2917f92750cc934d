/**
 * The objectives beside LoopRPT as plain functions of parameters: the expected-logits loss, Ouro's stages I and II,
 * cross-entropy uniform over the loops, and the same on hard tokens only. (LoopRPT: slow-looprpt.ts.)
 *
 * Whatever an objective treats as constant is computed from `frozen` or `teacher`, and what it differentiates from
 * `params`; so central differences in `params` with `frozen` fixed are the gradient.
 */
import { entropy } from './slow-exit.js';
import type { SlowConfig, SlowParams } from './slow-loop-lm.js';
import { forward, gateLogit, headLogits, logSoftmax, sigmoid } from './slow-loop-lm.js';
import type { Place, SlowBatch } from './slow-readout.js';
import { countedPlaces, exitPdfOf, mean, statesAt, targetAt, targetLogProbs } from './slow-readout.js';
import type { TeacherSettings } from './slow-teacher.js';
import { hardTokens, teacherTokens } from './slow-teacher.js';

export interface ObjectiveToken extends Place {
  target: number;
  /** ℓ^(k); the cross-entropy of loop k is -ℓ^(k) */
  logProbs: number[];
  exitPdf: number[];
  loss: number;
}

export interface ObjectiveResult<Token extends ObjectiveToken = ObjectiveToken> {
  /** mean of the tokens' losses */
  loss: number;
  tokens: Token[];
}

function overPlaces(
  config: SlowConfig,
  params: SlowParams,
  batch: SlowBatch,
  places: readonly Place[],
  lossOf: (token: { logProbs: number[]; exitPdf: number[] }) => number,
): ObjectiveResult {
  const pass = forward(config, params, batch);
  const tokens = places.map(({ row, position }) => {
    const states = statesAt(pass, { row, position });
    const target = targetAt(batch, { row, position });
    const read = { logProbs: targetLogProbs(config, params, states, target), exitPdf: exitPdfOf(params, states) };
    return { row, position, target, ...read, loss: lossOf(read) };
  });
  return { loss: mean(tokens.map((token) => token.loss)), tokens };
}

/** Cross-entropy of the logits mixed by the exit pdf, Σ_k π_k z_k: what upstream returns when labels are given. */
export function expectedLogitsLoss(config: SlowConfig, params: SlowParams, batch: SlowBatch): number {
  const pass = forward(config, params, batch);
  return mean(
    countedPlaces(batch).map((place) => {
      const mixed = expectedLogits(config, params, statesAt(pass, place));
      return -logSoftmax(mixed)[targetAt(batch, place)]!;
    }),
  );
}

/** Σ_k π_k z_k [v] from the states [k][e] of one position. */
export function expectedLogits(config: SlowConfig, params: SlowParams, states: readonly number[][]): number[] {
  const pdf = exitPdfOf(params, states);
  const logits = states.map((hidden) => headLogits(config, params, hidden));
  return logits[0]!.map((_, v) => logits.reduce((sum, z, k) => sum + pdf[k]! * z[v]!, 0));
}

/** Stage I: Σ_k π_k CE_k - β H(π), mean over counted positions; everything is differentiated. */
export function stageOneLoss(
  config: SlowConfig,
  params: SlowParams,
  batch: SlowBatch,
  settings: { beta: number },
): ObjectiveResult {
  return overPlaces(config, params, batch, countedPlaces(batch), ({ logProbs, exitPdf }) => {
    const crossEntropy = logProbs.reduce((sum, logProb, k) => sum - exitPdf[k]! * logProb, 0);
    return crossEntropy - settings.beta * entropy(exitPdf);
  });
}

/** Mean over the loops of CE_k, mean over counted positions. */
export function uniformLoss(config: SlowConfig, params: SlowParams, batch: SlowBatch): ObjectiveResult {
  return overPlaces(config, params, batch, countedPlaces(batch), ({ logProbs }) => -mean(logProbs));
}

/** Mean over the loops of CE_k, mean over the positions that are hard for the teacher. */
export function hardTokenLoss(
  config: SlowConfig,
  params: SlowParams,
  teacher: SlowParams,
  batch: SlowBatch,
  settings: TeacherSettings,
): ObjectiveResult {
  const places = hardTokens(teacherTokens(config, teacher, batch, settings), settings.rho);
  return overPlaces(config, params, batch, places, ({ logProbs }) => -mean(logProbs));
}

export interface StageTwoToken extends ObjectiveToken {
  /** [K - 1] CE_k - CE_{k+1}, may be negative: it is not clamped */
  improvements: number[];
  /** [K - 1] wanted probability of going on after loop k */
  targets: number[];
}

/**
 * Stage II: the binary cross-entropy between the probability of going on after loop k, 1 - λ_k, and its target
 * sigmoid(slope · (CE_k - CE_{k+1} - threshold)), mean over k < K and over counted positions. Only the gate is read
 * from `params`; states and cross-entropies are `frozen`.
 */
export function stageTwoLoss(
  config: SlowConfig,
  params: SlowParams,
  frozen: SlowParams,
  batch: SlowBatch,
  settings: { slope: number; threshold: number } = { slope: 50, threshold: 0.005 },
): ObjectiveResult<StageTwoToken> {
  const pass = forward(config, frozen, batch);
  const tokens = countedPlaces(batch).map((place) => {
    const states = statesAt(pass, place);
    const target = targetAt(batch, place);
    const logProbs = targetLogProbs(config, frozen, states, target);
    const improvements = logProbs.slice(1).map((next, k) => next - logProbs[k]!);
    const targets = improvements.map((gain) => sigmoid(settings.slope * (gain - settings.threshold)));
    const crossEntropies = targets.map((w, k) => {
      const a = gateLogit(params, states[k]!);
      return w * softplus(a) + (1 - w) * softplus(-a);
    });
    const loss = mean(crossEntropies);
    return { ...place, target, logProbs, exitPdf: exitPdfOf(params, states), improvements, targets, loss };
  });
  return { loss: mean(tokens.map((token) => token.loss)), tokens };
}

/** log(1 + e^x): -log(1 - sigmoid(x)), and -log sigmoid(x) at -x. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
