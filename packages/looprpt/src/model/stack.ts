/**
 * One loop of the model, the one forward pass: the shared stack of layers, then the final norm. Training, evaluation, rollouts and
 * decoding run this loop; what differs is what a layer's heads attend to (attend.ts) and which operators do it (operators.ts).
 *
 * A layer is attention and MLP, each between two norms ("sandwich"): a = x + N2(Attention(N1(x))); out = a + N4(MLP(N3(a))).
 *
 * Shapes: B rows, T places, S keys, E hidden, C = (H + 2G)·D.
 */
import { recompute, scope, type Tensor } from '@looprpt/engine';
import { type Attention, passAttention, queryAttention, type Remember } from './attend.js';
import type { LoopLMConfig } from './config.js';
import { type Kernels, type Operators, operatorsFor } from './operators.js';
import type { PassContext } from './pass.js';
import type { MatrixProducts } from './stored-matrices.js';
import type { LayerWeights, Weights } from './weights.js';

/** A model's weights with the way to run them. */
export interface Stack {
  config: LoopLMConfig;
  weights: Weights;
  kernels: Kernels;
  /** What the matrices are, where they are not the weights' own tensors. */
  stored?: MatrixProducts | null;
  /** Keep only the states between loops for the backward pass, which then runs each loop again. */
  recomputeLoops?: boolean;
}

/** The residual stream and its norm, which the next branch starts from, [..., E] each. */
export type Stream = [residual: Tensor, normed: Tensor];

/** One layer; the norm that comes out is the one of whatever follows. */
export function runLayer(
  { rmsNormEps: eps, heads, headDim }: LoopLMConfig,
  { product, residualNorm, swiglu }: Operators,
  layer: LayerWeights,
  nextNorm: Tensor,
  [residual, normed]: Stream,
  { reads, mix }: { reads: Attention['reads']; mix: (rows: Tensor) => Tensor },
): Stream {
  const projection = reads === 'qkv' ? layer.qkv : layer.qkv.slice(0, 0, heads * headDim);
  const mixed = product(mix(product(normed, projection)), layer.out);
  const [between, start] = residualNorm(mixed, residual, layer.normAfterAttention, layer.normBeforeMlp, eps);
  const expanded = product(swiglu(product(start, layer.gateUp)), layer.down);
  return residualNorm(expanded, between, layer.normAfterMlp, nextNorm, eps);
}

/**
 * One loop, without the scope that `runLoop` puts around it.
 * @param hidden the state before the loop, [..., E] @returns the state after it, normalised, [..., E]; of rows [N, E] those wanted
 */
export function runLayers(
  { config, weights }: Pick<Stack, 'config' | 'weights'>,
  operators: Operators,
  hidden: Tensor,
  { reads, mix, kept, wanted }: Attention,
): Tensor {
  const { layers, finalNorm } = weights;
  let stream: Stream = [hidden, operators.norm(hidden, layers[0]!.normBeforeAttention, config.rmsNormEps)];
  layers.forEach((layer, i) => {
    const nextNorm = layers[i + 1]?.normBeforeAttention ?? finalNorm;
    const [residual, normed] = stream;
    const some = (rows: Tensor): Tensor =>
      nextNorm === finalNorm && wanted !== undefined && wanted < rows.size(0) ? rows.slice(0, 0, wanted) : rows;
    const run = () =>
      runLayer(config, operators, layer, nextNorm, [some(residual), normed], {
        reads,
        mix: (rows) => some(mix(rows, i)),
      });
    // What a layer makes on the way goes with it: a pass of many layers holds no more than one of a few.
    [stream] = scope(() => [run(), kept]);
    if (i > 0) residual.dispose();
    normed.dispose();
  });
  return stream[1];
}

export interface LoopHooks {
  /** With a cache, which forces plain operators. */
  remember?: Remember | undefined;
  /** Hand out every layer's joined, unrotated q, k and v rows, detached. */
  keep?: boolean | undefined;
}

export interface LoopResult {
  /** The state after the loop, normalised, [B, T, E]. */
  hiddenBTE: Tensor;
  /** [B, T, C] by layer; empty unless kept. */
  qkv: Tensor[];
}

/** Runs one loop on the hidden state before it, [B, T, E]. What it makes on the way is freed, or held by autograd alone. */
export function runLoop(stack: Stack, hiddenBTE: Tensor, pass: PassContext, hooks: LoopHooks = {}): LoopResult {
  const { remember, keep = false } = hooks;
  const operators = operatorsOf(remember ? { ...stack, kernels: 'plain' } : stack);
  const { reads, mix } = passAttention(stack.config, pass, operators, remember);
  const once = (stateBTE: Tensor, keeping: boolean): LoopResult =>
    scope(() => {
      const qkv: Tensor[] = [];
      const attention: Attention = {
        reads,
        kept: qkv,
        mix(rows, layer) {
          if (keeping) qkv.push(rows.detach());
          return mix(rows, layer);
        },
      };
      return { hiddenBTE: runLayers(stack, operators, stateBTE, attention), qkv };
    });
  if (!stack.recomputeLoops || remember) return once(hiddenBTE, keep);
  const qkv: Tensor[] = [];
  const recomputed = recompute((stateBTE) => {
    // The rows are handed out by the run that is not recorded.
    const result = once(stateBTE, keep && qkv.length === 0);
    qkv.push(...result.qkv);
    return result.hiddenBTE;
  }, hiddenBTE);
  return { hiddenBTE: recomputed, qkv };
}

/**
 * The same for queries alone, over the rows that `keep` got from a finished pass.
 * @param qkvByLayer that pass's joined rows at this loop @param clean that pass @param queries the queries' own
 */
export function runLoopQueries(
  stack: Stack,
  hiddenBTE: Tensor,
  qkvByLayer: readonly Tensor[],
  clean: PassContext,
  queries: PassContext,
): Tensor {
  const attention = queryAttention(stack.config, qkvByLayer, clean, queries);
  const once = (stateBTE: Tensor): Tensor => scope(() => runLayers(stack, operatorsOf(stack), stateBTE, attention));
  return stack.recomputeLoops ? recompute(once, hiddenBTE) : once(hiddenBTE);
}

function operatorsOf({ kernels, weights, stored }: Stack): Operators {
  const operators = operatorsFor(kernels, weights.finalNorm);
  return stored ? { ...operators, product: stored.product } : operators;
}
