// The LM head's read-outs in bfloat16 on the CPU.
#pragma once

#include "elements.h"
#include "operator.h"

namespace looprpt {
namespace half {

inline bool readsOut(const Tensor& hidden, const Tensor& weight) {
  return hidden.is_cpu() && weight.is_cpu() && hidden.scalar_type() == at::kBFloat16 &&
         weight.scalar_type() == at::kBFloat16 && hidden.dim() == 2 && weight.dim() == 2;
}

Tensor targetLogProb(const Tensor& hidden, const Tensor& weight, const Tensor& targets);
Tensor nextTokenEntropy(const Tensor& hidden, const Tensor& weight);

}  // namespace half
}  // namespace looprpt
