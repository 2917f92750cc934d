/**
 * What it costs that autograd adds up a shared weight's gradients of the K loops in bfloat16. The same model with weights of their own for
 * every loop gives the parts; their sum in float64 and autograd's are both held against the exact gradient in float64.
 *
 * The gradients' own noise, of activations and products in bfloat16, is many times what the K − 1 roundings of the sum add to it.
 */
import { backward, type DType, scope } from '@looprpt/engine';
import { expect, it } from 'vitest';
import { loadModel } from '../checkpoint/load-model.js';
import { HOP_BASE } from '../checkpoint/shipped.js';
import type { PackedBatch } from '../data/loader/batch.js';
import { LoopLM, type TokenBatch } from '../model/loop-lm.js';
import { runLoop } from '../model/stack.js';
import { trainingBatch } from '../objectives/batch.js';
import { stage1Loss } from '../objectives/stage1.js';
import { Tokenizer } from '../text/tokenizer.js';
import { runConfigSchema } from './run-config.js';
import { openRunData } from './run-data.js';

/** A model whose loops have weights of their own, which are equal. */
class Unrolled extends LoopLM {
  constructor(readonly copies: readonly LoopLM[]) {
    super(copies[0]!.config, copies[0]!.weights);
  }

  override states(batch: TokenBatch) {
    const pass = this.context(batch);
    let hiddenBTE = this.embed(batch.idsBT);
    return this.copies.map((copy) => {
      hiddenBTE = runLoop(copy, hiddenBTE, pass, {}).hiddenBTE;
      return hiddenBTE;
    });
  }
}

/** By name, the gradients of all matrices in the loop. */
type Gradients = Map<string, Float64Array>;

function gradientsOf(model: LoopLM): Gradients {
  const matrices = model
    .parameters()
    .filter(({ name, tensor }) => name.startsWith('layers.') && tensor.shape.length === 2);
  return new Map(matrices.map(({ name, tensor }) => [name, Float64Array.from(tensor.grad!.toNumbers())]));
}

function shared(dtype: DType, batch: PackedBatch): Gradients {
  // What bfloat16 holds of the weights, for every dtype.
  const held = loadModel(HOP_BASE, { dtype: 'bfloat16' });
  const model = loadModel(HOP_BASE, { dtype }).setRequiresGrad(false);
  return scope(() => {
    for (const [i, { tensor }] of model.parameters().entries()) tensor.copy_(held.parameters()[i]!.tensor);
    model.setRequiresGrad(true);
    backward(stage1Loss(model, trainingBatch(batch, 'cpu'), { kind: 'stage1', beta: 0.1 }).loss);
    const found = gradientsOf(model);
    for (const one of [held, model]) one.dispose();
    return found;
  });
}

/** Of every loop. */
function apart(batch: PackedBatch): Gradients[] {
  return scope(() => {
    const copies = Array.from({ length: 4 }, () => loadModel(HOP_BASE, { dtype: 'bfloat16' }).setRequiresGrad(true));
    const unrolled = new Unrolled(copies);
    backward(stage1Loss(unrolled, trainingBatch(batch, 'cpu'), { kind: 'stage1', beta: 0.1 }).loss);
    const found = copies.map(gradientsOf);
    for (const copy of copies) copy.dispose();
    return found;
  });
}

/** |a − b| / |b| */
function error(a: Float64Array, b: Float64Array): number {
  return Math.hypot(...a.map((value, i) => value - b[i]!)) / Math.hypot(...b);
}

it('is small beside the rounding of activations and products', async () => {
  const tokenizer = await Tokenizer.load(HOP_BASE);
  const config = runConfigSchema.parse({
    model: { from: HOP_BASE },
    data: { task: { task: 'hop', compact: true, joined: true, alphabet: 10 } },
    objective: { kind: 'stage1' },
    out: 'none',
    steps: 1,
    batch: { rows: 16, sequenceLength: 104, pack: 'whole' },
  });
  const loader = openRunData(config, tokenizer);
  const batch = (await loader.next())!;
  await loader.close();
  const exact = shared('float64', batch);
  const summed = shared('bfloat16', batch);
  const parts = apart(batch);
  for (const [name, gradient] of exact) {
    const wide = gradient.map((_, i) => parts.reduce((sum, part) => sum + part.get(name)![i]!, 0));
    const [narrow, best, between] = [
      error(summed.get(name)!, gradient),
      error(wide, gradient),
      error(summed.get(name)!, wide),
    ];
    // the sum's own: at most K − 1 roundings of half a unit, and there is one
    expect(between).toBeGreaterThan(0);
    expect(between).toBeLessThan(3 * 2 ** -8);
    expect(narrow).toBeLessThan(1.05 * best);
  }
});
