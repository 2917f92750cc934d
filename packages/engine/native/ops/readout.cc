// The LM head where only a few numbers per row are wanted, without keeping log-probabilities of the whole vocabulary.
//
//   target_log_prob(hidden [N, E], weight [V, E], targets [N]) -> [N]: log softmax(W h)[target], with gradients
//   next_token_entropy(hidden [N, E], weight [V, E]) -> [N]: nats, no gradient
//
// Rows go through the head in chunks. For the backward pass what the rows' probabilities are made of is kept where it is small, else
// the chunk's product is done again. Here: float32 on the CPU; anything else goes through lean.h.
//
// With e = exp(logits − max), s the sum of a row of e and g the gradient of its log-probability, d(logits) = g (onehot − e / s). That
// matrix is never made: the factor −g / s of a row goes onto the rows of H in d(W) = eᵀ (−g/s · H) and onto those of the result in
// d(H) = −g/s · (e W), and the one-hot part adds a row to each. So after the exponentials nothing walks over N·V numbers but products.
#include <cmath>

#include "gemm.h"
#include "lean.h"
#include "operator.h"
#include "simd.h"

namespace looprpt {
namespace {

using simd::Vec;

constexpr int64_t kChunkElements = 4 << 20;   // logits of a chunk, but at least kChunkRows rows
constexpr int64_t kChunkRows = 256;            // fewer make the products with the vocabulary slow
constexpr int64_t kKeptElements = 128 << 20;  // exponentials kept for the backward pass, half a GiB

void check(const Tensor& hidden, const Tensor& weight) {
  TORCH_CHECK(hidden.is_cpu() && hidden.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat && hidden.dim() == 2 &&
                  weight.dim() == 2 && hidden.size(1) == weight.size(1),
              "float32 tensors [N, E] and [V, E] on the CPU are needed");
}

int64_t rowsPerChunk(int64_t V) { return std::max(kChunkRows, kChunkElements / V); }

struct RowSums {
  float most, total;
};

// Turns a row of logits into e^(logit − max); the largest logit and the sum of the row.
RowSums exponentiateRow(float* row, int64_t V) {
  float most = row[0];
  int64_t j = 0;
  if (V >= simd::kLanes) {
    Vec largest = simd::load(row);
    for (; j + simd::kLanes <= V; j += simd::kLanes) {
      const Vec v = simd::load(row + j);
      largest = simd::select(v > largest, v, largest);
    }
    most = simd::max(largest);
  }
  for (; j < V; ++j) most = std::max(most, row[j]);
  Vec sums{};
  float total = 0;
  for (j = 0; j + simd::kLanes <= V; j += simd::kLanes) {
    const Vec e = simd::exp(simd::load(row + j) - most);
    simd::store(row + j, e);
    sums += e;
  }
  for (; j < V; ++j) total += row[j] = std::exp(row[j] - most);
  return {most, total + simd::sum(sums)};
}

// logits [n, V] become e^(logit − max of the row); logProb[i] = log p(target i), scale[i] = 1 / sum of row i
void exponentiateRows(float* logits, int64_t n, int64_t V, const int64_t* targets, float* logProb, float* scale) {
  at::parallel_for(0, n, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = logits + i * V;
      const float chosen = row[targets[i]];
      const RowSums sums = exponentiateRow(row, V);
      logProb[i] = chosen - sums.most - std::log(sums.total);
      scale[i] = 1.0f / sums.total;
    }
  });
}

// to[i] = factor[i]·from[i] for rows of E
void scaleRows(const float* from, const float* factor, int64_t n, int64_t E, float* to) {
  at::parallel_for(0, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < E; ++j) to[i * E + j] = factor[i] * from[i * E + j];
  });
}

// to += factor·from
void addRow(const float* from, float factor, int64_t E, float* to) {
  for (int64_t j = 0; j < E; ++j) to[j] += factor * from[j];
}

// logits [n, V] of rows from..from + n
void headLogits(const Tensor& hidden, const Tensor& weight, int64_t from, int64_t n, const Tensor& logits) {
  const int64_t E = hidden.size(1);
  gemm(false, true, n, weight.size(0), E, hidden.data_ptr<float>() + from * E, weight.data_ptr<float>(), logits.data_ptr<float>(),
       false);
}

