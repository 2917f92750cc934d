/**
 * Rounding that makes up for its own errors: inputs are rounded one after the other, and what an input's rounding adds to the outputs
 * is taken off the weights of inputs that are still to be rounded, as far as inputs of real text go together. This is GPTQ (Frantar et
 * al. 2022, arXiv 2210.17323), which minimises ‖(W − Ŵ)·X‖² row by row; the scale of a group is chosen when its first input is reached.
 *
 * With H = X·Xᵀ and U the upper Cholesky factor of (H + λ·1)⁻¹, rounding input c by e costs (e / U_cc)², whatever is done later at
 * best, and that best is to take e / U_cc · U_cj off the weight of each later input j.
 *
 * Shapes: O outputs, I inputs, R rows of a block of outputs, N inputs of a group.
 */
import {
  cat,
  empty,
  noGrad,
  op,
  type Quantisation,
  type QuantisedWeight,
  scope,
  stack,
  type Tensor,
  tensor,
} from '@looprpt/engine';
import { groupGrid, rounded } from './group-grid.js';
import { packCodes } from './pack-codes.js';

/** λ as a share of the mean of H's diagonal: keeps inputs that text hardly uses from weighing nothing. */
const DAMPING = 0.01;

/** Numbers of a block of rows, which are float64 while they are worked on: 128 MiB. Rows do not depend on each other. */
export const BLOCK_NUMBERS = 2 ** 24;

/** U of moments H float64 [I, I] → float64 [I, I]. H is symmetric and may be singular, but not 0. */
export function feedbackFactor(momentsII: Tensor): Tensor {
  return noGrad(() =>
    scope(() => {
      const dampedII = momentsII.clone();
      const diagonalI = op('aten::diagonal')<Tensor>(dampedII, 0, 0, 1);
      diagonalI.add_(DAMPING * diagonalI.mean().item());
      const lowerII = op('aten::linalg_cholesky')<Tensor>(dampedII);
      const inverseII = op('aten::cholesky_inverse')<Tensor>(lowerII);
      return op('aten::linalg_cholesky')<Tensor>(inverseII, true).contiguous();
    }),
  );
}

/** @param weightOI of any floating dtype on the CPU @param factorII of its inputs */
export function quantiseWithFeedback(weightOI: Tensor, factorII: Tensor, settings: Quantisation): QuantisedWeight {
  return noGrad(() =>
    scope(() => {
      const [O, I] = weightOI.shape as [number, number];
      const rows = Math.max(1, Math.floor(BLOCK_NUMBERS / I));
      const diagonal = op('aten::diagonal')<Tensor>(factorII, 0, 0, 1).toNumbers();
      const blocks = Array.from({ length: Math.ceil(O / rows) }, (_, b) =>
        scope(() => roundBlock(weightOI.slice(0, b * rows, Math.min(O, (b + 1) * rows)), factorII, diagonal, settings)),
      );
      const [codesOI, scalesOG, zerosOG] = [0, 1, 2].map((part) => cat(blocks.map((block) => block[part]!)));
      const codes = { codesOI: codesOI!, scalesOG: scalesOG!, zerosOG: settings.zeros ? zerosOG! : null };
      return packCodes(codes, settings);
    }),
  );
}

/** Codes uint8 [R, I], scales [R, G] as stored and zeros uint8 [R, G]. */
function roundBlock(
  weightRI: Tensor,
  factorII: Tensor,
  diagonal: Float64Array,
  settings: Quantisation,
): [codes: Tensor, scales: Tensor, zeros: Tensor] {
  // Input by input is row by row here.
  const leftIR = weightRI.to({ dtype: 'float64' }).transpose(0, 1).contiguous();
  const [I, R] = leftIR.shape as [number, number];
  const codesIR = empty([I, R], { dtype: 'uint8' });
  const grids: { scaleR: Tensor; zeroR: Tensor }[] = [];
  for (let from = 0; from < I; from += settings.group) {
    const end = Math.min(I, from + settings.group);
    grids.push(scope(() => roundGroup({ leftIR, codesIR, factorII, diagonal }, from, end, settings)));
  }
  return [
    codesIR.transpose(0, 1).contiguous(),
    stack(
      grids.map(({ scaleR }) => scaleR),
      1,
    ).to({ dtype: settings.scale }),
    stack(
      grids.map(({ zeroR }) => zeroR),
      1,
    ).to({ dtype: 'uint8' }),
  ];
}

interface Block {
  /** Weights, those of inputs to come with what was taken off so far. */
  leftIR: Tensor;
  codesIR: Tensor;
  factorII: Tensor;
  diagonal: Float64Array;
}

function roundGroup({ leftIR, codesIR, factorII, diagonal }: Block, from: number, end: number, settings: Quantisation) {
  const [I, R] = leftIR.shape as [number, number];
  const factorOfGroup = factorII.slice(0, from, end);
  const prices = Array.from(diagonal.subarray(from, end), (u) => 1 / u ** 2);
  const pricesN1 = tensor(prices, { shape: [end - from, 1], dtype: 'float64' });
  const grid = scope(() => groupGrid(leftIR.slice(0, from, end), pricesN1, settings));
  const errorsNR = empty([end - from, R], { dtype: 'float64' });
  for (let c = from; c < end; c++)
    scope(() => {
      const weightR = leftIR.select(0, c);
      const { codesNR, valuesNR } = rounded(weightR, grid, settings);
      codesIR.select(0, c).copy_(codesNR);
      const errorR = weightR.sub(valuesNR).div(diagonal[c]!);
      errorsNR.select(0, c - from).copy_(errorR);
      const laterN1 = factorII
        .select(0, c)
        .slice(0, c + 1, end)
        .unsqueeze(1);
      leftIR.slice(0, c + 1, end).add_(laterN1.mul(errorR), -1);
    });
  leftIR.slice(0, end, I).add_(factorOfGroup.slice(1, end, I).transpose(0, 1).matmul(errorsNR), -1);
  return grid;
}
