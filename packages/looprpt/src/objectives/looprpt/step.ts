/**
 * One LoopRPT step up to its loss, in the order of the algorithm's page. The trainer differentiates the loss, clips, steps the
 * optimizer and moves the teacher (step 9's rest).
 *
 * Shapes: B rows, T places, E hidden, K loops, M hard tokens, G rollouts.
 */
import { noGrad, stack, type Tensor } from '@looprpt/engine';
import { exitLogPdf } from '../../model/exit.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { gateLogitsByLoop, nextTokenEntropy, targetLogProbs, targetLogProbsByLoop } from '../../model/read-out.js';
import type { TrainingBatch } from '../batch.js';
import type { ObjectiveReport } from '../contract.js';
import { ALONE, type Peers } from '../peers.js';
import { advantages, advantagesUnderPolicy, ofStepAdvantages } from './advantage.js';
import { type LoopRptConfig, runsRollouts } from './config.js';
import { type HardTokens, hardTokensOf, type TeacherView } from './hard-tokens.js';
import {
  closedPolicyLoss,
  exitEntropyLoss,
  loopProfile,
  representationLoss,
  rolloutPolicyLoss,
  trustRegionLoss,
} from './losses.js';
import type { Randomness } from './randomness.js';
import { referenceOf } from './reference.js';
import {
  distillationShares,
  referenceDistillationLoss,
  referenceStates,
  type StudentReading,
} from './reference-distillation.js';
import { type RewardTerms, rewardOf, rewardTable } from './reward.js';
import type { CleanPass } from './rollout-types.js';
import { exploration } from './rollouts.js';

/** Everything that step 5 needs. */
interface PolicyStep {
  student: LoopLM;
  batch: TrainingBatch;
  hard: HardTokens;
  clean: CleanPass;
  terms: RewardTerms;
  rewardKM: Tensor;
  peers: Peers;
}

/**
 * @param teacher where it is the student itself, the student's pass is the teacher's too, as a constant
 * @throws AssertionError if no place of the batch counts in the loss
 */
export function loopRptLoss(
  student: LoopLM,
  teacher: LoopLM,
  batch: TrainingBatch,
  config: LoopRptConfig,
  random: Randomness,
  peers: Peers = ALONE,
): ObjectiveReport {
  // 1, 2. The teacher's pass, and the hard tokens.
  const ownPass = teacher === student ? deterministicPass(student, batch, config) : null;
  const view = hardTokensOf(teacher, batch, config, ownPass?.statesK);
  const { hard } = view;

  // 3. The student's deterministic pass, and the teacher's reference.
  const clean = ownPass ?? deterministicPass(student, batch, config);
  const logProbsKM = targetLogProbsByLoop(student, clean.statesK, hard.placesN, hard.targetsN);
  const reference = referenceOf(teacher, view, config, ownPass && logProbsKM.detach());
  const { terms, logProbsKM: teacherLogProbsKM } = reference;
  const logPdfReaching = (reach: 'gate' | 'backbone'): Tensor =>
    exitLogPdf(gateLogitsByLoop(student, clean.statesK, hard.placesN, reach === 'gate'));
  const gateLogPdfKM = logPdfReaching('gate');
  const pdfKM = gateLogPdfKM.detach().exp();

  // 4. The reward of exiting at each loop.
  const rewardKM = rewardTable(logProbsKM, terms);

  // 5. When to stop: the policy gradient.
  const step: PolicyStep = { student, batch, hard, clean, terms, rewardKM, peers };
  const sampled = runsRollouts(config) ? sampledPolicy(step, config, random) : null;
  const policy = sampled
    ? sampled.loss
    : closedPolicyLoss(
        logPdfReaching(config.policyGradient).exp(),
        config.closedFormWeighting === 'uniform'
          ? advantages(rewardKM, config, peers)
          : advantagesUnderPolicy(rewardKM, pdfKM, config, peers),
      );

  // 6. What the early states must already know.
  const weightPdfKM = weightDistribution(config, pdfKM, logPdfReaching);
  const stepAdvantagesKM = advantages(rewardKM, ofStepAdvantages(config), peers);
  const kappa = view.hardestM?.to({ dtype: rewardKM.dtype }).mul(config.kappa) ?? config.kappa;
  const representation = representationLoss(weightPdfKM, stepAdvantagesKM, logProbsKM, kappa);

  // 7, 8. The exit-entropy bonus and the trust region.
  const entropy = exitEntropyLoss(config.entropyGradient === 'gate' ? gateLogPdfKM : logPdfReaching('backbone'));
  const divergence = config.delta > 0 ? divergenceFrom(teacherLogProbsKM!, logProbsKM, sampled?.noisyKGM) : null;

  // Beyond the page: the teacher's reference as a target of every loop.
  const distillation = config.zeta > 0 ? distil(student, { ...clean, hard, logProbsKM }, teacher, view, config) : null;

  // 9. The whole.
  const weighted: [number, Tensor][] = [
    [config.alpha, policy],
    [config.beta, representation],
    [config.gamma, entropy],
    ...(divergence ? [[config.delta, divergence] as [number, Tensor]] : []),
    ...(distillation ? [[config.zeta, distillation] as [number, Tensor]] : []),
  ];
  // A term of weight 0 must not reach the weights at all: 0 · NaN is NaN.
  const active = weighted.filter(([weight]) => weight > 0).map(([weight, term]) => term.mul(weight));
  const loss = active.length > 0 ? active.reduce((sum, term) => sum.add(term)) : logProbsKM.mul(0).sum();
  return {
    loss,
    parts: {
      policy: policy.detach(),
      representation: representation.detach(),
      exitEntropy: entropy.detach().neg(),
      ...(divergence ? { klTeacher: divergence.detach() } : {}),
      ...(distillation ? { distillation: distillation.detach() } : {}),
    },
    exitPdfKN: pdfKM,
    rewardKN: rewardKM,
    groupRewardsGN: sampled ? sampled.rewardsGM : rewardKM,
  };
}

