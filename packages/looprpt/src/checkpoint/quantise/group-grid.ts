/**
 * The whole numbers of a group: its scale and what stands for 0. Of a few ranges, the whole one and shrunken ones, the one is taken
 * whose roundings cost least; an error at an input costs its square times a price.
 *
 * Shapes: N inputs of the group, R rows of the matrix. All float64.
 */
import { full, op, type Quantisation, type Tensor, where, zeros } from '@looprpt/engine';

export interface Grid {
  /** [R], as it will be stored: a float16 or bfloat16 number; 0 where every weight of the group is. */
  scaleR: Tensor;
  /** [R], whole. */
  zeroR: Tensor;
}

/** @param pricesN1 [N, 1] */
export function groupGrid(weightsNR: Tensor, pricesN1: Tensor, settings: Quantisation): Grid {
  const R = weightsNR.size(1);
  let best = full([R], Number.POSITIVE_INFINITY, { dtype: 'float64' });
  let grid: Grid = {
    scaleR: zeros([R], { dtype: 'float64' }),
    zeroR: full([R], middle(settings), { dtype: 'float64' }),
  };
  for (const candidate of candidates(weightsNR, settings)) {
    const off = weightsNR.sub(rounded(weightsNR, candidate, settings).valuesNR);
    const costR = off.mul(off).mul(pricesN1).sum(0);
    const isBetter = costR.lt(best);
    const pick = (a: Tensor, b: Tensor): Tensor => where(isBetter, a, b);
    grid = { scaleR: pick(candidate.scaleR, grid.scaleR), zeroR: pick(candidate.zeroR, grid.zeroR) };
    best = pick(costR, best);
  }
  return grid;
}

/** The nearest codes, 0 to 2^bits − 1, and the numbers that they stand for; [R] or [N, R]. */
export function rounded(
  weights: Tensor,
  { scaleR, zeroR }: Grid,
  { bits }: Pick<Quantisation, 'bits'>,
): { codesNR: Tensor; valuesNR: Tensor } {
  const wholeNR = whole(weights.div(orOne(scaleR)));
  const codesNR = wholeNR.add(zeroR).clamp(0, 2 ** bits - 1);
  return { codesNR, valuesNR: codesNR.sub(zeroR).mul(scaleR) };
}

const whole = (x: Tensor): Tensor => op('aten::round')<Tensor>(x);

/** A group of scale 0 has weight 0 throughout, which is divided by anything. */
const orOne = (scaleR: Tensor): Tensor => where(scaleR.eq(0), full([1], 1, { dtype: 'float64' }), scaleR);

function middle({ bits }: Pick<Quantisation, 'bits'>): number {
  return 2 ** (bits - 1);
}

/** Parts of the whole range. Of 8 bits only the outermost numbers are rare enough to be cut. */
function shares(bits: 4 | 8): number[] {
  return bits === 8 ? [1, 0.97, 0.94] : Array.from({ length: 20 }, (_, i) => 1 - 0.025 * i);
}

function* candidates(weightsNR: Tensor, settings: Quantisation): Generator<Grid> {
  const { bits, zeros: withZeros, scale: dtype } = settings;
  const highest = 2 ** bits - 1;
  const stored = (x: Tensor): Tensor => x.to({ dtype }).to({ dtype: 'float64' });
  const leastR = op('aten::amin')<Tensor>(weightsNR, [0]).clamp(null, 0);
  const mostR = weightsNR.amax(0).clamp(0, null);
  if (withZeros) {
    for (const share of shares(bits)) {
      const scaleR = stored(mostR.sub(leastR).mul(share / highest));
      yield { scaleR, zeroR: whole(leastR.mul(-share).div(orOne(scaleR))).clamp(0, highest) };
    }
    return;
  }
  const reachR = mostR.maximum(leastR.neg());
  const one = full([1], 1, { dtype: 'float64' });
  // The side with one number more takes the longer end.
  const signR = where(mostR.gt(leastR.neg()), one.neg(), one);
  const zeroR = full([weightsNR.size(1)], middle(settings), { dtype: 'float64' });
  for (const share of shares(bits)) {
    yield { scaleR: stored(signR.mul(reachR).mul(share / middle(settings))), zeroR };
    yield { scaleR: stored(reachR.mul(share / (middle(settings) - 1))), zeroR };
  }
}
