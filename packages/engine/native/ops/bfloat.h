// bfloat16 as bits: the upper half of a float32. Rounded to the nearest, ties to even; NaN stays NaN. And float16.
#pragma once

#include <cstdint>
#include <cstring>

#include "simd.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__)
#define LOOPRPT_HAS_BFLOAT_DOT 1
#include <immintrin.h>
#else
#define LOOPRPT_HAS_BFLOAT_DOT 0
#endif

namespace looprpt {

inline float fromBfloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

inline uint16_t toBfloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// float16 as bits.
inline float fromHalf(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, exponent = (bits >> 10) & 31, rest = bits & 1023;
  // Numbers below its smallest normal one are normal in float32, and made so without one that is not.
  if (exponent == 0) return (sign ? -0x1p-24f : 0x1p-24f) * static_cast<float>(rest);
  const uint32_t wide = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | rest << 13;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

namespace simd {

typedef uint16_t HalfVec __attribute__((vector_size(kLanes * 2)));
typedef uint32_t BitsVec __attribute__((vector_size(kLanes * 4)));

// kLanes numbers as floats
inline Vec loadBfloat(const uint16_t* from) {
  HalfVec half;
  std::memcpy(&half, from, sizeof half);
  const BitsVec bits = __builtin_convertvector(half, BitsVec) << 16;
  Vec v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

// The first `count` < kLanes of them, zeros behind them.
inline Vec loadBfloatPart(const uint16_t* from, int64_t count) {
  uint16_t part[kLanes] = {};
  std::memcpy(part, from, count * sizeof(uint16_t));
  return loadBfloat(part);
}

}  // namespace simd
}  // namespace looprpt
