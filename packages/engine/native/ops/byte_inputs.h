// x of products with quantised weights: rows in whole numbers of 8 bits, with a scale for each 32 of them.
//
// A number is its share of the largest of its group, in 127 steps to either side: what that costs is far below what
// weights of 4 bits cost, and no more than what those of 8 bits do. Where the processor has no instruction for products
// of bytes, the same numbers are kept as floats. A group with a number that is none makes its whole row NaN.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "cache_lines.h"
#include "quantised.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VNNI__)
#define LOOPRPT_HAS_BYTE_DOT 1
#include <immintrin.h>
#else
#define LOOPRPT_HAS_BYTE_DOT 0
#endif

namespace looprpt {
namespace rows {

constexpr int64_t kByteGroup = 32;
constexpr float kLargestByte = 127.0f;

// Rows from some row on, padded with zeros to whole stretches. Bytes are in the order of the weights' places
// (quantised.h), floats in their own.
struct ByteStrip {
#if LOOPRPT_HAS_BYTE_DOT
  const int8_t* values;
#else
  const float* values;
#endif
  // By group: the scale, and the sum of its whole numbers.
  const float *scales, *sums;
  int64_t stride;
  const float* scalesOf(int64_t row) const { return scales + row * (stride / kByteGroup); }
  const float* sumsOf(int64_t row) const { return sums + row * (stride / kByteGroup); }
};

class ByteInputs {
 public:
  ByteInputs(int64_t count, int64_t in)
      : in_(in),
        stride_((in + kStretch - 1) / kStretch * kStretch),
        values_(count * stride_),
        scales_(count * stride_ / kByteGroup),
        sums_(count * stride_ / kByteGroup) {}

  // Row n from `in` floats.
  void set(int64_t n, const float* from) {
    for (int64_t k = 0; k < in_; k += kByteGroup) {
      const int64_t at = n * stride_ + k, count = in_ - k < kByteGroup ? in_ - k : kByteGroup;
      Value group[kByteGroup] = {};
      setGroup(from + k, count, group, scales_[at / kByteGroup], sums_[at / kByteGroup]);
      put(group, values_.data() + n * stride_, k);
    }
  }
  ByteStrip from(int64_t n) const {
    const int64_t group = n * stride_ / kByteGroup;
    return {values_.data() + n * stride_, scales_.data() + group, sums_.data() + group, stride_};
  }

 private:
#if LOOPRPT_HAS_BYTE_DOT
  using Value = int8_t;
#else
  using Value = float;
#endif
  int64_t in_, stride_;
  CacheLines<Value> values_;
  CacheLines<float> scales_, sums_;

  // The scale of a group and what its numbers are multiplied by to be whole; both 0 for nothing but zeros.
  static float inverseOf(float largest, float& scale) {
    // Smaller ones have no reciprocal in float32, and nothing to add.
    const bool isNothing = largest < 1e-30f;
    scale = isNothing ? 0.0f : largest / kLargestByte;
    return isNothing ? 0.0f : kLargestByte / largest;
  }

#if LOOPRPT_HAS_BYTE_DOT
  // Four inputs stay together wherever they are.
  void put(const int8_t* group, int8_t* row, int64_t k) const {
    for (int64_t i = 0; i < kByteGroup; i += 4) std::memcpy(row + placeOf(k + i, in_), group + i, 4);
  }
  static void setGroup(const float* from, int64_t count, int8_t* to, float& scale, float& sum) {
    const __mmask32 some = static_cast<__mmask32>((uint64_t{1} << count) - 1);
    const __m512 a = _mm512_maskz_loadu_ps(static_cast<__mmask16>(some), from);
    const __m512 b = _mm512_maskz_loadu_ps(static_cast<__mmask16>(some >> 16), from + 16);
    // A product with zero is zero of a number, and NaN of anything else.
    const __m512 check = _mm512_mul_ps(_mm512_add_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)), _mm512_setzero_ps());
    if (_mm512_cmp_ps_mask(check, check, _CMP_UNORD_Q) != 0) {
      scale = std::numeric_limits<float>::quiet_NaN();
      sum = 0;
      return;
    }
    const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
    const __m512 inverse = _mm512_set1_ps(inverseOf(largest, scale));
    const __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(a, inverse));
    const __m512i second = _mm512_cvtps_epi32(_mm512_mul_ps(b, inverse));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtsepi32_epi8(first));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16), _mm512_cvtsepi32_epi8(second));
    sum = static_cast<float>(_mm512_reduce_add_epi32(_mm512_add_epi32(first, second)));
  }
#else
  void put(const float* group, float* row, int64_t k) const { std::memcpy(row + k, group, kByteGroup * sizeof(float)); }
  static void setGroup(const float* from, int64_t count, float* to, float& scale, float&) {
    float largest = 0, check = 0;
    for (int64_t k = 0; k < count; ++k) {
      largest = std::fabs(from[k]) > largest ? std::fabs(from[k]) : largest;
      check += from[k] * 0.0f;
    }
    const float inverse = inverseOf(largest, scale);
    if (check != 0) scale = std::numeric_limits<float>::quiet_NaN();
    for (int64_t k = 0; k < count; ++k) to[k] = (check != 0 ? 0.0f : std::rint(from[k] * inverse)) * scale;
  }
#endif
};

}  // namespace rows
}  // namespace looprpt
