// x·Wᵀ for the few rows of a decoding step, each row computed alone: its bits do not depend on the other rows, on their
// number, on its place among them or on the number of threads. float32 on the CPU, contiguous.
//
//   pack_rows(weight [out, in]) -> [ceil(out / kWidth), in, kWidth]; columns beyond the last are zero
//   row_linear(x [N, in], packed, out) -> x·Wᵀ [N, out]
//
// A general matrix product chooses its kernel and the order of its additions by the shape, so a sequence's numbers
// would change with what else is in its batch. Here every element is one chain of additions along `in`, whatever tile
// it is computed in. General products also rearrange the weights at every call, which for few rows costs as much as the
// product; here it is done once.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>

#include "simd.h"

namespace looprpt {
namespace {

using at::Tensor;
using namespace simd;

constexpr int kVectors = 2;
constexpr int kWidth = kVectors * kLanes;  // columns of a panel
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kTileRows = 8;  // 32 registers: the accumulators of a tile stay in them
#else
constexpr int kTileRows = 6;
#endif
constexpr int64_t kProductsPerTask = 1 << 17;

struct Product {
  const float *x, *packed;
  float* y;
  int64_t rows, in, out;
};

// Keeps a vector in a register, where the compiler would read it again from memory for every use.
inline void keep(Vec& v) {
#if defined(__GNUC__) && defined(__x86_64__)
  asm("" : "+v"(v));
#endif
}

// `kCount` rows from `row` on by the columns of one panel.
template <int kCount>
void tile(const Product& p, int64_t row, int64_t panel) {
  const float* weights = p.packed + panel * p.in * kWidth;
  const float* x[kCount];
  for (int r = 0; r < kCount; ++r) x[r] = p.x + (row + r) * p.in;
  Vec sums[kCount][kVectors] = {};
  for (int64_t k = 0; k < p.in; ++k, weights += kWidth) {
    Vec w[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      w[v] = load(weights + v * kLanes);
      keep(w[v]);
    }
    for (int r = 0; r < kCount; ++r) {
      const Vec factor = splat(x[r][k]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * w[v];
    }
  }
  const int64_t column = panel * kWidth, stored = std::min<int64_t>(kWidth, p.out - column);
  for (int r = 0; r < kCount; ++r) {
    float* y = p.y + (row + r) * p.out + column;
    if (stored == kWidth) {
      for (int v = 0; v < kVectors; ++v) store(y + v * kLanes, sums[r][v]);
    } else {
      std::memcpy(y, sums[r], stored * sizeof(float));
    }
  }
}

// The rows from `row` to the last, of which there are at most kCount.
template <int kCount>
void lastTile(const Product& p, int64_t row, int64_t panel) {
  if constexpr (kCount > 0) {
    if (p.rows - row == kCount) {
      tile<kCount>(p, row, panel);
    } else {
      lastTile<kCount - 1>(p, row, panel);
    }
  }
}

void check(const Tensor& t, int64_t dimensions, const char* name) {
  TORCH_CHECK(t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous() && t.dim() == dimensions,
              "row_linear: ", name, ": a contiguous float32 tensor of ", dimensions,
              " dimensions on the CPU is needed, not ", t.scalar_type(), " ", t.sizes());
}

Tensor packRows(const Tensor& weight) {
  check(weight, 2, "weight");
  const int64_t out = weight.size(0), in = weight.size(1), panels = (out + kWidth - 1) / kWidth;
  Tensor packed = at::zeros({panels, in, kWidth}, weight.options());
  const float* from = weight.data_ptr<float>();
  float* to = packed.data_ptr<float>();
  for (int64_t o = 0; o < out; ++o)
    for (int64_t k = 0; k < in; ++k) to[(o / kWidth * in + k) * kWidth + o % kWidth] = from[o * in + k];
  return packed;
}

Tensor rowLinear(const Tensor& x, const Tensor& packed, int64_t out) {
  check(x, 2, "x");
  check(packed, 3, "packed");
  const int64_t rows = x.size(0), in = x.size(1), panels = packed.size(0);
  TORCH_CHECK(packed.size(1) == in && packed.size(2) == kWidth && out > (panels - 1) * kWidth && out <= panels * kWidth,
              "row_linear: x ", x.sizes(), " and ", out, " columns do not go with packed weights ", packed.sizes());
  Tensor y = at::empty({rows, out}, x.options());
  const Product p{x.data_ptr<float>(), packed.data_ptr<float>(), y.data_ptr<float>(), rows, in, out};
  const int64_t grain = std::max<int64_t>(1, kProductsPerTask / std::max<int64_t>(1, rows * in * kWidth));
  at::parallel_for(0, panels, grain, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      int64_t row = 0;
      for (; row + kTileRows <= rows; row += kTileRows) tile<kTileRows>(p, row, panel);
      lastTile<kTileRows - 1>(p, row, panel);
    }
  });
  return y;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("pack_rows(Tensor weight) -> Tensor", looprpt::packRows);
  m.def("row_linear(Tensor x, Tensor packed, int out) -> Tensor", looprpt::rowLinear);
}
