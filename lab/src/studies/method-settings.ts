/**
 * What a study calls LoopRPT, said from the settings that were run and not from a name: the paper's coefficients and ours differ, and
 * a preset can change after a table was made.
 */
import type { ObjectiveConfig } from 'looprpt/internal/objectives/objective.js';
import type { LoopRptSettings } from 'looprpt/internal/train/presets.js';
import type { Arm } from './arm.js';

type LoopRpt = Extract<ObjectiveConfig, { kind: 'looprpt' }>;

/** What is known of the paper: weights of the four terms, whole noisy passes, which L_KL reads too, and no stop at the gate. */
export const PAPER = {
  coefficients: [1, 1, 0.01, 1e-4],
  text: 'The paper has (1, 1, 0.01, 0.0001), whole noisy passes, L_KL read from them, and a policy gradient that does not stop at the gate',
} as const;

/** The title of an arm that is the method: `LoopRPT, paper` where all is as the paper has it, else `LoopRPT, hard rollouts, δ = 0.005`. */
export function methodTitle(settings: LoopRptSettings): string {
  return isPapers(settings) ? 'LoopRPT, paper' : `LoopRPT, ${settings.rollouts} rollouts, δ = ${settings.delta}`;
}

/** The settings of the study's first method, beside the paper's; nothing where it has none. */
export function settingsNote(arms: readonly Arm[]): string | undefined {
  const method = arms.find(({ role, objective }) => role === 'method' && objective?.kind === 'looprpt');
  if (!method) return undefined;
  const objective = method.objective as LoopRpt;
  const { alpha, beta, gamma, delta, rho, rolloutCount, sigma, rollouts, policyGradient, policy } = objective;
  const passes =
    policy === 'closed'
      ? 'no rollouts, the closed form'
      : `${rolloutCount} rollouts of ${rollouts === 'full' ? 'whole passes' : "the hard tokens' queries alone"}, σ = ${sigma}`;
  const reach = policyGradient === 'gate' ? 'stops at the gate' : 'reaches the backbone';
  return [
    `“${method.title}” has (α, β, γ, δ) = (${[alpha, beta, gamma, delta].join(', ')}), ρ = ${rho}, ${passes}.`,
    `L_KL is read from ${klFrom(objective)}, and the policy gradient ${reach}.`,
    ...(isPapers(objective) ? [] : [`${PAPER.text}.`]),
    ...(delta === 0.005
      ? ['Without the KL term (δ = 0) the tables come out the same to two digits; the log has them.']
      : []),
  ].join(' ');
}

/** Whether all that is known of the paper is as it has it. */
function isPapers({ alpha, beta, gamma, delta, rollouts, policy, policyGradient, klFrom }: LoopRptSettings): boolean {
  const same = JSON.stringify([alpha, beta, gamma, delta]) === JSON.stringify(PAPER.coefficients);
  return same && policy === 'rollouts' && rollouts === 'full' && policyGradient === 'backbone' && klFrom === 'noisy';
}

/** Outcomes from before there was a choice have the clean pass. */
function klFrom(objective: LoopRpt): string {
  const from = (objective as { klFrom?: string }).klFrom;
  return from === undefined || from === 'clean' ? 'the clean pass' : `the ${from} passes`;
}
