/**
 * Codes that were chosen outside of the engine, in the order in which its products read them (docs/reference/quantised-weights.md).
 *
 * Shapes: O outputs, I inputs, G groups of inputs.
 */
import { cat, type Quantisation, type QuantisedWeight, stack, type Tensor, zeros } from '@looprpt/engine';

/** Inputs of a block of 4-bit codes, in stretches of 32 that share bytes. */
const BLOCK = 128;
const STRETCH = 32;

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
  const codes = bits === 8 ? bytes(codesOI, zerosOG !== null) : nibbles(codesOI);
  return { codes, scales: scalesOG, zeros: zerosOG, bits, group };
}

function bytes(codesOI: Tensor, isUnsigned: boolean): Tensor {
  return isUnsigned ? codesOI : codesOI.to({ dtype: 'int16' }).sub(128).to({ dtype: 'int8' });
}

function nibbles(codesOI: Tensor): Tensor {
  const [O, I] = codesOI.shape as [number, number];
  const blocks = Math.ceil(I / BLOCK);
  const padding = zeros([O, blocks * BLOCK - I], { dtype: 'uint8' });
  const stretches = cat([codesOI, padding], 1).view(O, blocks, BLOCK / STRETCH, STRETCH);
  const at = (j: number): Tensor => stretches.slice(2, j, j + 1).squeeze(2);
  const low = at(0).add(at(1).mul(16));
  const high = at(2).add(at(3).mul(16));
  return stack([low, high], -1).view(O, (blocks * BLOCK) / 2);
}
