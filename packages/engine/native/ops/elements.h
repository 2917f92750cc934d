// Kernels of float32 and bfloat16 in one text: vectors of either, computed with as floats, and the choice by dtype.
//
// A row of any length is walked over with `overLanes`; its body loads and stores whole vectors, and what is left of the
// row by the same calls. Lanes behind the end are loaded as zeros. A store to bfloat16 rounds to nearest, ties to even.
#pragma once

#include <ATen/ATen.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "simd.h"

namespace looprpt {

using BFloat16 = at::BFloat16;

namespace simd {

typedef uint16_t HalfVec __attribute__((vector_size(kLanes * 2)));

inline Vec widened(HalfVec half) {
  const IntVec bits = __builtin_convertvector(half, IntVec) << 16;
  Vec v;
  std::memcpy(&v, &bits, sizeof(Vec));
  return v;
}

inline HalfVec narrowed(Vec v) {
  HalfVec half;
#if defined(__AVX512BF16__)
  const __m256bh rounded = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  std::memcpy(&half, &rounded, sizeof(HalfVec));
#else
  IntVec bits;
  std::memcpy(&bits, &v, sizeof(Vec));
  const IntVec odd = (bits >> 16) & 1, up = bits + 0x7fff + odd;
  half = __builtin_convertvector((v == v ? up : bits | 0x400000) >> 16, HalfVec);
#endif
  return half;
}

inline Vec load(const BFloat16* from) {
  HalfVec half;
  std::memcpy(&half, from, sizeof(HalfVec));
  return widened(half);
}
inline void store(BFloat16* to, Vec v) {
  const HalfVec half = narrowed(v);
  std::memcpy(to, &half, sizeof(HalfVec));
}

// How much of a vector is meant: all of it, or the first `count` lanes.
struct Whole {};
struct Part {
  int64_t count;
};

template <typename T>
inline Vec load(const T* from, Whole) {
  return load(from);
}
template <typename T>
inline void store(T* to, Vec v, Whole) {
  store(to, v);
}
#if defined(__AVX512BW__) && defined(__AVX512VL__)
inline __mmask16 maskOf(Part part) { return static_cast<__mmask16>((1u << part.count) - 1); }
inline Vec load(const float* from, Part part) {
  return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(maskOf(part), from));
}
inline void store(float* to, Vec v, Part part) { _mm512_mask_storeu_ps(to, maskOf(part), reinterpret_cast<__m512>(v)); }
inline Vec load(const BFloat16* from, Part part) {
  return widened(reinterpret_cast<HalfVec>(_mm256_maskz_loadu_epi16(maskOf(part), from)));
}
inline void store(BFloat16* to, Vec v, Part part) {
  _mm256_mask_storeu_epi16(to, maskOf(part), reinterpret_cast<__m256i>(narrowed(v)));
}
#else
template <typename T>
inline Vec load(const T* from, Part part) {
  T padded[kLanes] = {};
  std::memcpy(padded, from, part.count * sizeof(T));
  return load(padded);
}
template <typename T>
inline void store(T* to, Vec v, Part part) {
  T padded[kLanes];
  store(padded, v);
  std::memcpy(to, padded, part.count * sizeof(T));
}
#endif

// body(i, whole or part) for the vectors of a row of `length` elements.
template <typename Body>
inline void overLanes(int64_t length, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes) body(i, Whole{});
  if (i < length) body(i, Part{length - i});
}

// The elements of a row in another dtype, or the same.
template <typename From, typename To>
inline void copyRow(const From* from, int64_t length, To* to) {
  overLanes(length, [&](int64_t i, auto lanes) { store(to + i, load(from + i, lanes), lanes); });
}

}  // namespace simd

// Whether these kernels take a tensor: float32 or bfloat16 on the CPU.
inline bool hasElements(const at::Tensor& t) {
  return t.is_cpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16);
}

// body(element) with a float or a BFloat16 that stands for the tensor's dtype.
template <typename Body>
inline auto byElement(const at::Tensor& t, const Body& body) {
  return t.scalar_type() == at::kBFloat16 ? body(BFloat16{}) : body(float{});
}

}  // namespace looprpt
