/**
 * Who of the noisy passes has stopped, loop by loop. After loop k < K a pass that is still on the way stops with probability λ^(k); at the
 * last loop all do. So t^(g) ~ π^(g) and log π^(g)(t) = Σ_{k<t} log(1 − λ^(k)) + log λ^(t), without the last term at t = K, and nothing of
 * a pass after its exit is ever asked for.
 *
 * Shapes: G rollouts, M hard tokens, K loops, counted from 0.
 */
import { full, ones, type Tensor, zeros } from '@looprpt/engine';
import type { HardTokens } from './hard-tokens.js';
import type { Randomness } from './randomness.js';

export class Departures {
  /** bool [G, M] */
  onTheWayGM: Tensor;
  /** t^(g), int64 [G, M]; K − 1 for those on the way. */
  exitsGM: Tensor;
  /** log π^(g)(t^(g)) as far as it is known, float32 [G, M], with gradients into the gate logits. */
  logProbsGM: Tensor;

  constructor([G, M]: readonly [number, number], { loops, device }: { loops: number; device: string }) {
    this.onTheWayGM = ones([G, M], { dtype: 'bool', device });
    this.exitsGM = full([G, M], loops - 1, { dtype: 'int64', device });
    this.logProbsGM = zeros([G, M], { device });
  }

  /** @param gateLogitsGM after the loop; those of passes that have stopped do not count */
  after(loop: number, gateLogitsGM: Tensor, random: Randomness, hard: HardTokens): void {
    const drawnGM = random.leaves(loop, gateLogitsGM.detach().sigmoid(), hard);
    const leavesGM = drawnGM.logicalAnd(this.onTheWayGM);
    const signedGM = gateLogitsGM.mul(leavesGM.to({ dtype: gateLogitsGM.dtype }).mul(2).sub(1));
    const gone = this.onTheWayGM.logicalNot();
    // log σ(a) for those that leave, log σ(−a) = log(1 − σ(a)) for those that stay.
    this.logProbsGM = signedGM.logSigmoid().maskedFill(gone, 0).add(this.logProbsGM);
    this.exitsGM = this.exitsGM.maskedFill(leavesGM, loop);
    this.onTheWayGM = this.onTheWayGM.logicalAnd(leavesGM.logicalNot());
  }
}
