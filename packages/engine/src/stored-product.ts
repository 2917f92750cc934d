/**
 * Products with weights as a checkpoint stores them: bfloat16 rows, or whole numbers with a scale for each group of inputs.
 *
 * x is float32 on the CPU. Where a product begins it is rounded: for bfloat16 to bfloat16, for whole numbers to 8 bits, 127 shares of
 * the largest of each 32 inputs to either side. A row's result has the same bits whatever other rows it is computed with. There are no
 * gradients. Weights lie row by row along the input, so a mapped file is read where it lies.
 *
 * Shapes: N rows, I inputs, O outputs of all pieces together.
 */
import { empty } from './create.js';
import { type Handle, native } from './native.js';
import { Tensor } from './tensor.js';

const BFLOAT_PRODUCT = native.resolve('looprpt::bfloat_product', '');
const QUANTISE = native.resolve('looprpt::quantise', '');
const DEQUANTISE = native.resolve('looprpt::dequantise', '');
const QUANTISED_PRODUCT = native.resolve('looprpt::quantised_product', '');

/** x [N, I] by the rows of bfloat16 pieces [O_i, I], one below the other → [N, O]. */
export function bfloatProduct(x: Tensor, pieces: readonly Tensor[]): Tensor {
  return new Tensor(native.call(BFLOAT_PRODUCT, x.handle, handles(pieces)) as Handle);
}

/** How weights are made whole numbers. */
export interface Quantisation {
  bits: 4 | 8;
  /** Inputs that share a scale. */
  group: 32 | 64 | 128;
  /** A zero point for each group; without them codes are symmetric about 0. */
  zeros: boolean;
  scale: 'float16' | 'bfloat16';
}

/** weight = scale · (code − zero); native/ops/quantised.h has the order of the codes. */
export interface QuantisedWeight {
  /** int8, or uint8 where there are zeros or 4 bits. */
  codes: Tensor;
  /** [O, groups] */
  scales: Tensor;
  /** uint8 [O, groups], or null. */
  zeros: Tensor | null;
  bits: 4 | 8;
  group: 32 | 64 | 128;
}

/** @param weight [O, I] of any floating dtype on the CPU */
export function quantise(weight: Tensor, { bits, group, zeros, scale }: Quantisation): QuantisedWeight {
  const [codes, scales, points] = native.call(
    QUANTISE,
    weight.handle,
    bits,
    group,
    zeros,
    scale === 'float16',
  ) as Handle[];
  const pointsTensor = new Tensor(points!);
  const made = { codes: new Tensor(codes!), scales: new Tensor(scales!), bits, group };
  if (zeros) return { ...made, zeros: pointsTensor };
  pointsTensor.dispose();
  return { ...made, zeros: null };
}

/** The numbers that the codes stand for, float32 [O, I]. */
export function dequantise({ codes, scales, zeros, bits, group }: QuantisedWeight, inputs: number): Tensor {
  const none = zeros ?? empty([0], { dtype: 'uint8' });
  try {
    return new Tensor(native.call(DEQUANTISE, codes.handle, scales.handle, none.handle, bits, group, inputs) as Handle);
  } finally {
    if (zeros === null) none.dispose();
  }
}

/** x [N, I] by the rows of pieces of one kind, one below the other → [N, O]. */
export function quantisedProduct(x: Tensor, pieces: readonly QuantisedWeight[]): Tensor {
  const [{ bits, group, zeros: first }] = pieces as [QuantisedWeight];
  const zeros = first === null ? [] : pieces.map(({ zeros }) => zeros!);
  return new Tensor(
    native.call(
      QUANTISED_PRODUCT,
      x.handle,
      handles(pieces.map(({ codes }) => codes)),
      handles(pieces.map(({ scales }) => scales)),
      handles(zeros),
      bits,
      group,
    ) as Handle,
  );
}

function handles(tensors: readonly Tensor[]): Handle[] {
  return tensors.map(({ handle }) => handle);
}
