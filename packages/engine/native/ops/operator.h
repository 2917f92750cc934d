// What every fused operator is written with: tensors, a Function with its own backward, registration, parallel loops;
// and what all their backward passes share: saved tensors under names, and the refusal of second derivatives.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>

namespace looprpt {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Saved tensors of an operator are a struct whose `fields()` ties them once; that one order serves both directions:
//
//   struct Saved {
//     Tensor x, weight;
//     auto fields() { return std::tie(x, weight); }
//   };
template <typename Saved>
void save(AutogradContext* ctx, Saved saved) {
  std::apply([&](const auto&... field) { ctx->save_for_backward({field...}); }, saved.fields());
}

template <typename Saved>
Saved savedIn(const AutogradContext* ctx) {
  const variable_list list = ctx->get_saved_variables();
  Saved saved;
  size_t i = 0;
  std::apply([&](auto&... field) { ((field = list.at(i++)), ...); }, saved.fields());
  return saved;
}

// First line of every backward pass. libtorch records a backward pass exactly when it was asked to create its graph;
// ours are not made of operators that it could record, so their second derivatives would be missing in silence.
inline void refuseSecondDerivative(const char* name) {
  TORCH_CHECK(
      !at::GradMode::is_enabled(), "looprpt::", name,
      " has no second derivative: take this gradient without createGraph, or compute it with libtorch's own operators");
}

}  // namespace looprpt
