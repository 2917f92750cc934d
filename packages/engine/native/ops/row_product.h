// x·Wᵀ over a source of rows: which thread does which rows of W, in blocks that stay in the caches.
//
// A source names its `Arithmetic` and says where the rows of W are, or writes them to scratch memory: `at(row, count,
// from, inputs, scratch)` gives operands, with scales by group where it has any. Where it `streams()`, `addRow(row,
// from, inputs, x, sums)` adds the products of one of its rows with few rows of x as it reads it. Threads take the next
// block of rows when they are done with one, so that a core that is taken by somebody else does not hold the others up.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "row_stream.h"
#include "row_tile.h"

namespace looprpt {
namespace rows {

// Rows of W for `inputs` inputs from some input on.
struct WeightRows {
  Strip<uint16_t> weights;
  Strip<float> scales;  // by group, where the source has scales
  int64_t group;        // inputs of one
};

struct Scratch {
  std::vector<uint16_t> weights;
  std::vector<float> scales;
  std::vector<Vec> sums;
};

// x [N, in] as the inner loop reads it, rows padded with zeros to whole steps and groups.
template <class A>
class Inputs {
 public:
  using Input = typename A::Input;

  Inputs(const float* x, int64_t count, int64_t in)
      : stride_((in + kPadding - 1) / kPadding * kPadding), data_(count * stride_), scales_(count) {
    at::parallel_for(0, count, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, in)), [&](int64_t b, int64_t e) {
      for (int64_t n = b; n < e; ++n) scales_[n] = A::toInputs(x + n * in, in, data_.data() + n * stride_);
    });
  }
  Strip<Input> from(int64_t row, int64_t input) const { return {data_.data() + row * stride_ + input, stride_}; }
  // What a row of the result is still to be multiplied by.
  float scale(int64_t row) const { return scales_[row]; }

 private:
  static constexpr int64_t kPadding = 128;
  int64_t stride_;
  std::vector<Input> data_;
  std::vector<float> scales_;
};

struct Result {
  float* y;
  int64_t stride;
};

template <class A, bool kHasScales, int M, int N>
void runTile(const WeightRows& w, const Strip<typename A::Input>& x, int64_t inputs, float* y, int64_t stride,
             bool first) {
  Tile<A, M, N> tile;
  if constexpr (kHasScales) {
    const int64_t groups = (inputs + w.group - 1) / w.group;
    if (w.group == 32)
      tile.template addScaled<32 / A::kStep>(w.weights, w.scales, x, groups);
    else if (w.group == 64)
      tile.template addScaled<64 / A::kStep>(w.weights, w.scales, x, groups);
    else
      tile.template addScaled<128 / A::kStep>(w.weights, w.scales, x, groups);
  } else {
    tile.add(w.weights, x, inputs);
  }
  tile.finish(y, stride, first);
}

template <class A, bool kHasScales, int M>
void runColumns(const WeightRows& w, const Strip<typename A::Input>& x, int64_t count, int64_t inputs, float* y,
                int64_t stride, bool first) {
  switch (count) {
    case 1:
      return runTile<A, kHasScales, M, 1>(w, x, inputs, y, stride, first);
    case 2:
      return runTile<A, kHasScales, M, 2>(w, x, inputs, y, stride, first);
    case 3:
      return runTile<A, kHasScales, M, 3>(w, x, inputs, y, stride, first);
    default:
      return runTile<A, kHasScales, M, kInputs>(w, x, inputs, y, stride, first);
  }
}

// Rows row..row + count of W by all rows of x.
template <class Source, class A = typename Source::Arithmetic>
void runBlock(const Source& source, int64_t row, int64_t count, const Inputs<A>& x, int64_t N, int64_t in, Result to,
              Scratch& scratch) {
  constexpr int M = Source::kHasScales ? kScaledWeights : kWeights;
  for (int64_t from = 0; from < in; from += kBlock) {
    const int64_t inputs = std::min(kBlock, in - from);
    const WeightRows rows = source.at(row, count, from, inputs, scratch);
    for (int64_t n = 0; n < N; n += kInputs) {
      const auto strip = x.from(n, from);
      const int64_t columns = std::min<int64_t>(kInputs, N - n);
      int64_t m = 0;
      const auto at = [&](int64_t r) {
        return WeightRows{
            {rows.weights.row(r), rows.weights.stride}, {rows.scales.row(r), rows.scales.stride}, rows.group};
      };
      for (; m + M <= count; m += M)
        runColumns<A, Source::kHasScales, M>(at(m), strip, columns, inputs, to.y + n * to.stride + row + m, to.stride,
                                             from == 0);
      for (; m < count; ++m)
        runColumns<A, Source::kHasScales, 1>(at(m), strip, columns, inputs, to.y + n * to.stride + row + m, to.stride,
                                             from == 0);
    }
  }
}

template <int N, class Source, class A = typename Source::Arithmetic>
void streamBlock(const Source& source, int64_t row, int64_t count, const Inputs<A>& x, int64_t rows, int64_t in,
                 Result to, Scratch& scratch) {
  if constexpr (N > 1)
    if (rows < N) return streamBlock<N - 1>(source, row, count, x, rows, in, to, scratch);
  streamRows<N>(source, row, count, x.from(0, 0), in, to.y + row, to.stride, scratch.sums);
}

constexpr int64_t kTaskRows = 64;
constexpr int64_t kProductsPerTask = 1 << 16;

// A source of `out` rows, which lie below those of the pieces before it.
template <class Source>
struct Piece {
  Source source;
  int64_t out;
};

// to[n][0..Σ out) = x[n]·Wᵀ, W the pieces' rows. Threads begin and end once for all pieces: at one row of x a product
// takes little longer than to wake and to wait.
template <class Source, class A = typename Source::Arithmetic>
void product(const std::vector<Piece<Source>>& pieces, const Inputs<A>& x, int64_t N, int64_t in, Result to) {
  int64_t tasks = 0, out = 0;
  bool streams = N <= kStreamed;
  for (const Piece<Source>& piece : pieces) {
    tasks += (piece.out + kTaskRows - 1) / kTaskRows;
    out += piece.out;
    streams = streams && piece.source.streams();
  }
  // Few rows of x read each row of W once: what is decoded must not leave the first cache before it is used.
  const int64_t block = N <= kStreamed ? kWeights : kTaskRows;
  std::atomic<int64_t> next{0};
  const auto run = [&](const Source& source, int64_t from, int64_t end, Result y, Scratch& scratch) {
    if (streams)
      streamBlock<kStreamed>(source, from, end - from, x, N, in, y, scratch);
    else
      for (int64_t row = from; row < end; row += block)
        runBlock(source, row, std::min(block, end - row), x, N, in, y, scratch);
    for (int64_t n = 0; n < N; ++n)
      if (x.scale(n) != 1)
        for (int64_t row = from; row < end; ++row) y.y[n * y.stride + row] *= x.scale(n);
  };
  const auto work = [&] {
    static thread_local Scratch scratch;
    for (int64_t task = next++; task < tasks; task = next++) {
      int64_t from = task * kTaskRows;
      float* y = to.y;
      auto piece = pieces.begin();
      for (; from >= piece->out; ++piece) {
        from -= (piece->out + kTaskRows - 1) / kTaskRows * kTaskRows;
        y += piece->out;
      }
      run(piece->source, from, std::min(piece->out, from + kTaskRows), {y, to.stride}, scratch);
    }
  };
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), 1 + N * in * out / kProductsPerTask);
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    if (begin < end) work();
  });
}

}  // namespace rows
}  // namespace looprpt
