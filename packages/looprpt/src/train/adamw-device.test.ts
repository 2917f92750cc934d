/** The optimizer's kernel for devices against the formula by plain arithmetic, and half-precision weights with their masters. */
import { scope, type Tensor, tensor } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { AdamW, adamWConfigSchema } from './adamw.js';
import { deviceAdamW_, hasDeviceAdamW } from './adamw-device.js';

const settings = { rate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1 };

test.skipIf(!hasDeviceAdamW)('is the formula, for several steps (skipped: this libtorch has no fused AdamW)', () => {
  scope(() => {
    const values = { theta: [0.5, -2, 3], m: [0, 0, 0], v: [0, 0, 0] };
    const make = (data: number[]): Tensor => tensor(data, { dtype: 'float32' });
    const state = { master: make(values.theta), mean: make(values.m), variance: make(values.v) };
    for (let t = 1; t <= 4; t++) {
      const g = [0.3 * t, -1, 0.02];
      deviceAdamW_({ ...state, gradient: make(g) }, { ...settings, updates: t });
      const { rate, beta1, beta2, epsilon, decay } = settings;
      values.m = values.m.map((m, i) => beta1 * m + (1 - beta1) * g[i]!);
      values.v = values.v.map((v, i) => beta2 * v + (1 - beta2) * g[i]! ** 2);
      values.theta = values.theta.map((theta, i) => {
        const root = Math.sqrt(values.v[i]! / (1 - beta2 ** t)) + epsilon;
        return theta * (1 - rate * decay) - (rate * (values.m[i]! / (1 - beta1 ** t))) / root;
      });
      for (const [i, theta] of values.theta.entries()) expect(state.master.toNumbers()[i]).toBeCloseTo(theta, 5);
    }
  });
});

test('bfloat16 weights are stepped in float32: updates too small for them add up', () => {
  scope(() => {
    const weight = tensor([256, -256], { dtype: 'bfloat16' });
    weight.requiresGrad = true;
    const config = adamWConfigSchema.parse({ learningRate: 0.01, clipNorm: null });
    using optimizer = new AdamW([{ name: 'w', tensor: weight, isGate: false, decays: true }], config);
    for (let t = 0; t < 300; t++) {
      weight.grad = tensor([1, -1], { dtype: 'bfloat16' });
      expect(optimizer.gradientNorm()).toBeCloseTo(Math.SQRT2, 5);
      optimizer.step(0.01, Math.SQRT2);
    }
    // One step is a hundredth; bfloat16 next to 256 has steps of 1 and 2.
    expect(weight.toArray()).toEqual([253, -253]);
    expect(optimizer.slots[0]!.master.toNumbers()[0]).toBeCloseTo(253, 1);
  });
});
