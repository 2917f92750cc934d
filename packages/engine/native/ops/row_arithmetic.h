// The arithmetic of products with bfloat16 weights: how x is rounded, how operands are multiplied, what a sum is.
//
// x in bfloat16, float32 sums. Where the processor has no instruction for it, float32 is multiplied.
#pragma once

#include <cstdint>

#include "bfloat.h"

namespace looprpt {
namespace rows {

using simd::kLanes;
using simd::Vec;

// Float32 operands, for processors without the instructions.
struct Floats {
  using Input = float;
  using Operand = Vec;
  static constexpr int kStep = kLanes;
  static Operand loadWeights(const uint16_t* from) { return simd::loadBfloat(from); }
  static Operand loadWeights(const uint16_t* from, int64_t count) { return simd::loadBfloatPart(from, count); }
  static Operand loadInputs(const Input* from) { return simd::load(from); }
  static Vec dot(Vec sum, Operand w, Operand x) { return sum + w * x; }
};

#if LOOPRPT_HAS_BFLOAT_DOT

struct Pairs {
  using Input = uint16_t;
  using Operand = __m512i;
  static constexpr int kStep = 32;
  static Operand loadWeights(const uint16_t* from) { return _mm512_loadu_si512(from); }
  static Operand loadWeights(const uint16_t* from, int64_t count) {
    return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((uint64_t{1} << count) - 1), from);
  }
  static Operand loadInputs(const Input* from) { return _mm512_loadu_si512(from); }
  static Vec dot(Vec sum, Operand w, Operand x) { return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)w, (__m512bh)x); }
  static void toInputs(const float* from, int64_t count, Input* to) {
    int64_t k = 0;
    for (; k + kStep <= count; k += kStep) {
      const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + k + kLanes), _mm512_loadu_ps(from + k));
      std::memcpy(to + k, &both, sizeof both);
    }
    for (; k < count; ++k) to[k] = toBfloat(from[k]);
  }
};

#else

struct Pairs : Floats {
  static void toInputs(const float* from, int64_t count, Input* to) {
    for (int64_t k = 0; k < count; ++k) to[k] = fromBfloat(toBfloat(from[k]));
  }
};

#endif

}  // namespace rows
}  // namespace looprpt
