/**
 * One LoopRPT step, steps 1 to 9 of its description in order, with plain numbers.
 *
 * Rewards, advantages and weights are detached: they come from `frozen`. The loss of `params` then differs from a
 * constant only through what LoopRPT differentiates, so central differences in `params` with `frozen` fixed are its
 * gradient. Where a term may only reach the gate, its states come from `frozen` and the gate from `params`.
 */
import assert from 'node:assert/strict';
import { normalise, normaliseWeighted } from './slow-advantage.js';
import { hardRollout } from './slow-hard-rollout.js';
import type { SlowParams, SlowPass } from './slow-loop-lm.js';
import { forward, headLogits, logSoftmax } from './slow-loop-lm.js';
import type {
  Reach,
  SlowHardToken,
  SlowLoopRptParts,
  SlowLoopRptResult,
  SlowLoopRptSettings,
  SlowLoopRptSetup,
  SlowRollout,
} from './slow-looprpt-types.js';
import { exitPdfOf, mean, statesAt, targetLogProbs } from './slow-readout.js';
import type { TeacherToken } from './slow-teacher.js';
import { hardTokens, teacherTokens } from './slow-teacher.js';

/** What the loss takes as constant for one hard token. */
type Constants = Omit<SlowHardToken, 'parts'>;

/** The loss of `params` with every detached quantity computed from `frozen`. */
export function loopRptLoss(setup: SlowLoopRptSetup, params: SlowParams, frozen: SlowParams): SlowLoopRptResult {
  return freezeLoopRpt(setup, frozen)(params);
}

/** The same in two steps, so that many `params` share the work on the constants. */
export function freezeLoopRpt(setup: SlowLoopRptSetup, frozen: SlowParams): (params: SlowParams) => SlowLoopRptResult {
  const { config, teacher, batch, settings } = setup;
  const allTokens = teacherTokens(config, teacher, batch, settings);
  const hard = hardTokens(allTokens, settings.rho);
  const frozenClean = forward(config, frozen, batch);
  const frozenStates = rolloutStates(setup, hard, frozen, frozenClean, frozenClean);
  const constants = withAdvantages(setup, frozen, frozenClean, hard, frozenStates);
  const teacherClean = forward(config, teacher, batch);

  return (params) => {
    const clean = forward(config, params, batch);
    const live = (): number[][][][] => rolloutStates(setup, hard, params, clean, frozenClean);
    const noisyForKl = settings.klFrom === 'noisy' ? live() : null;
    const noisy = settings.policyGradient === 'gate' ? frozenStates : (noisyForKl ?? live());
    const tokens = constants.map((token, n) => {
      const { target } = token.teacher;
      const noisyLogProbs = (): number[][] =>
        noisyForKl![n]!.map((ofRollout) => targetLogProbs(config, params, ofRollout, target));
      const states = statesAt(clean, token.teacher);
      const detached = statesAt(frozenClean, token.teacher);
      const pdfReaching = (reach: Reach) => exitPdfOf(params, reach === 'gate' ? detached : states);
      const logProbs = targetLogProbs(config, params, states, target);
      const parts: SlowLoopRptParts = {
        policy:
          settings.policy === 'closed'
            ? closedFormPolicyLoss(token.closedFormAdvantages, pdfReaching(settings.policyGradient))
            : rolloutPolicyLoss(
                token.rollouts,
                noisy[n]!.map((ofRollout) => exitPdfOf(params, ofRollout)),
              ),
        representation: representationLoss(token, weightDistribution(settings, token, pdfReaching), logProbs),
        entropy: pdfReaching(settings.entropyGradient).reduce((sum, p) => (p === 0 ? sum : sum + p * Math.log(p)), 0),
        kl: noisyForKl
          ? mean(noisyLogProbs().map((ofRollout) => klLoss(token.teacher.logProbs, ofRollout)))
          : klLoss(token.teacher.logProbs, logProbs),
        distillation: settings.zeta === 0 ? 0 : distillationLoss(setup, params, states, teacherClean, token.teacher),
      };
      return { ...token, parts };
    });
    const parts: SlowLoopRptParts = {
      policy: mean(tokens.map((token) => token.parts.policy)),
      representation: mean(tokens.map((token) => token.parts.representation)),
      entropy: mean(tokens.map((token) => token.parts.entropy)),
      kl: mean(tokens.map((token) => token.parts.kl)),
      distillation: mean(tokens.map((token) => token.parts.distillation)),
    };
    const loss =
      settings.alpha * parts.policy +
      settings.beta * parts.representation +
      settings.gamma * parts.entropy +
      settings.delta * parts.kl +
      settings.zeta * parts.distillation;
    return { loss, parts, tokens, teacherTokens: allTokens };
  };
}

