/**
 * A quantised model written out in float32, with gradients where it may still be fitted: its norms, its exit gate, and of each group's
 * scale a factor that starts at 1. Whole numbers are constants.
 *
 * A matrix is a leaf of its own, so that all loops add up one gradient of it; that of the factors follows from it (`gather`), and
 * after they have moved the matrix is made anew (`refresh`).
 *
 * Shapes: O outputs, I inputs, G groups of inputs.
 */
import assert from 'node:assert/strict';
import {
  cat,
  dequantise,
  empty,
  linear,
  noGrad,
  ones,
  type QuantisedWeight,
  scope,
  type Tensor,
  zeros,
} from '@looprpt/engine';
import { type Fitted, fittedWeights } from '../checkpoint/quantise/fitting.js';
import { LoopLM } from '../model/loop-lm.js';
import type { MatrixProducts } from '../model/stored-matrices.js';
import { mapWeights, type NamedParameter } from '../model/weights.js';

/** One piece of a matrix. */
interface Piece {
  weight: QuantisedWeight;
  /** code − zero, int8 or int16 [O, I]. */
  wholeOI: Tensor;
  /** float32 [O, G]. */
  scalesOG: Tensor;
  /** float32 [O, G], fitted. */
  factorsOG: Tensor;
}

interface Matrix {
  pieces: readonly Piece[];
  /** float32, the pieces one below the other. */
  valuesOI: Tensor;
}

export class QuantisedStudent implements Disposable {
  readonly lm: LoopLM;
  /** What is fitted. */
  readonly parameters: readonly NamedParameter[];
  readonly #matrices: ReadonlyMap<Tensor, Matrix>;
  /** By the teacher's tensor. */
  readonly #vectors: ReadonlyMap<Tensor, Tensor>;
  #areTaken = false;

  /** @param teacher whose weights name the matrices @param matrices pieces of each, one below the other */
  constructor(teacher: LoopLM, matrices: ReadonlyMap<Tensor, readonly QuantisedWeight[]>) {
    this.#matrices = new Map(
      Array.from(matrices, ([name, weights]) => [name, matrixOf(weights, name.shape as [number, number])]),
    );
    const named = fittedWeights(teacher.weights);
    const leaf = (make: () => Tensor): Tensor => withGradient(scope(() => noGrad(() => make().persist())));
    this.#vectors = new Map(
      Array.from(named.values(), (tensor) => [tensor, leaf(() => tensor.detach().to({ dtype: 'float32' }).clone())]),
    );
    const products: MatrixProducts = {
      format: 'float32',
      product: (x, name) => linear(x, this.#matrices.get(name)?.valuesOI ?? name),
      [Symbol.dispose]() {},
    };
    this.lm = new LoopLM(
      teacher.config,
      mapWeights(teacher.weights, (tensor) => this.#vectors.get(tensor) ?? tensor),
      products,
    );
    this.lm.recomputeLoops = true;
    const vectors = Array.from(named, ([name, tensor]) => parameter(name, this.#vectors.get(tensor)!));
    const factors = this.#pieces.map(({ factorsOG }, i) => parameter(`factors.${i}`, factorsOG));
    this.parameters = [...vectors, ...factors];
    this.refresh();
  }

  get #pieces(): Piece[] {
    return Array.from(this.#matrices.values(), ({ pieces }) => pieces).flat();
  }

  /** Makes the matrices by their factors. */
  refresh(): void {
    this.#eachPiece((piece, valuesOI) => {
      const { wholeOI, scalesOG, factorsOG, weight } = piece;
      const spreadOI = scalesOG.mul(factorsOG).repeatInterleave(weight.group, 1).slice(1, 0, wholeOI.size(1));
      valuesOI.copy_(wholeOI.to({ dtype: 'float32' }).mul(spreadOI));
    });
  }

  /** Turns the gradients of matrices, which are dropped, into those of factors. */
  gather(): void {
    this.#eachPiece(({ wholeOI, scalesOG, factorsOG, weight }, _, gradientOI) => {
      if (gradientOI) factorsOG.grad = byGroup(gradientOI.mul(wholeOI), weight.group).mul(scalesOG);
    });
    for (const { valuesOI } of this.#matrices.values()) valuesOI.grad = null;
  }

  #eachPiece(use: (piece: Piece, valuesOI: Tensor, gradientOI: Tensor | null) => void): void {
    for (const { pieces, valuesOI } of this.#matrices.values()) {
      let row = 0;
      for (const piece of pieces) {
        const end = row + piece.wholeOI.size(0);
        scope(() =>
          noGrad(() => {
            const gradient = valuesOI.grad;
            use(piece, valuesOI.slice(0, row, end), gradient?.slice(0, row, end) ?? null);
          }),
        );
        row = end;
      }
    }
  }

  /** Hands over what was fitted, without gradients. */
  take(): Fitted {
    assert(!this.#areTaken);
    const scales = new Map(
      this.#pieces.map(({ weight, scalesOG, factorsOG }) => [
        weight,
        scope(() => noGrad(() => scalesOG.mul(factorsOG).to({ dtype: weight.scales.dtype }).persist())),
      ]),
    );
    this.#areTaken = true;
    for (const vector of this.#vectors.values()) {
      vector.grad = null;
      vector.requiresGrad = false;
    }
    return { vectors: this.#vectors, scales };
  }

  [Symbol.dispose](): void {
    for (const { valuesOI } of this.#matrices.values()) valuesOI.dispose();
    for (const { wholeOI, scalesOG, factorsOG } of this.#pieces)
      for (const tensor of [wholeOI, scalesOG, factorsOG]) tensor.dispose();
    if (!this.#areTaken) for (const vector of this.#vectors.values()) vector.dispose();
  }
}

function withGradient(tensor: Tensor): Tensor {
  tensor.requiresGrad = true;
  return tensor;
}

function parameter(name: string, tensor: Tensor): NamedParameter {
  return { name, tensor, isGate: name.startsWith('gate'), decays: false };
}

function matrixOf(weights: readonly QuantisedWeight[], shape: readonly [number, number]): Matrix {
  return noGrad(() => ({
    pieces: weights.map((weight) => pieceOf(weight, shape[1])),
    valuesOI: withGradient(scope(() => empty(shape, { dtype: 'float32' }).persist())),
  }));
}

function pieceOf(weight: QuantisedWeight, inputs: number): Piece {
  const { scales, bits } = weight;
  const own = (make: () => Tensor): Tensor => scope(() => make().persist());
  return {
    weight,
    wholeOI: own(() => {
      const ofOne = dequantise({ ...weight, scales: ones(scales.shape, { dtype: scales.dtype }) }, inputs);
      return ofOne.to({ dtype: bits === 4 ? 'int8' : 'int16' });
    }),
    scalesOG: own(() => scales.to({ dtype: 'float32' })),
    factorsOG: withGradient(own(() => ones(scales.shape))),
  };
}

/** Sums of [O, I] over groups of inputs, the last of which may be shorter → [O, G]. */
function byGroup(valuesOI: Tensor, group: number): Tensor {
  const [O, I] = valuesOI.shape as [number, number];
  const G = Math.ceil(I / group);
  return cat([valuesOI, zeros([O, G * group - I])], 1)
    .view(O, G, group)
    .sum(2);
}
