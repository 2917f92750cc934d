/** Equal weights on all ranks: given out by rank 0, and checked. */
import { noGrad, op, type ProcessGroup, scope } from '@looprpt/engine';
import type { NamedParameter } from '../../model/weights.js';

/** Every rank's parameters become rank 0's. */
export function shareWeights(group: ProcessGroup, parameters: readonly NamedParameter[]): void {
  for (const collective of parameters.map(({ tensor }) => group.broadcast(tensor))) collective.wait();
}

/**
 * A text by parameter that changes with any one of its bits: the sum of its words as 64-bit integers, in two halves.
 */
export function fingerprints(parameters: readonly NamedParameter[]): string[] {
  const wordOf = { 1: 'int8', 2: 'int16', 4: 'int32', 8: 'int64' } as const;
  return parameters.map(({ tensor }) =>
    scope(() =>
      noGrad(() => {
        const bytes = (tensor.nbytes / tensor.numel) as keyof typeof wordOf;
        const sum = op('aten::view.dtype')(tensor.detach().view(-1), wordOf[bytes]).to({ dtype: 'int64' }).sum();
        const high = op('aten::__rshift__.Scalar')(sum, 32).item();
        return `${high}:${op('aten::bitwise_and.Scalar')(sum, 2 ** 32 - 1).item()}`;
      }),
    ),
  );
}

/** @throws naming the ranks whose weights are not rank 0's, which is a fault of the program or of a machine */
export function assertSameWeights(group: ProcessGroup, parameters: readonly NamedParameter[]): void {
  const all = group.exchange(fingerprints(parameters));
  const [first] = all;
  const others = all.flatMap((prints, rank) => {
    const at = prints.findIndex((print, i) => print !== first![i]);
    return at < 0 ? [] : [`rank ${rank} (${parameters[at]!.name})`];
  });
  if (others.length > 0)
    throw new Error(`the weights of ${others.join(', ')} are not those of rank 0: the ranks have drifted apart`);
}
