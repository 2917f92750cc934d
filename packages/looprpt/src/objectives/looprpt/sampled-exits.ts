/**
 * Exits sampled from the gate, loop by loop. After loop k < K a rollout that is still running exits with probability λ^(k), at
 * the last loop in any case. So t^(g) ~ π^(g) and log π^(g)(t) = Σ_{k<t} log(1 − λ^(k)) + log λ^(t), without the last term at
 * t = K. Nothing of a rollout after its exit is ever asked for.
 *
 * Shapes: G rollouts, M hard tokens, K loops, counted from 0.
 */
import { full, ones, type Tensor, zeros } from '@looprpt/engine';
import type { HardTokens } from './hard-tokens.js';
import type { Randomness } from './randomness.js';

export class SampledExits {
  /** bool [G, M] */
  runningGM: Tensor;
  /** t^(g), int64 [G, M]; K − 1 for those that run. */
  exitsGM: Tensor;
  /** log π^(g)(t^(g)) as far as it is known, float32 [G, M], with gradients into the gate logits. */
  logProbsGM: Tensor;

  constructor([G, M]: readonly [number, number], { loops, device }: { loops: number; device: string }) {
    this.runningGM = ones([G, M], { dtype: 'bool', device });
    this.exitsGM = full([G, M], loops - 1, { dtype: 'int64', device });
    this.logProbsGM = zeros([G, M], { device });
  }

  /** @param gateLogitsGM after the loop; those of rollouts that have exited do not count */
  after(loop: number, gateLogitsGM: Tensor, random: Randomness, hard: HardTokens): void {
    const drawnGM = random.leaves(loop, gateLogitsGM.detach().sigmoid(), hard);
    const leavesGM = drawnGM.logicalAnd(this.runningGM);
    const signedGM = gateLogitsGM.mul(leavesGM.to({ dtype: gateLogitsGM.dtype }).mul(2).sub(1));
    const exited = this.runningGM.logicalNot();
    // log σ(a) for those that exit, log σ(−a) = log(1 − σ(a)) for those that go on.
    this.logProbsGM = signedGM.logSigmoid().maskedFill(exited, 0).add(this.logProbsGM);
    this.exitsGM = this.exitsGM.maskedFill(leavesGM, loop);
    this.runningGM = this.runningGM.logicalAnd(leavesGM.logicalNot());
  }
}
