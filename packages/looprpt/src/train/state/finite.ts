/** Whether numbers are fit to be kept: a checkpoint with NaN or infinity in it can never be trained on from. */
import { noGrad, op, scope, stack, type Tensor } from '@looprpt/engine';

/** The name of the first tensor that holds NaN or infinity; null if all are finite. One pass over each, one look at the result. */
export function firstNotFinite(tensors: Iterable<readonly [name: string, tensor: Tensor]>): string | null {
  return scope(() =>
    noGrad(() => {
      const named = [...tensors].filter(([, { shape }]) => !shape.includes(0));
      if (named.length === 0) return null;
      const extremes = named.flatMap(([, tensor]) => extremesOf(tensor));
      const values = stack(extremes).viewTyped() as Float64Array;
      const at = values.findIndex((value) => !Number.isFinite(value));
      return at < 0 ? null : named[Math.floor(at / 2)]![0];
    }),
  );
}

/** Smallest and largest: NaN comes through in both, infinity in one of them. No copy is made, but of float16 on the CPU. */
function extremesOf(tensor: Tensor): Tensor[] {
  return scope(() => {
    const plain = tensor.dtype === 'float16' ? tensor.detach().to({ dtype: 'float32' }) : tensor.detach();
    return op('aten::aminmax')<[Tensor, Tensor]>(plain).map((extreme) =>
      extreme.to({ dtype: 'float64', device: 'cpu' }),
    );
  });
}
