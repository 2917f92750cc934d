// The two arithmetics of products with stored weights: how x is rounded, how operands are multiplied, what a sum is.
//
// Pairs: x in bfloat16, weights in bfloat16 (or whole numbers that are exact in it), float32 sums. Words: a row of x in
// 16 bits, each the same share of the row's largest number; weights of 8 bits; whole sums, which are exact. Where the
// processor has no instruction for it, both multiply float32.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "bfloat.h"

#if LOOPRPT_HAS_BFLOAT_DOT && defined(__AVX512VNNI__)
#define LOOPRPT_HAS_WORD_DOT 1
#else
#define LOOPRPT_HAS_WORD_DOT 0
#endif

namespace looprpt {
namespace rows {

using simd::kLanes;
using simd::Vec;

// Float32 operands, for processors without the instructions.
struct Floats {
  using Input = float;
  using Operand = Vec;
  using Sum = Vec;
  static constexpr int kStep = kLanes;
  static Operand loadWeights(const uint16_t* from) { return simd::loadBfloat(from); }
  static Operand loadWeights(const uint16_t* from, int64_t count) { return simd::loadBfloatPart(from, count); }
  static Operand loadInputs(const Input* from) { return simd::load(from); }
  static Sum dot(Sum sum, Operand w, Operand x) { return sum + w * x; }
  static Vec wide(Sum sum) { return sum; }
};

#if LOOPRPT_HAS_BFLOAT_DOT

struct Pairs {
  using Input = uint16_t;
  using Operand = __m512i;
  using Sum = Vec;
  static constexpr int kStep = 32;
  static Operand loadWeights(const uint16_t* from) { return _mm512_loadu_si512(from); }
  static Operand loadWeights(const uint16_t* from, int64_t count) {
    return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((uint64_t{1} << count) - 1), from);
  }
  static Operand loadInputs(const Input* from) { return _mm512_loadu_si512(from); }
  static Sum dot(Sum sum, Operand w, Operand x) { return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)w, (__m512bh)x); }
  static Vec wide(Sum sum) { return sum; }
  // @returns what the result is to be multiplied by
  static float toInputs(const float* from, int64_t count, Input* to) {
    int64_t k = 0;
    for (; k + kStep <= count; k += kStep) {
      const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + k + kLanes), _mm512_loadu_ps(from + k));
      std::memcpy(to + k, &both, sizeof both);
    }
    for (; k < count; ++k) to[k] = toBfloat(from[k]);
    return 1.0f;
  }
};

#else

struct Pairs : Floats {
  static float toInputs(const float* from, int64_t count, Input* to) {
    for (int64_t k = 0; k < count; ++k) to[k] = fromBfloat(toBfloat(from[k]));
    return 1.0f;
  }
};

#endif

// The largest number of a row in 16 bits.
constexpr float kLargestWord = 32767.0f;

// What a row is multiplied by to be words, and its words by to be the row: 0 and 0 for nothing but zeros, NaN where the
// row has a number that is none.
struct WordScale {
  float toWords, toNumbers;
};

inline WordScale wordScale(const float* from, int64_t count) {
  float largest = 0, check = 0;
  for (int64_t k = 0; k < count; ++k) {
    const float size = std::fabs(from[k]);
    largest = size > largest ? size : largest;
    check += from[k] * 0.0f;
  }
  if (check != 0) return {0, std::numeric_limits<float>::quiet_NaN()};
  // Smaller ones have no reciprocal in float32, and nothing to add.
  if (largest < 1e-30f) return {0, 0};
  return {kLargestWord / largest, largest / kLargestWord};
}

#if LOOPRPT_HAS_WORD_DOT

struct Words {
  using Input = int16_t;
  using Operand = __m512i;
  using Sum = __m512i;
  static constexpr int kStep = 32;
  static Operand loadWeights(const uint16_t* from) { return _mm512_loadu_si512(from); }
  static Operand loadWeights(const uint16_t* from, int64_t count) {
    return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((uint64_t{1} << count) - 1), from);
  }
  static Operand loadInputs(const Input* from) { return _mm512_loadu_si512(from); }
  static Sum dot(Sum sum, Operand w, Operand x) { return _mm512_dpwssd_epi32(sum, w, x); }
  static Vec wide(Sum sum) { return (Vec)_mm512_cvtepi32_ps(sum); }
  static float toInputs(const float* from, int64_t count, Input* to) {
    const WordScale scale = wordScale(from, count);
    int64_t k = 0;
    for (; k + kLanes <= count; k += kLanes)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + k),
                          _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(
                              _mm512_mul_ps(_mm512_loadu_ps(from + k), _mm512_set1_ps(scale.toWords)))));
    for (; k < count; ++k) to[k] = static_cast<int16_t>(std::lrintf(from[k] * scale.toWords));
    return scale.toNumbers;
  }
};

#else

struct Words : Floats {
  static float toInputs(const float* from, int64_t count, Input* to) {
    const WordScale scale = wordScale(from, count);
    for (int64_t k = 0; k < count; ++k) to[k] = scale.toWords == 0 ? 0.0f : std::rint(from[k] * scale.toWords);
    return scale.toNumbers;
  }
};

#endif

}  // namespace rows
}  // namespace looprpt
