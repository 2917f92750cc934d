/**
 * A quantised model's scales, norms and exit gate fitted to the model in floating point, by gradient steps on text: after every loop
 * the next-token distribution is drawn towards that model's, and the gate's probability of leaving towards its gate's.
 *
 *   L = Σ_k [ KL( p^(k) ‖ p̂^(k) ) + ρ · KL( λ^(k) ‖ λ̂^(k) ) ],  mean over counted places, the gate's part for k < K
 *
 * Whole numbers are constants. What has the size of the vocabulary exists for a few places at a time, and of a loop's inside only what
 * one loop needs (recomputed).
 *
 * Shapes: B rows, T places, N counted places, C places of a chunk, E hidden, V vocabulary, K loops.
 */
import { backward, binaryCrossEntropyWithLogits, enableGrad, noGrad, scope, type Tensor } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import type { Fit, FitOptions } from '../checkpoint/quantise/fitting.js';
import type { CalibrationBatch } from '../checkpoint/quantise/input-moments.js';
import type { LoopLM } from '../model/loop-lm.js';
import { atPlaces, logProbsOf, MAX_LOGITS } from '../model/read-out.js';
import { AdamW, adamWConfigSchema } from './adamw.js';
import { QuantisedStudent } from './quantised-student.js';

/** Chosen on tuning text of hop-base. */
const OPTIMIZER = adamWConfigSchema.parse({ learningRate: 3e-3, beta2: 0.99 });

/** ρ */
const GATE_SHARE = 0.3;

/** Called after every step with L before it. */
export type OnFit = (step: { step: number; steps: number; loss: number }) => void;

/** @param onStep told of every batch */
export function fitter(onStep: OnFit = () => {}): Fit {
  return async (teacher, matrices, { calibration, passes }: FitOptions) => {
    using student = new QuantisedStudent(teacher, matrices);
    using optimizer = new AdamW(student.parameters, OPTIMIZER);
    let steps = 0;
    await calibration(() => {
      steps += passes;
    });
    let step = 0;
    for (let pass = 0; pass < passes; pass++)
      await calibration((batch) => {
        const loss = fitLoss(student.lm, teacher, batch);
        student.gather();
        const rate = OPTIMIZER.learningRate * (1 - step / steps);
        const norm = optimizer.gradientNorm();
        if (!Number.isFinite(norm)) throw new UserError('fitting: gradients are no longer finite; leave it out');
        optimizer.step(rate, norm);
        student.refresh();
        onStep({ step: ++step, steps, loss });
      });
    return student.take();
  };
}

/**
 * L of a batch, whose gradients are added to the student's.
 * @param maxLogits of the vocabulary at once
 */
export function fitLoss(
  student: LoopLM,
  teacher: LoopLM,
  batch: CalibrationBatch,
  maxLogits: number = MAX_LOGITS,
): number {
  const { countedN } = batch;
  const N = countedN.size(0);
  if (N === 0) return 0;
  return scope(() => {
    const truthK = noGrad(() => teacher.states(batch).map((state) => atPlaces(state, countedN)));
    const statesK = enableGrad(() => student.states(batch).map((state) => atPlaces(state, countedN)));
    const K = statesK.length;
    const size = Math.max(1, Math.floor(maxLogits / teacher.weights.head.size(0)));
    let loss = 0;
    const gradientsK = statesK.map((stateNE, k) => {
      const leafNE = stateNE.detach();
      leafNE.requiresGrad = true;
      for (let from = 0; from < N; from += size) {
        const piece = (xNE: Tensor): Tensor => xNE.slice(0, from, Math.min(N, from + size));
        loss += scope(() => {
          const partial = divergence(student, piece(leafNE), teacher, piece(truthK[k]!), k < K - 1).div(N);
          backward(partial);
          return partial.item() as number;
        });
      }
      return leafNE.grad!;
    });
    // Each state's loss to first order: its gradient is the one that was found.
    const turned = enableGrad(() =>
      statesK.map((stateNE, k) => stateNE.mul(gradientsK[k]!).sum()).reduce((sum, one) => sum.add(one)),
    );
    backward(turned);
    return loss;
  });
}

/** Summed over places; with gradient into the student's states and gate. */
function divergence(student: LoopLM, ownCE: Tensor, teacher: LoopLM, truthCE: Tensor, hasGate: boolean): Tensor {
  const [truthCV, truthGateC] = noGrad(() => [logProbsOf(teacher.logits(truthCE)), teacher.gateLogits(truthCE)]);
  return enableGrad(() => {
    const ownCV = logProbsOf(student.logits(ownCE));
    const words = truthCV.exp().mul(truthCV.sub(ownCV)).sum();
    if (!hasGate) return words;
    const leave = truthGateC.sigmoid();
    const own = binaryCrossEntropyWithLogits(student.gateLogits(ownCE), leave);
    const least = noGrad(() => binaryCrossEntropyWithLogits(truthGateC, leave));
    return words.add(own.sub(least).sum().mul(GATE_SHARE));
  });
}
