// The fused operators for tensors that the CPU's float32 kernels do not take: other dtypes, other devices. Made of
// libtorch's own operators, with gradients that keep little and read each tensor as seldom as those allow.
#pragma once

#include "operator.h"

namespace looprpt {

// Whether the kernels of this folder take a tensor; else its operators go through `lean`.
inline bool hasKernels(const Tensor& t) { return t.is_cpu() && t.scalar_type() == at::kFloat; }

namespace lean {

Tensor rmsNorm(const Tensor& x, const Tensor& weight, double eps);
std::tuple<Tensor, Tensor> residualNorm(const Tensor& branch, const Tensor& residual, const Tensor& branchWeight,
                                        const Tensor& nextWeight, double eps);
Tensor swiglu(const Tensor& joined);
Tensor targetLogProb(const Tensor& hidden, const Tensor& weight, const Tensor& targets);
Tensor nextTokenEntropy(const Tensor& hidden, const Tensor& weight);

}  // namespace lean
}  // namespace looprpt
