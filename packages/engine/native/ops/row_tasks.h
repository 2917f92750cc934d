// Which thread does which rows of a product's weights.
//
// The weights are pieces below each other: q, k and v, or gate and up. Threads begin and end once for all of them,
// since at one row of x a product takes little longer than to wake and to wait. A thread takes the next few rows when
// it is done with some, so that a core that is taken by somebody else does not hold the others up.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "row_tile.h"

namespace looprpt {
namespace rows {

// A source of `out` rows, which lie below those of the pieces before it.
template <class Source>
struct Piece {
  Source source;
  int64_t out;
};

constexpr int64_t kTaskRows = 64;
constexpr int64_t kProductsPerTask = 1 << 16;

// Calls run(source, from, end, offset) for all rows of all pieces, a few at a time; `offset` is the place of the
// piece's first row in the result. @param products of the whole, of which a thread should have some @param rows of a
// task
template <class Source, class Run>
void forTasks(const std::vector<Piece<Source>>& pieces, int64_t products, const Run& run, int64_t rows = kTaskRows) {
  int64_t tasks = 0;
  for (const Piece<Source>& piece : pieces) tasks += (piece.out + rows - 1) / rows;
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    for (int64_t task = next++; task < tasks; task = next++) {
      int64_t from = task * rows, offset = 0;
      auto piece = pieces.begin();
      for (; from >= piece->out; ++piece) {
        from -= (piece->out + rows - 1) / rows * rows;
        offset += piece->out;
      }
      run(piece->source, from, std::min(piece->out, from + rows), offset);
    }
  };
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), 1 + products / kProductsPerTask);
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    if (begin < end) work();
  });
}

}  // namespace rows
}  // namespace looprpt
