// Dot products of few rows x with one row of weights after the other, in the order in which they lie in memory.
//
// A processor looks ahead along one stream. A tile reads several rows of weights at once, pages apart, and gets two
// thirds of the memory's speed; where a row of weights is used for few rows of x, that is what counts. The additions
// are a tile's (row_tile.h), so the bits are.
#pragma once

#include <algorithm>
#include <vector>

#include "row_tile.h"

namespace looprpt {
namespace rows {

// Most rows of x that share one reading.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kStreamed = 8;
#else
constexpr int kStreamed = 4;
#endif
// Bytes that are asked for before they are needed, for N rows of x. The longer a line is worked on, the farther ahead.
template <int N>
constexpr int64_t kBytesAhead = N == 1 ? 2048 : 8192;

// Asks for a line, into the second cache. The first one has few places for lines that are under way, and a request that
// waits for memory in one of them holds up what is read next.
inline void ask(const void* line) { __builtin_prefetch(line, 0, 2); }

// sums[n] += x_n · weights over `count` inputs; those of x are padded with zeros to a whole step.
template <class A, int N>
void addRow(const uint16_t* weights, const Strip<typename A::Input>& x, int64_t count, Vec (&sums)[N]) {
  const auto step = [&](typename A::Operand w, int64_t k) {
    for (int n = 0; n < N; ++n) sums[n] = A::dot(sums[n], w, A::loadInputs(x.row(n) + k));
  };
  int64_t k = 0;
  for (; k + A::kStep <= count; k += A::kStep) {
    ask(weights + k + kBytesAhead<N> / static_cast<int64_t>(sizeof(uint16_t)));
    step(A::loadWeights(weights + k), k);
  }
  if (k < count) step(A::loadWeights(weights + k, count - k), k);
}

// y[n][0..count) = x_n · rows row..row + count of the source, n < N. The source adds to `sums` what the inputs of a
// block give: addRow(row, from, inputs, x, sums).
template <int N, class Source, class X>
void streamRows(const Source& source, int64_t row, int64_t count, const X& x, int64_t in, float* y, int64_t stride,
                std::vector<Vec>& sums) {
  // Rows whose lanes are added up together.
  constexpr int kTogether = N > 4 ? 2 : 4;
  const int64_t blocks = (in + kBlock - 1) / kBlock;
  if (static_cast<int64_t>(sums.size()) < blocks * kTogether * N) sums.resize(blocks * kTogether * N);
  for (int64_t r = 0; r < count; r += kTogether) {
    const int64_t some = std::min<int64_t>(kTogether, count - r);
    for (int64_t m = 0; m < some; ++m)
      for (int64_t b = 0; b < blocks; ++b) {
        const int64_t from = b * kBlock;
        Vec own[N] = {};
        source.addRow(row + r + m, from, std::min(kBlock, in - from), x, own);
        std::copy(own, own + N, sums.data() + (b * kTogether + m) * N);
      }
    for (int64_t b = 0; b < blocks; ++b)
      finishSums<N>(sums.data() + b * kTogether * N, some * N, y + r, stride, b == 0);
  }
}

}  // namespace rows
}  // namespace looprpt
