// x·Wᵀ over a source of bfloat16 rows: which thread does which rows of W, in blocks that stay in the caches.
//
// A source says where the rows of W are, or writes them to scratch memory: `Rows at(row, count, from, inputs, scratch)`
// gives bfloat16 rows, with scales by group where it has any. Where it `streams()`, `addRow(row, from, inputs, x, sums)`
// adds the products of one of its rows with few rows of x as it reads it. Threads take the next block of rows when they are done
// with one, so that a core that is taken by somebody else does not hold the others up.
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
  Strip<float> scales;  // by group; of no use where steps is 0
  int steps;            // of a group, 0: no scales
};

struct Scratch {
  std::vector<uint16_t> weights;
  std::vector<float> scales;
  std::vector<Vec> sums;
};

// x [N, in] as the inner loop reads it, rows padded with zeros to whole steps and groups.
class Inputs {
 public:
  Inputs(const float* x, int64_t count, int64_t in)
      : stride_((in + kPadding - 1) / kPadding * kPadding), data_(count * stride_) {
    at::parallel_for(0, count, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, in)), [&](int64_t b, int64_t e) {
      for (int64_t n = b; n < e; ++n) toInputs(x + n * in, in, data_.data() + n * stride_);
    });
  }
  Strip<Input> from(int64_t row, int64_t input) const { return {data_.data() + row * stride_ + input, stride_}; }

 private:
  static constexpr int64_t kPadding = 128;
  int64_t stride_;
  std::vector<Input> data_;
};

struct Result {
  float* y;
  int64_t stride;
};

template <int M, int N>
void runTile(const WeightRows& w, const Strip<Input>& x, int64_t inputs, float* y, int64_t stride, bool first) {
  Tile<M, N> tile;
  const int64_t group = static_cast<int64_t>(w.steps) * kStep;
  constexpr int k32 = 32 / kStep;
  if (w.steps == 0)
    tile.add(w.weights, x, inputs);
  else if (w.steps == k32)
    tile.template addScaled<k32>(w.weights, w.scales, x, (inputs + group - 1) / group);
  else if (w.steps == 2 * k32)
    tile.template addScaled<2 * k32>(w.weights, w.scales, x, (inputs + group - 1) / group);
  else
    tile.template addScaled<4 * k32>(w.weights, w.scales, x, (inputs + group - 1) / group);
  tile.finish(y, stride, first);
}

template <int M>
void runColumns(const WeightRows& w, const Strip<Input>& x, int64_t count, int64_t inputs, float* y, int64_t stride,
                bool first) {
  switch (count) {
    case 1:
      return runTile<M, 1>(w, x, inputs, y, stride, first);
    case 2:
      return runTile<M, 2>(w, x, inputs, y, stride, first);
    case 3:
      return runTile<M, 3>(w, x, inputs, y, stride, first);
    default:
      return runTile<M, kInputs>(w, x, inputs, y, stride, first);
  }
}

// Rows row..row + count of W by all rows of x.
template <class Source>
void runBlock(const Source& source, int64_t row, int64_t count, const Inputs& x, int64_t N, int64_t in, Result to,
              Scratch& scratch) {
  for (int64_t from = 0; from < in; from += kBlock) {
    const int64_t inputs = std::min(kBlock, in - from);
    const WeightRows rows = source.at(row, count, from, inputs, scratch);
    for (int64_t n = 0; n < N; n += kInputs) {
      const Strip<Input> strip = x.from(n, from);
      const int64_t columns = std::min<int64_t>(kInputs, N - n);
      int64_t m = 0;
      const auto at = [&](int64_t r) {
        return WeightRows{
            {rows.weights.row(r), rows.weights.stride}, {rows.scales.row(r), rows.scales.stride}, rows.steps};
      };
      for (; m + kWeights <= count; m += kWeights)
        runColumns<kWeights>(at(m), strip, columns, inputs, to.y + n * to.stride + row + m, to.stride,
                                       from == 0);
      for (; m < count; ++m)
        runColumns<1>(at(m), strip, columns, inputs, to.y + n * to.stride + row + m, to.stride, from == 0);
    }
  }
}

template <int N, class Source>
void streamBlock(const Source& source, int64_t row, int64_t count, const Inputs& x, int64_t rows, int64_t in, Result to,
                 Scratch& scratch) {
  if constexpr (N > 1)
    if (rows < N) return streamBlock<N - 1>(source, row, count, x, rows, in, to, scratch);
  streamRows<N>(source, row, count, x.from(0, 0), in, to.y + row, to.stride, scratch.sums);
}

constexpr int64_t kTaskRows = 64;
constexpr int64_t kProductsPerTask = 1 << 16;

// to[n][0..out) = x[n]·Wᵀ
template <class Source>
void product(const Source& source, int64_t out, const Inputs& x, int64_t N, int64_t in, Result to) {
  const int64_t tasks = (out + kTaskRows - 1) / kTaskRows;
  const bool streams = N <= kStreamed && source.streams();
  // Few rows of x read each row of W once: what is decoded must not leave the first cache before it is used.
  const int64_t block = N <= kStreamed ? kWeights : kTaskRows;
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    static thread_local Scratch scratch;
    for (int64_t task = next++; task < tasks; task = next++) {
      const int64_t from = task * kTaskRows, end = std::min(out, from + kTaskRows);
      if (streams) {
        streamBlock<kStreamed>(source, from, end - from, x, N, in, to, scratch);
        continue;
      }
      for (int64_t row = from; row < end; row += block)
        runBlock(source, row, std::min(block, end - row), x, N, in, to, scratch);
    }
  };
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), 1 + N * in * out / kProductsPerTask);
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    if (begin < end) work();
  });
}

}  // namespace rows
}  // namespace looprpt
