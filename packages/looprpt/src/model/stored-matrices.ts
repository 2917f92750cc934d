/**
 * Matrices of a model that is only read, each with its product: bfloat16 as a checkpoint has it, or whole numbers with scales.
 * Activations beside them are float32. A model names each of its matrices by a tensor; here it stands for the matrix.
 *
 * Not here: weights that are trained. Products have no gradients.
 *
 * Shapes: I inputs, O outputs, any number of rows before them.
 */
import {
  bfloatProduct,
  fusedRowLinear,
  packRows,
  type QuantisedWeight,
  quantisedProduct,
  scope,
  type Tensor,
} from '@looprpt/engine';
import type { Weights } from './weights.js';

/** One matrix, of one or several pieces below each other (q, k and v; gate and up). */
export type StoredMatrix =
  | { kind: 'bfloat16'; pieces: readonly Tensor[] }
  | { kind: 'quantised'; pieces: readonly QuantisedWeight[] };

/** What a model multiplies by its matrices with, where that is not the plain product. */
export interface MatrixProducts extends Disposable {
  /** How the matrices are held, in a word or two, for people. */
  readonly format: string;
  /** x·Wᵀ for x [..., I] → [..., O]; the tensor names the matrix. */
  readonly product: (x: Tensor, name: Tensor) => Tensor;
}

export class StoredMatrices implements MatrixProducts {
  readonly #products = new Map<Tensor, (xNI: Tensor) => Tensor>();
  readonly #owned: Tensor[];

  /**
   * @param format in a word or two, for people: `bfloat16`, `int8 in groups of 32`
   * @param matrices by the tensor that names each; the gate's row is taken from `gateWeight`, float32 [1, I]
   * @param owned freed with this object
   */
  constructor(
    readonly format: string,
    matrices: ReadonlyMap<Tensor, StoredMatrix>,
    gateWeight: Tensor,
    owned: readonly Tensor[],
  ) {
    for (const [name, matrix] of matrices)
      this.#products.set(
        name,
        matrix.kind === 'bfloat16'
          ? (xNI) => bfloatProduct(xNI, matrix.pieces)
          : (xNI) => quantisedProduct(xNI, matrix.pieces),
      );
    const gate = packRows(gateWeight);
    gate.packed.persist();
    this.#products.set(gateWeight, (xNI) => fusedRowLinear(xNI, gate));
    this.#owned = [...owned, gate.packed];
  }

  /** x·Wᵀ for x float32 [..., I] → [..., O]. */
  readonly product = (x: Tensor, name: Tensor): Tensor => {
    const product = this.#products.get(name);
    if (!product) throw new Error('a tensor that names no matrix of this model');
    if (x.dim === 2) return product(x.isContiguous ? x : x.contiguous());
    return product(x.reshape(-1, x.size(-1))).view(...x.shape.slice(0, -1), -1);
  };

  [Symbol.dispose](): void {
    for (const tensor of this.#owned) tensor.dispose();
  }
}

/** The same bfloat16 weights for reading alone: matrices and embedding are the model's own, vectors are float32 copies. */
export function readOnlyView({ layers, finalNorm, gateWeight, gateBias, head, embedding }: Weights): {
  weights: Weights;
  matrices: StoredMatrices;
} {
  const copies: Tensor[] = [];
  const wide = (vector: Tensor): Tensor => {
    const copy = scope(() => vector.detach().to({ dtype: 'float32' }).persist());
    copies.push(copy);
    return copy;
  };
  const matrices = new Map<Tensor, StoredMatrix>();
  const own = (matrix: Tensor): Tensor => {
    matrices.set(matrix, { kind: 'bfloat16', pieces: [matrix] });
    return matrix;
  };
  const weights: Weights = {
    embedding,
    layers: layers.map((layer) => ({
      qkv: own(layer.qkv),
      out: own(layer.out),
      gateUp: own(layer.gateUp),
      down: own(layer.down),
      normBeforeAttention: wide(layer.normBeforeAttention),
      normAfterAttention: wide(layer.normAfterAttention),
      normBeforeMlp: wide(layer.normBeforeMlp),
      normAfterMlp: wide(layer.normAfterMlp),
    })),
    finalNorm: wide(finalNorm),
    gateWeight: wide(gateWeight),
    gateBias: wide(gateBias),
    head: own(head),
  };
  return { weights, matrices: new StoredMatrices('bfloat16', matrices, weights.gateWeight, copies) };
}
