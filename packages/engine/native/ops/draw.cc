// read_tokens: a token from every row of logits, drawn or given, and what the model thought of it.
//
//   read_tokens(logits [M, V], wanted float64 [M, 3]) -> float64 [M, 2]
//
// A row of `wanted` is (id, temperature, uniform). An id ≥ 0 is taken as it is. Else, at temperature 0, the likeliest
// id, of equals the lowest; above it the first id at which Σ exp(logit / temperature) exceeds `uniform`, in [0, 1),
// times the sum over all ids. A row of the result is (id, log-probability at temperature 1). What a row gives depends
// on that row alone, to the last bit, and on no number of threads. logits float32 on the CPU, contiguous; −∞ rules an
// id out.
//
// Logits that make no distribution (one of them NaN or +∞, or all −∞) give (−1, NaN) where a token was to be drawn,
// else (id, NaN): an error of that row, of which its company does not notice anything.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "simd.h"

namespace looprpt {
namespace {

using at::Tensor;
using namespace simd;

constexpr int64_t kBlock =
    16 * kLanes;  // weights whose sum is kept, so that the one that is wanted is found in two short walks
constexpr int64_t kLogitsPerTask = 1 << 13;
constexpr float kNothing = -87.0f;  // below it exp() is clamped; such a weight is none

struct Scratch {
  std::vector<float> weights;
  std::vector<double> sums;
};

struct Sums {
  double model;  // of e^(logit − largest)
  double drawn;  // of the weights
};

// The first largest; 0 where no logit is above −∞.
int64_t likeliest(const float* logits, int64_t V) {
  Vec most = splat(-std::numeric_limits<float>::infinity());
  int64_t v = 0;
  for (; v + kLanes <= V; v += kLanes) {
    const Vec x = load(logits + v);
    most = select(x > most, x, most);
  }
  float largest = simd::max(most);
  for (; v < V; ++v) largest = std::max(largest, logits[v]);
  const int64_t found = std::find(logits, logits + V, largest) - logits;
  return found < V ? found : 0;  // all NaN: none equals anything
}

inline Vec weightOf(Vec below) { return select(below < kNothing, Vec{}, simd::exp(below)); }

// weights ← exp((logits − largest)·scale), zeros up to the end of the last block, and the sum of every block.
Sums weigh(const float* logits, int64_t V, float largest, float scale, Scratch& scratch) {
  const int64_t blocks = (V + kBlock - 1) / kBlock;
  scratch.weights.resize(blocks * kBlock);
  scratch.sums.resize(blocks);
  Sums all{0, 0};
  for (int64_t block = 0; block < blocks; ++block) {
    Vec model{}, drawn{};
    for (int64_t v = block * kBlock; v < (block + 1) * kBlock; v += kLanes) {
      Vec x = splat(-std::numeric_limits<float>::infinity());
      if (v + kLanes <= V) {
        x = load(logits + v);
      } else if (v < V) {
        std::memcpy(&x, logits + v, (V - v) * sizeof(float));
      }
      const Vec likelihood = weightOf(x - largest), weight = scale == 1 ? likelihood : weightOf((x - largest) * scale);
      store(scratch.weights.data() + v, weight);
      model += likelihood;
      drawn += weight;
    }
    scratch.sums[block] = simd::sum(drawn);
    all.model += simd::sum(model);
    all.drawn += scratch.sums[block];
  }
  return all;
}

// Where the running sum first exceeds `rest`; the last id with a weight where rounding leaves none.
int64_t pick(const Scratch& scratch, int64_t V, double rest) {
  size_t block = 0;
  while (block + 1 < scratch.sums.size() && rest >= scratch.sums[block]) rest -= scratch.sums[block++];
  int64_t last = 0;
  for (int64_t v = block * kBlock; v < V; ++v) {
    const float weight = scratch.weights[v];
    if (weight > 0) last = v;
    rest -= weight;
    if (rest < 0) return v;
  }
  for (int64_t v = V - 1; last == 0 && v > 0; --v)
    if (scratch.weights[v] > 0) last = v;
  return last;
}

void readRow(const float* logits, int64_t V, const double* wanted, Scratch& scratch, double* result) {
  const double temperature = wanted[1];
  const int64_t top = likeliest(logits, V);
  int64_t id = static_cast<int64_t>(wanted[0]);
  if (id < 0 && temperature == 0) id = top;
  // Finite, or the likeliest id's own weight would be 0·∞.
  constexpr double kMostScale = std::numeric_limits<float>::max();
  const float scale = id < 0 ? static_cast<float>(std::min(1 / temperature, kMostScale)) : 1.0f;
  const Sums sums = weigh(logits, V, logits[top], scale, scratch);
  // Anything that is not a number, +∞ as well, comes through both sums.
  if (!std::isfinite(sums.model)) {
    result[0] = wanted[0] < 0 ? -1 : wanted[0];
    result[1] = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  if (id < 0) id = pick(scratch, V, wanted[2] * sums.drawn);
  result[0] = static_cast<double>(id);
  result[1] = static_cast<double>(logits[id]) - logits[top] - std::log(sums.model);
}

Tensor readTokens(const Tensor& logits, const Tensor& wanted) {
  TORCH_CHECK(logits.is_cpu() && logits.scalar_type() == at::kFloat && logits.is_contiguous() && logits.dim() == 2 &&
                  logits.size(1) > 0,
              "read_tokens: logits must be a contiguous float32 matrix on the CPU");
  const int64_t M = logits.size(0), V = logits.size(1);
  TORCH_CHECK(wanted.is_cpu() && wanted.scalar_type() == at::kDouble && wanted.is_contiguous() && wanted.dim() == 2 &&
                  wanted.size(0) == M && wanted.size(1) == 3,
              "read_tokens: wanted must be float64 [", M, ", 3], not ", wanted.sizes());
  const double* asked = wanted.data_ptr<double>();
  for (int64_t m = 0; m < M; ++m) {
    const double* row = asked + 3 * m;
    TORCH_CHECK(row[0] >= -1 && row[0] < static_cast<double>(V) && row[1] >= 0 && std::isfinite(row[1]) &&
                    row[2] >= 0 && row[2] < 1,
                "read_tokens: row ", m, ": no such id, temperature or uniform number");
  }
  Tensor out = at::empty({M, 2}, wanted.options());
  const float* from = logits.data_ptr<float>();
  double* to = out.data_ptr<double>();
  at::parallel_for(0, M, std::max<int64_t>(1, kLogitsPerTask / V), [&](int64_t begin, int64_t end) {
    Scratch scratch;
    for (int64_t m = begin; m < end; ++m) readRow(from + m * V, V, asked + 3 * m, scratch, to + 2 * m);
  });
  return out;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("read_tokens(Tensor logits, Tensor wanted) -> Tensor", looprpt::readTokens);
}
