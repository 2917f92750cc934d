// Dot products of few rows x with few rows of weights: the one inner loop of all products with bfloat16 and quantised
// weights.
//
// Both operands lie along `in`, the weights as a checkpoint stores them. x is rounded to bfloat16, products are exact
// in float32, sums are float32. An element of the result is one chain of additions in every lane and one tree over the
// lanes, in whichever tile it stands: its bits do not depend on the other rows.
#pragma once

#include <cstdint>

#include "bfloat.h"
#include "lane_sums.h"

namespace looprpt {
namespace rows {

using simd::kLanes;
using simd::Vec;

// Inputs that are added up before the lanes are; a part of the result's definition.
constexpr int64_t kBlock = 2048;

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kWeights = 4;  // rows of weights of a tile
#else
constexpr int kWeights = 2;
#endif
constexpr int kInputs = 4;  // rows of x of a tile

#if LOOPRPT_HAS_BFLOAT_DOT

// x as the inner loop reads it.
using Input = uint16_t;
constexpr int kStep = 32;
using Pairs = __m512i;

inline Input toInput(float x) { return toBfloat(x); }
inline Pairs loadWeights(const uint16_t* from) { return _mm512_loadu_si512(from); }
inline Pairs loadWeights(const uint16_t* from, int64_t count) {
  return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((uint64_t{1} << count) - 1), from);
}
inline Pairs loadInputs(const Input* from) { return _mm512_loadu_si512(from); }
inline Vec dot(Vec sum, Pairs w, Pairs x) { return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)w, (__m512bh)x); }

inline void toInputs(const float* from, int64_t count, Input* to) {
  int64_t k = 0;
  for (; k + kStep <= count; k += kStep) {
    const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + k + kLanes), _mm512_loadu_ps(from + k));
    std::memcpy(to + k, &both, sizeof both);
  }
  for (; k < count; ++k) to[k] = toInput(from[k]);
}

#else

using Input = float;
constexpr int kStep = kLanes;
using Pairs = Vec;

inline Input toInput(float x) { return fromBfloat(toBfloat(x)); }
inline Pairs loadWeights(const uint16_t* from) { return simd::loadBfloat(from); }
inline Pairs loadWeights(const uint16_t* from, int64_t count) { return simd::loadBfloatPart(from, count); }
inline Pairs loadInputs(const Input* from) { return simd::load(from); }
inline Vec dot(Vec sum, Pairs w, Pairs x) { return sum + w * x; }

inline void toInputs(const float* from, int64_t count, Input* to) {
  for (int64_t k = 0; k < count; ++k) to[k] = toInput(from[k]);
}

#endif

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

template <int M, int N>
struct Tile {
  Vec sums[M * N] = {};

  // `count` inputs; those of x are padded with zeros to a whole step.
  void add(const Strip<uint16_t>& weights, const Strip<Input>& x, int64_t count) {
    int64_t k = 0;
    for (; k + kStep <= count; k += kStep) {
      Pairs w[M];
      for (int m = 0; m < M; ++m) w[m] = loadWeights(weights.row(m) + k);
      step(w, x, k);
    }
    if (k == count) return;
    Pairs w[M];
    for (int m = 0; m < M; ++m) w[m] = loadWeights(weights.row(m) + k, count - k);
    step(w, x, k);
  }

  // The same for whole groups of kSteps steps, whose sums are scaled: scales.row(m)[group].
  template <int kSteps>
  void addScaled(const Strip<uint16_t>& weights, const Strip<float>& scales, const Strip<Input>& x, int64_t groups) {
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t from = g * kSteps * kStep;
      Pairs w[M][kSteps];
      for (int m = 0; m < M; ++m)
        for (int s = 0; s < kSteps; ++s) w[m][s] = loadWeights(weights.row(m) + from + s * kStep);
      for (int n = 0; n < N; ++n)
        for (int m = 0; m < M; ++m) {
          Vec sum{};
          for (int s = 0; s < kSteps; ++s) sum = dot(sum, w[m][s], loadInputs(x.row(n) + from + s * kStep));
          sums[m * N + n] += sum * scales.row(m)[g];
        }
    }
  }

  void finish(float* y, int64_t stride, bool first) { finishSums<N>(sums, M * N, y, stride, first); }

 private:
  void step(const Pairs (&w)[M], const Strip<Input>& x, int64_t k) {
    for (int n = 0; n < N; ++n) {
      const Pairs in = loadInputs(x.row(n) + k);
      for (int m = 0; m < M; ++m) sums[m * N + n] = dot(sums[m * N + n], w[m], in);
    }
  }
};

}  // namespace rows
}  // namespace looprpt