struct TargetLogProb : Function<TargetLogProb> {
  static Variable forward(AutogradContext* ctx, const Variable& hidden, const Variable& weight, const Variable& targets,
                          bool differentiable) {
    check(hidden, weight);
    TORCH_CHECK(targets.scalar_type() == at::kLong && targets.is_contiguous() && targets.numel() == hidden.size(0),
                "targets must be int64 [N]");
    const int64_t N = hidden.size(0), V = weight.size(0), chunk = rowsPerChunk(V);
    const int64_t* chosen = targets.data_ptr<int64_t>();
    for (int64_t i = 0; i < N; ++i) TORCH_CHECK(chosen[i] >= 0 && chosen[i] < V, "target ", chosen[i], " lies outside the vocabulary of ", V);
    const bool keep = differentiable && N * V <= kKeptElements;
    Tensor logProb = at::empty({N}, hidden.options()), scale = at::empty({N}, hidden.options());
    Tensor kept = at::empty({keep ? N : 0, V}, hidden.options());
    for (int64_t from = 0; from < N; from += chunk) {
      const int64_t n = std::min(chunk, N - from);
      Tensor logits = keep ? kept.narrow(0, from, n) : at::empty({n, V}, hidden.options());
      headLogits(hidden, weight, from, n, logits);
      exponentiateRows(logits.data_ptr<float>(), n, V, chosen + from, logProb.data_ptr<float>() + from,
                       scale.data_ptr<float>() + from);
    }
    ctx->save_for_backward({hidden, weight, targets, kept, scale});
    return logProb;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &hidden = saved[0], &weight = saved[1], &kept = saved[3], &scale = saved[4];
    const int64_t N = hidden.size(0), V = weight.size(0), E = hidden.size(1);
    const bool isKept = kept.size(0) == N;
    const int64_t chunk = isKept ? std::max<int64_t>(1, N) : rowsPerChunk(V);
    const int64_t* targets = saved[2].data_ptr<int64_t>();
    const Tensor g = gradients[0].contiguous(), factor = g.mul(scale).neg_();
    const bool wantHidden = ctx->needs_input_grad(0), wantWeight = ctx->needs_input_grad(1);
    const Tensor scaledHidden = wantWeight ? at::empty_like(hidden) : Tensor();
    if (wantWeight)
      scaleRows(hidden.data_ptr<float>(), factor.data_ptr<float>(), N, E, scaledHidden.data_ptr<float>());
    Tensor dHidden = wantHidden ? at::empty_like(hidden) : Tensor();
    Tensor dWeight = wantWeight ? (N > 0 ? at::empty_like(weight) : at::zeros_like(weight)) : Tensor();
    for (int64_t from = 0; from < N; from += chunk) {
      const int64_t n = std::min(chunk, N - from);
      const Tensor e = isKept ? kept : at::empty({n, V}, hidden.options());
      if (!isKept) {
        headLogits(hidden, weight, from, n, e);
        Tensor ignored = at::empty({2, n}, hidden.options());
        exponentiateRows(e.data_ptr<float>(), n, V, targets + from, ignored.data_ptr<float>(), ignored.data_ptr<float>() + n);
      }
      const float* d = e.data_ptr<float>();
      if (wantHidden) gemm(false, false, n, E, V, d, weight.data_ptr<float>(), dHidden.data_ptr<float>() + from * E, false);
      if (wantWeight)
        gemm(true, false, V, E, n, d, scaledHidden.data_ptr<float>() + from * E, dWeight.data_ptr<float>(), from > 0);
    }
    const float *byRow = g.data_ptr<float>(), *h = hidden.data_ptr<float>(), *w = weight.data_ptr<float>();
    if (wantHidden) {
      float* to = dHidden.data_ptr<float>();
      scaleRows(to, factor.data_ptr<float>(), N, E, to);
      for (int64_t i = 0; i < N; ++i) addRow(w + targets[i] * E, byRow[i], E, to + i * E);
    }
    // One after the other: rows may have the same target.
    if (wantWeight)
      for (int64_t i = 0; i < N; ++i) addRow(h + i * E, byRow[i], E, dWeight.data_ptr<float>() + targets[i] * E);
    return {dHidden, dWeight, Variable(), Variable()};
  }
};

Tensor targetLogProb(const Tensor& hidden, const Tensor& weight, const Tensor& targets) {
  if (!hasKernels(hidden)) return lean::targetLogProb(hidden, weight, targets);
  const bool differentiable = at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  return TargetLogProb::apply(hidden.contiguous(), weight.contiguous(), targets, differentiable);
}

// H = log Σ e^(l − m) − Σ p (l − m), from e = e^(l − m): p (l − m) = e log(e) / total
Tensor nextTokenEntropy(const Tensor& hidden, const Tensor& weight) {
  if (!hasKernels(hidden)) return lean::nextTokenEntropy(hidden, weight);
  const at::NoGradGuard guard;
  check(hidden, weight);
  const Tensor rows = hidden.contiguous();
  const int64_t N = rows.size(0), V = weight.size(0), chunk = rowsPerChunk(V);
  Tensor entropy = at::empty({N}, rows.options());
  float* to = entropy.data_ptr<float>();
  for (int64_t from = 0; from < N; from += chunk) {
    const int64_t n = std::min(chunk, N - from);
    const Tensor logits = at::empty({n, V}, rows.options());
    headLogits(rows, weight, from, n, logits);
    const float* data = logits.data_ptr<float>();
    at::parallel_for(0, n, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float* row = data + i * V;
        float most = row[0];
        for (int64_t j = 1; j < V; ++j) most = std::max(most, row[j]);
        Vec totals{}, weighted{};
        float total = 0, sum = 0;
        int64_t j = 0;
        for (; j + simd::kLanes <= V; j += simd::kLanes) {
          const Vec below = simd::load(row + j) - most, e = simd::exp(below);
          totals += e;
          weighted += e * below;
        }
        for (; j < V; ++j) {
          const float below = row[j] - most, e = std::exp(below);
          total += e;
          sum += e * below;
        }
        total += simd::sum(totals);
        sum += simd::sum(weighted);
        to[from + i] = std::log(total) - sum / total;
      }
    });
  }
  return entropy;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("target_log_prob(Tensor hidden, Tensor weight, Tensor targets) -> Tensor", looprpt::targetLogProb);
  m.def("next_token_entropy(Tensor hidden, Tensor weight) -> Tensor", looprpt::nextTokenEntropy);
}
