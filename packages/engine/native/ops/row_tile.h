// Dot products of few rows x with few rows of bfloat16 weights.
//
// Both operands lie along `in`, the weights as a checkpoint stores them. An element of the result is the same chains of
// additions in every lane and one tree over the lanes, in whichever tile it stands: its bits do not depend on the other
// rows.
#pragma once

#include <cstdint>

#include "lane_sums.h"
#include "row_arithmetic.h"

namespace looprpt {
namespace rows {

// Inputs that are added up before the lanes are; a part of the result's definition.
constexpr int64_t kBlock = 2048;

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kWeights = 4;  // rows of weights of a tile
#else
constexpr int kWeights = 2;
#endif
constexpr int kInputs = 4;  // rows of x of a tile

// Rows of one operand, `stride` elements apart.
template <typename T>
struct Strip {
  const T* data;
  int64_t stride;
  const T* row(int64_t r) const { return data + r * stride; }
};

// y[n][m] = or += the lanes of sums[m·N + n] added up
template <int N>
void finishSums(const Vec* sums, int64_t count, float* y, int64_t stride, bool first) {
  for (int64_t from = 0; from < count; from += kLanes) {
    Vec part[kLanes] = {};
    for (int i = 0; i < kLanes && from + i < count; ++i) part[i] = sums[from + i];
    const Vec totals = simd::laneSums(part);
    for (int i = 0; i < kLanes && from + i < count; ++i) {
      float& to = y[(from + i) % N * stride + (from + i) / N];
      to = first ? totals[i] : to + totals[i];
    }
  }
}

template <class A, int M, int N>
struct Tile {
  using Operand = typename A::Operand;
  using Input = typename A::Input;
  Vec sums[M * N] = {};

  // `count` inputs; those of x are padded with zeros to a whole step.
  void add(const Strip<uint16_t>& weights, const Strip<Input>& x, int64_t count) {
    int64_t k = 0;
    for (; k + A::kStep <= count; k += A::kStep) {
      Operand w[M];
      for (int m = 0; m < M; ++m) w[m] = A::loadWeights(weights.row(m) + k);
      step(w, x, k);
    }
    if (k == count) return;
    Operand w[M];
    for (int m = 0; m < M; ++m) w[m] = A::loadWeights(weights.row(m) + k, count - k);
    step(w, x, k);
  }

  void finish(float* y, int64_t stride, bool first) { finishSums<N>(sums, M * N, y, stride, first); }

 private:
  void step(const Operand (&w)[M], const Strip<Input>& x, int64_t k) {
    for (int n = 0; n < N; ++n) {
      const Operand in = A::loadInputs(x.row(n) + k);
      for (int m = 0; m < M; ++m) sums[m * N + n] = A::dot(sums[m * N + n], w[m], in);
    }
  }
};

}  // namespace rows
}  // namespace looprpt