/** Step 5, the noisy passes: states [n][rollout][k][e] of every hard token n. */
function rolloutStates(
  setup: SlowLoopRptSetup,
  hard: readonly TeacherToken[],
  params: SlowParams,
  clean: SlowPass,
  frozenClean: SlowPass,
): number[][][][] {
  const { config, batch, settings, noise } = setup;
  if (settings.policy === 'closed') return hard.map(() => []);
  if (settings.rollouts === 'full') {
    const passes = noise.map((ofRollout) => forward(config, params, batch, ofRollout));
    return hard.map((place) => passes.map((pass) => statesAt(pass, place)));
  }
  const passes = {
    start: settings.rolloutStart === 'live' ? clean : frozenClean,
    context: settings.rolloutKeysValues === 'live' ? clean : frozenClean,
  };
  return hard.map(({ row, position }) =>
    noise.map((ofRollout) => {
      const here = ofRollout.map((ofLoop) => ofLoop[row]![position]!);
      return hardRollout(config, params, passes, batch, row, position, here);
    }),
  );
}

/** Steps 3 to 6 without gradient: log-probabilities, rewards, advantages, weights. */
function withAdvantages(
  setup: SlowLoopRptSetup,
  frozen: SlowParams,
  frozenClean: SlowPass,
  hard: readonly TeacherToken[],
  frozenStates: readonly number[][][][],
): Constants[] {
  const { settings } = setup;
  const rewarded = hard.map((teacher, n) => withRewards(setup, frozen, frozenClean, teacher, frozenStates[n]!));

  const rewards = rewarded.map((token) => token.rewards);
  const stepAdvantages = normalise(rewards, { ...settings, advantage: settings.stepAdvantage ?? settings.advantage });
  const hardest = new Set(hardTokens(hard, settings.kappaShare));
  const kappaAt = ({ teacher }: { teacher: TeacherToken }): number => (hardest.has(teacher) ? settings.kappa : 0);
  const rolloutAdvantages = normalise(
    rewarded.map((token) => token.rollouts.map((rollout) => rollout.reward)),
    settings,
  );
  const closedForm =
    settings.closedFormWeighting === 'uniform'
      ? normalise(rewards, settings)
      : normaliseWeighted(
          rewards,
          rewarded.map((token) => token.exitPdf),
          settings,
        );
  return rewarded.map((token, n) => ({
    ...token,
    stepAdvantages: stepAdvantages[n]!,
    kappa: kappaAt(token),
    weights: token.exitPdf.map((p, k) => p * (1 + kappaAt(token) * Math.max(0, stepAdvantages[n]![k]!))),
    closedFormAdvantages: settings.policy === 'closed' ? closedForm[n]! : [],
    rollouts: token.rollouts.map((rollout, g) => ({ ...rollout, advantage: rolloutAdvantages[n]![g]! })),
  }));
}

