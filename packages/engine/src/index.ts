/** libtorch for Node: tensors, autograd, every ATen operator, and memory with owners. */
export { backward, grad } from './autograd.js';
export { arange, empty, full, type Nested, type Options, ones, randn, tensor, zeros } from './create.js';
export { Collective, PeerError } from './distributed/collective.js';
export {
  type Backend,
  distributedBackends,
  type JoinOptions,
  ProcessGroup,
  type Reduction,
} from './distributed/group.js';
export { type Bucket, GradientReducer, type Piece, type ReducedParameter } from './distributed/reducer.js';
export { tcpBytesSent } from './distributed/traffic.js';
export { type DType, elementBytes, isFloating, type TypedArray } from './dtype.js';
export { MappedFile, mapFile, removeOnFault } from './files.js';
export { allFinite, firstNonFinite } from './finite.js';
export { foreachAdd_, foreachAddcmul_, foreachMul_ } from './foreach.js';
export { addcmul, binaryCrossEntropyWithLogits, cat, embedding, linear, stack, where } from './functions.js';
export {
  type AdamWStep,
  type AngleTables,
  type AttentionHeads,
  fusable,
  fusedAdamW_,
  fusedAttends,
  fusedAttention,
  fusedLinear,
  fusedNextTokenEntropy,
  fusedQueryAttention,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSplitRotate,
  fusedSupports,
  fusedSwiglu,
  fusedTargetLogProb,
  gemmProvider,
} from './fused.js';
export {
  fusedPagedAttention,
  fusedReadTokens,
  fusedRowLinear,
  type PackedWeight,
  type PagedRows,
  packRows,
  type WantedToken,
} from './fused-decode.js';
export { gatherRows, putRows } from './gather-rows.js';
export { Generator } from './generator.js';
export { enableGrad, inference, isGradEnabled, noGrad } from './grad-mode.js';
export { hasLargePages, LargePages } from './large-pages.js';
export { claimedBytes, liveTensors, scope } from './memory.js';
export { type EngineBuild, engineBuild } from './native.js';
export { type Argument, hasOperator, op, operatorNames, schema } from './operator.js';
export { copySlots, type PagedMemory, pagedMemory } from './paged-memory.js';
export { type NativeEntry, type OperatorTime, profile, watchNative } from './profile.js';
export { cut, recompute } from './recompute.js';
export {
  cudaDevices,
  type DeviceMemory,
  deviceMemory,
  getThreads,
  libtorchConfiguration,
  libtorchVersion,
  setThreads,
  synchronize,
} from './runtime.js';
export {
  bfloatProduct,
  dequantise,
  type Quantisation,
  type QuantisedWeight,
  quantise,
  quantisedProduct,
} from './stored-product.js';
export { Tensor } from './tensor.js';
