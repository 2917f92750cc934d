/**
 * Tensors of which every rank holds a part (ZeRO-1): rank r's elements of the flattened whole, as layout.ts cuts it.
 *
 * What a rank computes on its parts is elementwise, so the parts together are what one process would have, element for element.
 */
import { empty, op, type ProcessGroup, scope, type Tensor } from '@looprpt/engine';
import { planBucket, shardOf } from './layout.js';

/** A flat view of this rank's elements; not a copy. The caller's scope owns the view. */
export function shardView(whole: Tensor, { rank, size }: { rank: number; size: number }): Tensor {
  const [from, to] = shardOf(whole.numel, rank, size);
  return whole.detach().view(-1).slice(0, from, to);
}

export interface Gathered {
  /** This rank's elements. */
  shard: Tensor;
  /** Filled with all ranks' elements; any shape. */
  whole: Tensor;
}

/** Fills the wholes from the shards of all ranks, in one all-gather. All of one dtype. */
export function gatherShards(group: ProcessGroup, tensors: readonly Gathered[]): void {
  if (tensors.length === 0) return;
  scope(() => {
    const { dtype, device } = tensors[0]!.shard;
    const { parameters, chunk, rows } = planBucket(
      tensors.map((_, i) => i),
      tensors.map(({ whole }) => whole.numel),
      group.size,
    );
    const own = empty([chunk], { dtype, device });
    const all = empty([rows * chunk], { dtype, device });
    for (const { index, column } of parameters) {
      const { shard } = tensors[index]!;
      own.slice(0, column, column + shard.numel).copy_(shard);
    }
    group.allGather(all, own).wait();
    for (const { index, pieces } of parameters) {
      const flat = tensors[index]!.whole.detach().view(-1);
      for (const { from, offset, shape, strides } of pieces) {
        const n = shape.reduce((product, size) => product * size, 1);
        flat
          .slice(0, from, from + n)
          .view(...shape)
          .copy_(op('aten::as_strided')(all, shape, strides, offset));
      }
    }
  });
}

/** The same in groups of at most so many bytes, which is what is allocated besides. */
export function gatherInTurns(group: ProcessGroup, tensors: readonly Gathered[], bytes: number): void {
  let turn: Gathered[] = [];
  let filled = 0;
  for (const tensor of tensors) {
    if (turn.length > 0 && filled + tensor.whole.nbytes > bytes) {
      gatherShards(group, turn);
      turn = [];
      filled = 0;
    }
    turn.push(tensor);
    filled += tensor.whole.nbytes;
  }
  gatherShards(group, turn);
}
