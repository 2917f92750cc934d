// Autograd: gradients on leaves (backward), gradients as values (grad), and the modes that record none.
#include "addon.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

namespace looprpt {

// backward(tensors, gradients (same length, 0 for none; or empty), retainGraph, createGraph)
static napi_value backward(const Call& call) {
  const auto roots = call.tensors(0);
  const auto gradients = call.tensors(1);
  const FlushDenormals flush;
  torch::autograd::backward(roots, gradients, call.boolean(2), call.boolean(3));
  return call.undefined();
}

// grad(outputs, inputs, gradients, retainGraph, createGraph, allowUnused) -> gradients, null where unused
static napi_value grad(const Call& call) {
  const auto outputs = call.tensors(0);
  const auto inputs = call.tensors(1);
  const auto gradients = call.tensors(2);
  const FlushDenormals flush;
  return call.fromTensors(
      torch::autograd::grad(outputs, inputs, gradients, call.boolean(3), call.boolean(4), call.boolean(5)));
}

static napi_value setGradEnabled(const Call& call) {
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(call.boolean(0));
  return call.fromBool(before);
}

static napi_value isGradEnabled(const Call& call) { return call.fromBool(c10::GradMode::is_enabled()); }

static napi_value enterInference(const Call& call) {
  call.addon.inferenceModes.push_back(std::make_unique<c10::InferenceMode>());
  return call.undefined();
}

static napi_value leaveInference(const Call& call) {
  TORCH_CHECK(!call.addon.inferenceModes.empty(), "no inference mode to leave");
  call.addon.inferenceModes.pop_back();
  return call.undefined();
}

static napi_value requiresGrad(const Call& call) { return call.fromBool(call.tensor(0).requires_grad()); }

static napi_value setRequiresGrad(const Call& call) {
  call.tensor(0).set_requires_grad(call.boolean(1));
  return call.undefined();
}

static napi_value isLeaf(const Call& call) { return call.fromBool(call.tensor(0).is_leaf()); }

// gradientOf(leaf) -> its accumulated gradient or null
static napi_value gradientOf(const Call& call) { return call.fromTensor(call.tensor(0).grad()); }

// setGradient(leaf, tensor or 0)
static napi_value setGradient(const Call& call) {
  const int32_t handle = call.int32(1);
  at::Tensor& leaf = call.tensor(0);
  const at::Tensor gradient = handle == 0 ? at::Tensor() : call.addon.tensors.at(handle);
  TORCH_CHECK(
      !gradient.defined() || (gradient.sizes() == leaf.sizes() && gradient.options().type_equal(leaf.options())),
      "a gradient must have the shape, dtype and device of its tensor: ", summaryOf(leaf), ", not ",
      summaryOf(gradient));
  leaf.mutable_grad() = gradient;
  return call.undefined();
}

void registerAutograd(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "backward", entry<backward>);
  registerFunction(env, exports, addon, "grad", entry<grad>);
  registerFunction(env, exports, addon, "setGradEnabled", entry<setGradEnabled>);
  registerFunction(env, exports, addon, "isGradEnabled", entry<isGradEnabled>);
  registerFunction(env, exports, addon, "enterInference", entry<enterInference>);
  registerFunction(env, exports, addon, "leaveInference", entry<leaveInference>);
  registerFunction(env, exports, addon, "requiresGrad", entry<requiresGrad>);
  registerFunction(env, exports, addon, "setRequiresGrad", entry<setRequiresGrad>);
  registerFunction(env, exports, addon, "isLeaf", entry<isLeaf>);
  registerFunction(env, exports, addon, "gradientOf", entry<gradientOf>);
  registerFunction(env, exports, addon, "setGradient", entry<setGradient>);
}

}  // namespace looprpt
