/** Functions over several tensors that have no natural receiver. */
import { type Handle, native } from './native.js';
import { Tensor } from './tensor.js';

const id = (name: string, overload = ''): number => native.resolve(`aten::${name}`, overload);
const OP = {
  cat: id('cat'),
  stack: id('stack'),
  where: id('where', 'self'),
  linear: id('linear'),
  embedding: native.resolve('looprpt::embedding', ''),
  addcmul: id('addcmul'),
  bce: id('binary_cross_entropy_with_logits'),
} as const;

const handles = (tensors: readonly Tensor[]): Handle[] => tensors.map((tensor) => tensor.handle);

export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return new Tensor(native.call(OP.cat, handles(tensors), dim) as Handle);
}

export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return new Tensor(native.call(OP.stack, handles(tensors), dim) as Handle);
}

/** `yes` where the condition holds, else `no`; broadcast. */
export function where(condition: Tensor, yes: Tensor, no: Tensor): Tensor {
  return new Tensor(native.call(OP.where, condition.handle, yes.handle, no.handle) as Handle);
}

/** y = x·Wᵀ (+ b): x [..., in], weight [out, in], bias [out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return new Tensor(native.call(OP.linear, x.handle, weight.handle, bias?.handle) as Handle);
}

/**
 * Rows of `weight` [V, E] at int64 `ids` [...] → [..., E]. The gradients of equal ids are added up in float32 in half precision too,
 * where libtorch's own sum stands still at 256 equal contributions.
 */
export function embedding(weight: Tensor, ids: Tensor): Tensor {
  return new Tensor(native.call(OP.embedding, weight.handle, ids.handle) as Handle);
}

/** self + value·a·b */
export function addcmul(self: Tensor, a: Tensor, b: Tensor, value = 1): Tensor {
  return new Tensor(native.call(OP.addcmul, self.handle, a.handle, b.handle, value) as Handle);
}

/** Elementwise −[t log σ(x) + (1 − t) log(1 − σ(x))], not reduced. */
export function binaryCrossEntropyWithLogits(logits: Tensor, targets: Tensor): Tensor {
  return new Tensor(native.call(OP.bce, logits.handle, targets.handle, null, null, 0) as Handle);
}
