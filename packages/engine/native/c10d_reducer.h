// Sums of gradients over a group, begun while backward still runs.
//
// Gradients go into flat buckets. When a parameter's gradient is final it is copied into its place there and dropped;
// when all of a bucket's are there its sum begins. Buckets begin in their own order on every rank, as collectives must.
// The gradient of a weight that a looped model shares between its loops is final only after backward has passed the
// first loop.
#pragma once

#include "c10d_group.h"

#include <torch/csrc/autograd/variable.h>

#include <utility>

namespace looprpt {

class Reducer : public std::enable_shared_from_this<Reducer> {
 public:
  static constexpr const char* kName = "gradient reducer";
  // Elements [from, from + place.numel()) of the flattened gradient go to `place`, a view into the bucket.
  struct Piece {
    int64_t from;
    at::Tensor place;
  };
  struct Parameter {
    at::Tensor tensor;
    size_t bucket;
    std::vector<Piece> pieces;
    bool begun = false;    // the bucket has gradients of this step, to which others are added
    bool ready = false;    // all of them are there
    bool present = false;  // whether there was any
  };
  struct Bucket {
    at::Tensor flat;
    at::Tensor shard;  // defined: a reduce-scatter into it; otherwise an all-reduce of the whole
    size_t missing = 0;
    size_t parameters = 0;
    std::shared_ptr<Pending> sum;
  };

  Reducer(std::shared_ptr<Group> group, std::vector<Bucket> buckets, std::vector<Parameter> parameters);
  // Hooks on the parameters: they hold on to the reducer until `dispose`.
  void attach();
  void dispose();
  // Moves the gradients that there are into the buckets; those that follow in this step are added to them there, in the
  // buckets' dtype.
  void collect();
  // The next backward's gradients are final.
  void arm();
  // After backward: what has no new gradient counts as the one it has, or zeros. All sums have begun when this returns.
  std::vector<std::shared_ptr<Pending>> finish();
  // By parameter, whether this rank had a gradient in the step that was finished.
  std::vector<bool> present() const;
  void gradientIsFinal(size_t parameter);

 private:
  static void collect(Parameter& parameter);
  void take(Parameter& parameter);
  void beginReady();

  const std::shared_ptr<Group> group_;
  std::vector<Bucket> buckets_;
  std::vector<Parameter> parameters_;
  // A shared_ptr in older versions of libtorch, an intrusive_ptr in 2.15.
  using Accumulator =
      decltype(torch::autograd::impl::grad_accumulator(std::declval<const torch::autograd::Variable&>()));
  std::vector<Accumulator> accumulators_;
  std::vector<uintptr_t> hooks_;
  std::mutex mutex_;
  size_t next_ = 0;
  bool armed_ = false;
};

}  // namespace looprpt
