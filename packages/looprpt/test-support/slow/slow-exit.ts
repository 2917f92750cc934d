/**
 * The exit distribution of one position, from its K gate logits; loops are numbered from 0.
 *
 * Survival s_0 = 1, s_{k+1} = s_k (1 - sigmoid(a_k)); pi_k = s_k sigmoid(a_k), and the last loop takes what survives:
 * its own gate logit has no influence.
 */
import { sigmoid } from './slow-loop-lm.js';

export function exitPdf(gateLogits: readonly number[]): number[] {
  let survival = 1;
  return gateLogits.map((a, k) => {
    if (k === gateLogits.length - 1) return survival;
    const exit = survival * sigmoid(a);
    survival *= sigmoid(-a);
    return exit;
  });
}

export function exitCdf(pdf: readonly number[]): number[] {
  let sum = 0;
  return pdf.map((p) => {
    sum += p;
    return sum;
  });
}

/** First loop whose cdf reaches the threshold; the last loop if none does. */
export function firstReaching(pdf: readonly number[], threshold: number): number {
  const step = exitCdf(pdf).findIndex((c) => c >= threshold);
  return step === -1 ? pdf.length - 1 : step;
}

/** Entropy in nats of a probability vector; 0 log 0 counts as 0. */
export function entropy(probabilities: readonly number[]): number {
  return probabilities.reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log(p)), 0);
}
