#ifdef USE_C10D_GLOO
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "c10d_reducer.h"

#include <ATen/core/grad_mode.h>

namespace looprpt {

Reducer::Reducer(std::shared_ptr<Group> group, std::vector<Bucket> buckets, std::vector<Parameter> parameters)
    : group_(std::move(group)), buckets_(std::move(buckets)), parameters_(std::move(parameters)) {
  for (const Parameter& parameter : parameters_) ++buckets_.at(parameter.bucket).parameters;
}

// A leaf knows its accumulator only weakly: whoever hooks it keeps it.
void Reducer::attach() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    auto accumulator = torch::autograd::impl::grad_accumulator(parameters_[i].tensor);
    TORCH_CHECK(accumulator, "only leaves that require gradients can be reduced: ", summaryOf(parameters_[i].tensor));
    const std::weak_ptr<Reducer> weak = shared_from_this();
    using Gradients = torch::autograd::variable_list;
    auto hook =
        std::make_unique<torch::autograd::utils::LambdaPostHook>([weak, i](const Gradients& outputs, const Gradients&) {
          if (const auto self = weak.lock()) self->gradientIsFinal(i);
          return outputs;
        });
    hooks_.push_back(accumulator->add_post_hook(std::move(hook)));
    accumulators_.push_back(std::move(accumulator));
  }
}

void Reducer::dispose() {
  for (size_t i = 0; i < accumulators_.size(); ++i) accumulators_[i]->del_post_hook(hooks_[i]);
  accumulators_.clear();
  hooks_.clear();
}

void Reducer::arm() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Bucket& bucket : buckets_) {
    bucket.missing = bucket.parameters;
    bucket.sum.reset();
  }
  for (Parameter& parameter : parameters_) parameter.ready = false;
  next_ = 0;
  armed_ = true;
}

void Reducer::gradientIsFinal(size_t parameter) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!armed_) return;
  take(parameters_[parameter]);
  beginReady();
}

void Reducer::collect() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Parameter& parameter : parameters_) collect(parameter);
}

void Reducer::collect(Parameter& parameter) {
  const c10::NoGradGuard noGrad;
  at::Tensor& gradient = parameter.tensor.mutable_grad();
  if (!gradient.defined()) return;
  const at::Tensor flat = gradient.reshape(-1);
  for (const Piece& piece : parameter.pieces) {
    at::Tensor place = piece.place;
    const at::Tensor part = flat.narrow(0, piece.from, place.numel()).view(place.sizes());
    if (parameter.begun) {
      place.add_(part);
    } else {
      place.copy_(part);
    }
  }
  gradient.reset();
  parameter.begun = true;
}

void Reducer::take(Parameter& parameter) {
  if (parameter.ready) return;
  collect(parameter);
  if (!parameter.begun)
    for (const Piece& piece : parameter.pieces) at::Tensor(piece.place).zero_();
  parameter.present = parameter.begun;
  parameter.begun = false;
  parameter.ready = true;
  --buckets_[parameter.bucket].missing;
}

void Reducer::beginReady() {
  for (; next_ < buckets_.size() && buckets_[next_].missing == 0; ++next_) {
    Bucket& bucket = buckets_[next_];
    bucket.sum = bucket.shard.defined() ? group_->reduceScatter(bucket.shard, bucket.flat)
                                        : group_->allReduce(bucket.flat, c10d::ReduceOp::SUM);
  }
}

std::vector<bool> Reducer::present() const {
  std::vector<bool> present;
  for (const Parameter& parameter : parameters_) present.push_back(parameter.present);
  return present;
}

std::vector<std::shared_ptr<Pending>> Reducer::finish() {
  const std::lock_guard<std::mutex> lock(mutex_);
  TORCH_CHECK(armed_, "the reducer was not armed");
  for (Parameter& parameter : parameters_) take(parameter);
  beginReady();
  armed_ = false;
  std::vector<std::shared_ptr<Pending>> sums;
  for (Bucket& bucket : buckets_) sums.push_back(std::move(bucket.sum));
  return sums;
}

}  // namespace looprpt
#endif
