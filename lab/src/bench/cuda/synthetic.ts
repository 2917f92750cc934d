/**
 * Weights that both sides make by themselves, on the device, with the same values: no file of gigabytes is written and read.
 *
 * Element i of a matrix is ((i² mod P)·A + i·B + C·name) mod P, spread evenly around 0 with the usual deviation; norms are 1 and
 * the gate's bias is 0. lab/peer/bench_cuda.py has the same formula.
 */
import { arange, noGrad, op, scope, type Tensor } from '@looprpt/engine';
import type { LoopLMConfig } from 'looprpt/internal/model/config.js';
import { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { emptyWeights, upstreamTensors } from 'looprpt/internal/model/weights.js';

const P = 2_147_483_647;
const [A, B, C] = [48_271, 69_621, 1_299_709];

/** A number for a tensor's name. */
function numberOf(name: string): number {
  let sum = 0;
  for (let i = 0; i < name.length; i++) sum = (sum + (i + 1) * name.charCodeAt(i)) % 65_521;
  return sum;
}

/** `count` elements in float32 between −√3 and √3. */
function elements(name: string, count: number, device: string): Tensor {
  const modulo = (x: Tensor): Tensor => op('aten::remainder.Scalar')(x, P);
  const index = arange(0, count, { device });
  const mixed = modulo(index.mul(index))
    .mul(A)
    .add(index.mul(B))
    .add(C * numberOf(name));
  return modulo(mixed)
    .to({ dtype: 'float32' })
    .mul(1 / P)
    .sub(0.5)
    .mul(2 * Math.sqrt(3));
}

/** A bfloat16 model on the device. */
export function syntheticModel(config: LoopLMConfig, device: string): LoopLM {
  const weights = emptyWeights(config, { dtype: 'bfloat16', device });
  noGrad(() => {
    for (const { name, shape, stored, rows } of upstreamTensors(config)) {
      if (shape.length < 2) continue;
      scope(() => {
        const values = elements(name, shape[0]! * shape[1]!, device).mul(config.initializerRange);
        stored(weights)
          .slice(0, ...rows)
          .copy_(values.view(...shape));
      });
    }
  });
  return new LoopLM(config, weights);
}
