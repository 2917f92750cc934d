// x·Wᵀ over a source of bfloat16 rows: as a stream where rows of x are few, in tiles where they are more, and over
// weights that are laid anew where they are many. The bits are the same.
//
// A source says where its rows are: `at(row, from)` gives a strip from an input on; `addRow(row, from, inputs, x,
// sums)` adds the products of one of its rows with few rows of x; `out` is how many it has.
#pragma once

#include "cache_lines.h"
#include "packed_tile.h"
#include "row_stream.h"
#include "row_tasks.h"

namespace looprpt {
namespace rows {

// x [N, in] as the inner loop reads it, rows padded with zeros to whole steps.
template <class A>
class Inputs {
 public:
  using Input = typename A::Input;

  Inputs(const float* x, int64_t count, int64_t in)
      : stride_((in + kPadding - 1) / kPadding * kPadding), data_(count * stride_) {
    at::parallel_for(0, count, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, in)), [&](int64_t b, int64_t e) {
      for (int64_t n = b; n < e; ++n) A::toInputs(x + n * in, in, data_.data() + n * stride_);
    });
  }
  Strip<Input> from(int64_t row, int64_t input) const { return {data_.data() + row * stride_ + input, stride_}; }

 private:
  static constexpr int64_t kPadding = 128;
  int64_t stride_;
  CacheLines<Input> data_;
};

struct Result {
  float* y;
  int64_t stride;
};

template <class A, int M, int N>
void runTile(const Strip<uint16_t>& w, const Strip<typename A::Input>& x, int64_t inputs, float* y, int64_t stride,
             bool first) {
  Tile<A, M, N> tile;
  tile.add(w, x, inputs);
  tile.finish(y, stride, first);
}

template <class A, int M>
void runColumns(const Strip<uint16_t>& w, const Strip<typename A::Input>& x, int64_t count, int64_t inputs, float* y,
                int64_t stride, bool first) {
  switch (count) {
    case 1:
      return runTile<A, M, 1>(w, x, inputs, y, stride, first);
    case 2:
      return runTile<A, M, 2>(w, x, inputs, y, stride, first);
    case 3:
      return runTile<A, M, 3>(w, x, inputs, y, stride, first);
    default:
      return runTile<A, M, kInputs>(w, x, inputs, y, stride, first);
  }
}

// Rows row..row + count of W by all rows of x.
template <class Source, class A = typename Source::Arithmetic>
void runBlock(const Source& source, int64_t row, int64_t count, const Inputs<A>& x, int64_t N, int64_t in, Result to) {
  for (int64_t from = 0; from < in; from += kBlock) {
    const int64_t inputs = std::min(kBlock, in - from);
    for (int64_t n = 0; n < N; n += kInputs) {
      const auto strip = x.from(n, from);
      const int64_t columns = std::min<int64_t>(kInputs, N - n);
      float* y = to.y + n * to.stride + row;
      int64_t m = 0;
      for (; m + kWeights <= count; m += kWeights)
        runColumns<A, kWeights>(source.at(row + m, from), strip, columns, inputs, y + m, to.stride, from == 0);
      for (; m < count; ++m)
        runColumns<A, 1>(source.at(row + m, from), strip, columns, inputs, y + m, to.stride, from == 0);
    }
  }
}

#if LOOPRPT_HAS_BFLOAT_DOT

// Strips of kPackedRows that are laid anew together, so that a tile of x is read from the second cache for one of them
// alone.
constexpr int64_t kStrips = 2;
constexpr int64_t kStripRows = kStrips * kPackedRows;

// Rows row..row + count of W, kStripRows at most, by all rows of x. The weights that are laid anew next are asked for
// while these are used: those of the next block, and then those that this thread takes if all others take some
// meanwhile.
template <class Source>
void runPacked(const Source& source, int64_t row, int64_t count, const PackedInputs& x, int64_t N, int64_t in,
               Result to) {
  static thread_local PackedWeights weights[kStrips];
  const int64_t next = row + kStripRows * at::get_num_threads(), strips = (count + kPackedRows - 1) / kPackedRows;
  for (int64_t from = 0; from < in; from += kBlock) {
    for (int64_t s = 0; s < strips; ++s)
      weights[s].set(source.at(row + s * kPackedRows, from), count - s * kPackedRows, std::min(kBlock, in - from));
    const bool isLast = from + kBlock >= in, isThere = !isLast || next < source.out;
    const int64_t nextRows = !isThere ? 0 : isLast ? std::min(kStripRows, source.out - next) : count;
    const int64_t nextFrom = isLast ? 0 : from + kBlock;
    Ahead ahead(source.at(isLast && isThere ? next : row, nextFrom), nextRows, std::min(kBlock, in - nextFrom),
                x.tiles() * kPlaces * strips);
    for (int64_t tile = 0; tile < x.tiles(); ++tile) {
      const int64_t n = tile * kPackedInputs;
      for (int64_t s = 0; s < strips; ++s)
        packedTile(weights[s], x.at(tile, from), std::min<int64_t>(kPackedInputs, N - n), count - s * kPackedRows,
                   to.y + n * to.stride + row + s * kPackedRows, to.stride, from == 0, ahead);
    }
  }
}

#endif

template <int N, class Source, class X>
void streamBlock(const Source& source, int64_t row, int64_t count, const X& x, int64_t rows, int64_t in, Result to,
                 std::vector<Vec>& sums) {
  if constexpr (N > 1)
    if (rows < N) return streamBlock<N - 1>(source, row, count, x, rows, in, to, sums);
  streamRows<N>(source, row, count, x, in, to.y + row, to.stride, sums);
}

// to[n][0..Σ out) = x[n]·Wᵀ, W the pieces' rows; x [N, in].
template <class Source, class A = typename Source::Arithmetic>
void product(const std::vector<Piece<Source>>& pieces, const float* x, int64_t N, int64_t in, Result to) {
  int64_t out = 0;
  for (const Piece<Source>& piece : pieces) out += piece.out;
#if LOOPRPT_HAS_BFLOAT_DOT
  if (N >= kLeastPacked) {
    PackedInputs tiles(N, in);
    at::parallel_for(0, N, kPackedInputs, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) tiles.set(n, x + n * in);
    });
    const auto run = [&](const Source& source, int64_t from, int64_t end, int64_t offset) {
      runPacked(source, from, end - from, tiles, N, in, {to.y + offset, to.stride});
    };
    return forTasks(pieces, N * in * out, run, kStripRows);
  }
#endif
  const Inputs<A> inputs(x, N, in);
  forTasks(pieces, N * in * out, [&](const Source& source, int64_t from, int64_t end, int64_t offset) {
    static thread_local std::vector<Vec> sums;
    const Result y{to.y + offset, to.stride};
    if (N <= kStreamed)
      streamBlock<kStreamed>(source, from, end - from, inputs.from(0, 0), N, in, y, sums);
    else
      runBlock(source, from, end - from, inputs, N, in, y);
  });
}

}  // namespace rows
}  // namespace looprpt
