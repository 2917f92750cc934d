/**
 * Codes that were chosen outside of the engine, in the order in which its products read them (docs/reference/quantised-weights.md).
 *
 * Shapes: O outputs, I inputs, G groups of inputs.
 */
import { cat, type Quantisation, type QuantisedWeight, type Tensor, zeros } from '@looprpt/engine';

/** Places of a block of 4-bit codes: the first half are the lower halves of its bytes, the others the upper ones. */
const BLOCK = 128;
const STRETCH = 512;
/** Of a sum of bytes, each of four inputs. */
const LANES = 16;
const TOGETHER = 4;

export interface Codes {
  /** uint8 [O, I], 0 to 2^bits − 1. */
  codesOI: Tensor;
  /** [O, G], of the dtype in which they are stored. */
  scalesOG: Tensor;
  /** uint8 [O, G], or null where 2^(bits − 1) stands for 0. */
  zerosOG: Tensor | null;
}

/** What `quantise` of the engine would give, were these its codes. */
export function packCodes({ codesOI, scalesOG, zerosOG }: Codes, { bits, group }: Quantisation): QuantisedWeight {
  const placedOI = inPlaces(codesOI);
  const codes = bits === 8 ? bytes(placedOI, zerosOG !== null) : nibbles(placedOI);
  return { codes, scales: scalesOG, zeros: zerosOG, bits, group };
}

/**
 * Inputs in the order in which they are multiplied: of each whole stretch of 512 four of its first 32, then four of the next 32, and so
 * on; what is left of a row in its own order.
 */
function inPlaces(codesOI: Tensor): Tensor {
  const [O, I] = codesOI.shape as [number, number];
  const whole = I - (I % STRETCH);
  const stretches = codesOI.slice(1, 0, whole).reshape(O, whole / STRETCH, LANES, STRETCH / LANES / TOGETHER, TOGETHER);
  return cat([stretches.transpose(2, 3).reshape(O, whole), codesOI.slice(1, whole, I)], 1);
}

function bytes(codesOI: Tensor, isUnsigned: boolean): Tensor {
  return isUnsigned ? codesOI : codesOI.to({ dtype: 'int16' }).sub(128).to({ dtype: 'int8' });
}

function nibbles(codesOI: Tensor): Tensor {
  const [O, I] = codesOI.shape as [number, number];
  const blocks = Math.ceil(I / BLOCK);
  const padding = zeros([O, blocks * BLOCK - I], { dtype: 'uint8' });
  const halves = cat([codesOI, padding], 1).view(O, blocks, 2, BLOCK / 2);
  const at = (half: number): Tensor => halves.slice(2, half, half + 1).squeeze(2);
  return at(0)
    .add(at(1).mul(16))
    .view(O, (blocks * BLOCK) / 2);
}
