// row_linear(x [N, in], weight [out, in]) -> x·Wᵀ [N, out], each row computed alone: its bits do not depend on the other rows, on
// their number, on its place among them or on the number of threads. float32 on the CPU, contiguous.
//
// A general matrix product chooses its kernel and the order of its additions by the shape, so a sequence's numbers would change
// with what else is in its batch. Here an element is always the same chain: kLanes partial sums along `in`, then one tree. For the
// few rows of a decoding step it is also as fast, because the weights are read where they lie.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>

#include "lane_sums.h"

namespace looprpt {
namespace {

using at::Tensor;
using namespace simd;

constexpr int64_t kPanelFloats = 1 << 16;  // of x, to be read again and again from the second-level cache
constexpr int64_t kProductsPerTask = 1 << 17;

struct Product {
  const float *x, *weight;
  float* y;
  int64_t in, out;
};

// `kTileRows` rows by kLanes / kTileRows columns from (row, column) on; columns beyond the last are the last again, and not stored.
template <int kTileRows>
void tile(const Product& p, int64_t row, int64_t column) {
  constexpr int kColumns = kLanes / kTileRows;
  const float *x[kTileRows], *w[kColumns];
  for (int r = 0; r < kTileRows; ++r) x[r] = p.x + (row + r) * p.in;
  for (int c = 0; c < kColumns; ++c) w[c] = p.weight + std::min(column + c, p.out - 1) * p.in;
  Vec sums[kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= p.in; k += kLanes) {
    Vec xs[kTileRows];
    for (int r = 0; r < kTileRows; ++r) xs[r] = load(x[r] + k);
    for (int c = 0; c < kColumns; ++c) {
      const Vec ws = load(w[c] + k);
      for (int r = 0; r < kTileRows; ++r) sums[r * kColumns + c] += xs[r] * ws;
    }
  }
  if (k < p.in) {
    for (int c = 0; c < kColumns; ++c) {
      const Vec ws = loadPart(w[c] + k, p.in - k);
      for (int r = 0; r < kTileRows; ++r) sums[r * kColumns + c] += loadPart(x[r] + k, p.in - k) * ws;
    }
  }
  float totals[kLanes];
  store(totals, laneSums(sums));
  const int64_t stored = std::min<int64_t>(kColumns, p.out - column);
  for (int r = 0; r < kTileRows; ++r)
    std::copy(totals + r * kColumns, totals + r * kColumns + stored, p.y + (row + r) * p.out + column);
}

template <int kTileRows>
void tiles(const Product& p, int64_t row, int64_t from, int64_t to) {
  for (int64_t column = from; column < to; column += kLanes / kTileRows) tile<kTileRows>(p, row, column);
}

// All rows, columns from..to (multiples of kLanes, or the end).
void columnsOf(const Product& p, int64_t rows, int64_t from, int64_t to) {
  const int64_t panel = std::max<int64_t>(4, kPanelFloats / p.in / 4 * 4);
  for (int64_t first = 0; first < rows; first += panel) {
    const int64_t end = std::min(rows, first + panel);
    for (int64_t column = from; column < to; column += kLanes) {
      const int64_t stop = std::min(to, column + kLanes);
      int64_t row = first;
      for (; row + 4 <= end; row += 4) tiles<4>(p, row, column, stop);
      for (; row + 2 <= end; row += 2) tiles<2>(p, row, column, stop);
      if (row < end) tiles<1>(p, row, column, stop);
    }
  }
}

Tensor rowLinear(const Tensor& x, const Tensor& weight) {
  TORCH_CHECK(x.is_cpu() && weight.is_cpu() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat,
              "row_linear: float32 tensors on the CPU are needed");
  TORCH_CHECK(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1) && x.is_contiguous() && weight.is_contiguous(),
              "row_linear: contiguous x [N, in] and weight [out, in] are needed, not ", x.sizes(), " and ", weight.sizes());
  const int64_t rows = x.size(0), in = x.size(1), out = weight.size(0);
  Tensor y = at::empty({rows, out}, x.options());
  const Product p{x.data_ptr<float>(), weight.data_ptr<float>(), y.data_ptr<float>(), in, out};
  const int64_t blocks = (out + kLanes - 1) / kLanes;
  const int64_t grain = std::max<int64_t>(1, kProductsPerTask / std::max<int64_t>(1, rows * in * kLanes));
  at::parallel_for(0, blocks, grain, [&](int64_t begin, int64_t end) {
    columnsOf(p, rows, begin * kLanes, std::min(out, end * kLanes));
  });
  return y;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) { m.def("row_linear(Tensor x, Tensor weight) -> Tensor", looprpt::rowLinear); }