/** The distribution over loops in w_k, [K, M] or [K, 1]. */
function weightDistribution(
  { weights, weightGradient, uniformShare }: LoopRptConfig,
  pdfKM: Tensor,
  logPdfReaching: (reach: 'gate' | 'backbone') => Tensor,
): Tensor {
  if (weights !== 'policy') return loopProfile(weights, pdfKM);
  const ownKM = weightGradient === 'none' ? pdfKM : logPdfReaching(weightGradient).exp();
  return uniformShare === 0 ? ownKM : ownKM.mul(1 - uniformShare).add(uniformShare / pdfKM.size(0));
}

function distil(
  student: LoopLM,
  reading: StudentReading,
  teacher: LoopLM,
  { hard, statesK, referenceStepM, entropyM: chosenByM }: TeacherView,
  { distillFrom, distillAnchor, entropyAt }: LoopRptConfig,
): Tensor {
  const statesME = noGrad(() => referenceStates(statesK, hard.placesN, distillFrom, referenceStepM));
  const entropyM = distillFrom === entropyAt ? chosenByM : nextTokenEntropy(teacher, statesME);
  const shares = distillationShares(statesK.length, distillAnchor);
  return referenceDistillationLoss(student, reading, teacher, { statesME, entropyM }, shares);
}

/** Step 3; hard rollouts read the pass's keys and values, as constants. */
function deterministicPass(student: LoopLM, batch: TrainingBatch, config: LoopRptConfig): CleanPass {
  const context = student.context(batch);
  const wanted = runsRollouts(config) && config.rollouts === 'hard';
  const qkv: Tensor[][] = [];
  const statesK = student.states(batch, wanted ? { keep: qkv } : {}, context);
  return { statesK: statesK, context, qkv };
}

/** Step 5, sampled: noisy passes, an exit sampled from each, paid and compared within the group. */
function sampledPolicy(
  { student, batch, hard, clean, terms, rewardKM, peers }: PolicyStep,
  config: LoopRptConfig,
  random: Randomness,
): { loss: Tensor; rewardsGM: Tensor; noisyKGM: Tensor | null } {
  const explored = exploration.run({ model: student, batch, hard, clean, random }, config);
  const { exitsGM, logProbsGM, statesGME, noisyK } = explored;
  const rewardsGM = statesGME
    ? noGrad(() => rewardOf(ownLogProbs(student, statesGME, hard), exitsGM, terms))
    : rewardKM.gather(0, exitsGM);
  return {
    loss: rolloutPolicyLoss(logProbsGM, advantages(rewardsGM, config, peers)),
    rewardsGM,
    noisyKGM: noisyK && stack(noisyK.map((hiddenGME) => ownLogProbs(student, hiddenGME, hard))),
  };
}

/** Step 8, of the clean pass [K, M] or, where they were read, of the noisy ones [K, G, M]. */
function divergenceFrom(teacherLogProbsKM: Tensor, logProbsKM: Tensor, noisyKGM: Tensor | null | undefined): Tensor {
  return noisyKGM
    ? trustRegionLoss(teacherLogProbsKM.unsqueeze(1), noisyKGM)
    : trustRegionLoss(teacherLogProbsKM, logProbsKM);
}

/** ℓ of rollouts' own states [G, M, E] → [G, M]: at their exits without gradient, or after a loop with one. */
function ownLogProbs(student: LoopLM, statesGME: Tensor, { targetsN }: HardTokens): Tensor {
  const [G, M, E] = statesGME.shape as [number, number, number];
  const targetsGM = targetsN
    .unsqueeze(0)
    .expand(G, M)
    .reshape(G * M)
    // Of a single token the copies are one number with stride 0.
    .contiguous();
  return targetLogProbs(student, statesGME.reshape(G * M, E), targetsGM).view(G, M);
}
