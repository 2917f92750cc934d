// The LM head's read-outs on any device and in any floating dtype (lean.h). Rows go through the head in chunks; logits
// are made again in the backward pass, so that those of all rows never exist at once. Softmaxes are float32 (float64
// for float64).
#include "lean.h"

namespace looprpt {
namespace lean {
namespace {

// Logits of a chunk: large enough there to fill a device, small enough here to stay in a cache.
int64_t chunkElements(const Tensor& like) { return like.is_cpu() ? int64_t{4} << 20 : int64_t{128} << 20; }

int64_t rowsPerChunk(const Tensor& hidden, const Tensor& weight) {
  return std::max<int64_t>(64, chunkElements(hidden) / weight.size(0));
}

at::ScalarType wide(const Tensor& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

struct Saved {
  Tensor hidden, weight, targets, logSum;
  auto fields() { return std::tie(hidden, weight, targets, logSum); }
};

struct TargetLogProb : Function<TargetLogProb> {
  static Variable forward(AutogradContext* ctx, const Variable& hidden, const Variable& weight,
                          const Variable& targets) {
    const int64_t N = hidden.size(0), chunk = rowsPerChunk(hidden, weight);
    const auto options = hidden.options().dtype(wide(hidden));
    const Tensor logProb = at::empty({N}, options), logSum = at::empty({N}, options);
    for (int64_t from = 0; from < N; from += chunk) {
      const int64_t n = std::min(chunk, N - from);
      const Tensor logits = at::linear(hidden.narrow(0, from, n), weight).to(wide(hidden));
      const Tensor sums = logits.logsumexp(-1);
      logSum.narrow(0, from, n).copy_(sums);
      logProb.narrow(0, from, n).copy_(logits.gather(1, targets.narrow(0, from, n).unsqueeze(1)).squeeze(1).sub_(sums));
    }
    save(ctx, Saved{hidden, weight, targets, logSum});
    return logProb;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("target_log_prob");
    const auto [hidden, weight, targets, logSum] = savedIn<Saved>(ctx);
    const int64_t N = hidden.size(0), chunk = rowsPerChunk(hidden, weight);
    const Tensor g = gradients[0].unsqueeze(1);
    const bool wantHidden = ctx->needs_input_grad(0), wantWeight = ctx->needs_input_grad(1);
    const Tensor dHidden = wantHidden ? at::empty_like(hidden) : Tensor();
    Tensor dWeight;
    for (int64_t from = 0; from < N; from += chunk) {
      const int64_t n = std::min(chunk, N - from);
      const Tensor rows = hidden.narrow(0, from, n), gRows = g.narrow(0, from, n);
      // g (onehot(target) − p)
      Tensor d = at::linear(rows, weight).to(wide(hidden)).sub_(logSum.narrow(0, from, n).unsqueeze(1)).exp_();
      d.mul_(gRows.neg()).scatter_add_(1, targets.narrow(0, from, n).unsqueeze(1), gRows);
      d = d.to(hidden.scalar_type());
      if (wantHidden) {
        Tensor into = dHidden.narrow(0, from, n);
        at::mm_out(into, d, weight);
      }
      if (!wantWeight) continue;
      const Tensor product = at::mm(d.t(), rows);
      // Several chunks are added up in float32; one is not worth the memory.
      if (!dWeight.defined())
        dWeight = N > chunk ? product.to(wide(hidden)) : product;
      else
        dWeight.add_(product);
    }
    if (dWeight.defined()) dWeight = dWeight.to(weight.scalar_type());
    return {dHidden, dWeight, Variable()};
  }
};

}  // namespace

Tensor targetLogProb(const Tensor& hidden, const Tensor& weight, const Tensor& targets) {
  return TargetLogProb::apply(hidden.contiguous(), weight.contiguous(), targets);
}

Tensor nextTokenEntropy(const Tensor& hidden, const Tensor& weight) {
  const at::NoGradGuard guard;
  const int64_t N = hidden.size(0), chunk = rowsPerChunk(hidden, weight);
  const Tensor entropy = at::empty({N}, hidden.options().dtype(wide(hidden)));
  for (int64_t from = 0; from < N; from += chunk) {
    const int64_t n = std::min(chunk, N - from);
    const Tensor logProbs = at::linear(hidden.narrow(0, from, n), weight).to(wide(hidden)).log_softmax(-1);
    entropy.narrow(0, from, n).copy_(logProbs.exp().mul_(logProbs).sum(-1).neg_());
  }
  return entropy;
}

}  // namespace lean
}  // namespace looprpt
