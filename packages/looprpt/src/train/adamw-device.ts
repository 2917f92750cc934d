/**
 * AdamW's update in one kernel of libtorch's, for devices other than the CPU: reads and writes each tensor once.
 *
 * Not here: the formula (adamw.ts), clipping, which tensors there are.
 */
import { full, hasOperator, op, type Tensor } from '@looprpt/engine';

const FUSED = 'aten::_fused_adamw_';

/** Whether this libtorch (2.0 and later) has the kernel. */
export const hasDeviceAdamW: boolean = hasOperator(FUSED);

export interface DeviceAdamWStep {
  /** η */
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Per unit of the rate; 0 for vectors. */
  decay: number;
  /** t, from 1. */
  updates: number;
}

/** Updates `master`, `mean` and `variance` in place; all four have one dtype and device. */
export function deviceAdamW_(
  { master, gradient, mean, variance }: Record<'master' | 'gradient' | 'mean' | 'variance', Tensor>,
  { rate, beta1, beta2, epsilon, decay, updates }: DeviceAdamWStep,
): void {
  const step = full([], updates, { dtype: 'float32', device: master.device });
  op(FUSED)<void>([master], [gradient], [mean], [variance], [], [step], {
    lr: rate,
    beta1,
    beta2,
    weight_decay: decay,
    eps: epsilon,
    amsgrad: false,
    maximize: false,
  });
}