/** Steps 3 to 5 for one hard token, up to the rewards. */
function withRewards(
  setup: SlowLoopRptSetup,
  frozen: SlowParams,
  frozenClean: SlowPass,
  teacher: TeacherToken,
  noisyStates: readonly number[][][],
) {
  const { config, settings, exits } = setup;
  const states = statesAt(frozenClean, teacher);
  const logProbs = targetLogProbs(config, frozen, states, teacher.target);
  const baseline = teacher.logProbs[teacher.referenceStep]!;
  const difficulty = Math.min(1, Math.max(0, teacher.entropy / Math.log(config.vocabSize)));
  const timePenalty = settings.lambdaBase * (1 + settings.lambdaScale * (1 - difficulty));
  const rewardOf = (logProb: number, k: number) => logProb - baseline - timePenalty * (k - teacher.referenceStep);
  const rewards = logProbs.map(rewardOf);
  const rollouts = noisyStates.map((noisy, g) => {
    const exit = exits[g]![teacher.row]![teacher.position]!;
    assert(exit >= 0 && exit < config.loops, 'exit outside the loops');
    const own = targetLogProbs(config, frozen, noisy, teacher.target);
    const reward = settings.rewardSource === 'own' ? rewardOf(own[exit]!, exit) : rewards[exit]!;
    return { exit, exitPdf: exitPdfOf(frozen, noisy), logProbs: own, reward };
  });
  const exitPdf = exitPdfOf(frozen, states);
  return { teacher, baseline, difficulty, timePenalty, logProbs, exitPdf, rewards, rollouts };
}

/** Step 5: L_PG = -mean_g A^(g) log π^(g)(t^(g)). */
function rolloutPolicyLoss(rollouts: readonly SlowRollout[], pdfs: readonly number[][]): number {
  return -mean(rollouts.map(({ exit, advantage }, g) => advantage * Math.log(pdfs[g]![exit]!)));
}

/** Step 5 without sampling: L_PG = -Σ_k π(k) A(k). */
function closedFormPolicyLoss(advantages: readonly number[], pdf: readonly number[]): number {
  return -pdf.reduce((sum, p, k) => sum + p * advantages[k]!, 0);
}

/** Step 6: L_rep = -Σ_k π(k) (1 + κ relu(A'(k))) ℓ^(k). */
function representationLoss(token: Constants, pdf: readonly number[], logProbs: readonly number[]): number {
  return -logProbs.reduce(
    (sum, logProb, k) => sum + pdf[k]! * (1 + token.kappa * Math.max(0, token.stepAdvantages[k]!)) * logProb,
    0,
  );
}

/** What stands for π in w_k. */
function weightDistribution(
  { weights, weightGradient, uniformShare }: SlowLoopRptSettings,
  { exitPdf }: Constants,
  pdfReaching: (reach: Reach) => number[],
): number[] {
  const K = exitPdf.length;
  if (weights === 'uniform') return exitPdf.map(() => 1 / K);
  if (weights === 'first') return exitPdf.map((_, k) => (k === 0 ? 1 : 0));
  if (weights === 'depth') return exitPdf.map((_, k) => (2 * (k + 1)) / (K * (K + 1)));
  const own = weightGradient === 'none' ? exitPdf : pdfReaching(weightGradient);
  return own.map((p) => (1 - uniformShare) * p + uniformShare / K);
}

/** Σ_k d_k Σ_v q(v) (log q(v) − log p^(k)(v)), q the teacher's distribution at its last loop or at t_ref. */
function distillationLoss(
  { config, teacher, settings }: SlowLoopRptSetup,
  params: SlowParams,
  states: readonly number[][],
  teacherClean: SlowPass,
  token: TeacherToken,
): number {
  const at = settings.distillFrom === 'last' ? config.loops - 1 : token.referenceStep;
  const target = logSoftmax(headLogits(config, teacher, statesAt(teacherClean, token)[at]!));
  const divergences = states.map((hidden) => {
    const logProbs = logSoftmax(headLogits(config, params, hidden));
    return target.reduce((sum, logQ, v) => sum + Math.exp(logQ) * (logQ - logProbs[v]!), 0);
  });
  if (settings.distillAnchor === null) return mean(divergences);
  const [last] = divergences.slice(-1) as [number];
  return settings.distillAnchor * last + (1 - settings.distillAnchor) * mean(divergences.slice(0, -1));
}

/** Step 8: mean_k exp(ρ_k) - 1 - ρ_k with ρ_k = ℓ_teacher^(k) - ℓ_student^(k). */
function klLoss(teacherLogProbs: readonly number[], logProbs: readonly number[]): number {
  return mean(
    logProbs.map((logProb, k) => {
      const logRatio = teacherLogProbs[k]! - logProb;
      return Math.exp(logRatio) - 1 - logRatio;
    }),
  );
}
