// A row of quantised weights by few rows of x in bytes, as it is read.
//
// Whole numbers are multiplied and added exactly through a stretch of 512 inputs, each lane a group of 32; then zeros
// are taken off by the sums of x's groups, and the lanes are scaled, in float32. Without instructions for bytes the row
// becomes floats first.
#pragma once

#include <algorithm>
#include <utility>

#include "byte_inputs.h"
#include "quantised.h"
#include "row_stream.h"

namespace looprpt {
namespace rows {

// Rows of x that share one reading: their sums stay in registers.
constexpr int kByteRows = 4;
// As kBytesAhead, of codes: four bits take as long to unpack as several rows of x do to multiply.
template <int kBits, int N>
constexpr int64_t kCodesAhead = kBits == 8 ? kBytesAhead<N> : 8192;

#if LOOPRPT_HAS_BYTE_DOT

constexpr int64_t kStep = 64;
constexpr int64_t kSteps = kStretch / kStep;

// Calls step(0), step(1), …, each a constant, so that sums stay in registers.
template <class Step, size_t... S>
inline void forSteps(const Step& step, std::index_sequence<S...>) {
  (step(std::integral_constant<int64_t, static_cast<int64_t>(S)>{}), ...);
}

// Lanes of step s of the end of a row in the vector of its groups: eight of group 2s, eight of the next.
inline __m512i lanesOfStep(int64_t s) {
  const __m512i first = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_add_epi32(first, _mm512_set1_epi32(static_cast<int>(2 * s)));
}

// By groups of x a vector that is given by groups of the weights, of which one holds `group` inputs.
inline __m512 byInputGroups(__m512 byWeightGroups, int64_t group) {
  if (group == 32) return byWeightGroups;
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_permutexvar_ps(_mm512_srli_epi32(lanes, group == 64 ? 1 : 2), byWeightGroups);
}

// What a row has for the stretch from input `from` on, by groups of x; zeros behind its end.
struct StretchScales {
  __m512 scales, zeros;
  StretchScales(const Quantised& q, int64_t row, int64_t from) {
    const int64_t first = from / q.group, left = std::min(kStretch / q.group, q.groups - first);
    const __mmask16 some = static_cast<__mmask16>((1u << left) - 1);
    const __m256i stored = _mm256_maskz_loadu_epi16(some, q.scales + row * q.groups + first);
    scales = byInputGroups(
        q.scalesAreBfloat ? (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(stored), 16) : _mm512_cvtph_ps(stored),
        q.group);
    zeros = _mm512_set1_ps(q.bits == 8 ? 128.0f : 8.0f);
    if (q.zeros) {
      const __m128i points = _mm_maskz_loadu_epi8(some, q.zeros + row * q.groups + first);
      zeros = byInputGroups(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(points)), q.group);
    }
  }
};

// Unsigned codes of a step of 64 inputs, `left` of which the row has.
template <int kBits, int N>
inline __m512i codesOfStep(const uint8_t* stretch, int64_t s, int64_t left, __m512i flip) {
  if constexpr (kBits == 8) {
    const uint8_t* from = stretch + s * kStep;
    ask(from + kCodesAhead<kBits, N>);
    const __m512i codes =
        left >= kStep ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi8((uint64_t{1} << left) - 1, from);
    return _mm512_xor_si512(codes, flip);
  } else {
    const uint8_t* from = stretch + s / 2 * kStep;
    if (s % 2 == 0) ask(from + kCodesAhead<kBits, N>);
    const __m512i both = _mm512_loadu_si512(from);
    return _mm512_and_si512(s % 2 == 0 ? both : _mm512_srli_epi16(both, 4), _mm512_set1_epi8(15));
  }
}

// The zeros of a step of the end of a row, as its codes are.
inline __m512i zeroOfStep(const Quantised& q, int64_t row, int64_t k) {
  if (!q.zeros) return _mm512_set1_epi8(static_cast<char>(q.bits == 8 ? 128 : 8));
  const uint8_t* zeros = q.zeros + row * q.groups;
  const auto of = [&](int64_t input) {
    return _mm512_set1_epi8(static_cast<char>(zeros[std::min(input / q.group, q.groups - 1)]));
  };
  return _mm512_mask_blend_epi8(0xffffffff00000000u, of(k), of(k + kByteGroup));
}

// sums[n] += x_n · row over `inputs` inputs from `from` on, which is the first of a stretch.
template <int kBits, int N>
void addCodes(const Quantised& q, int64_t row, int64_t from, int64_t inputs, const ByteStrip& x, Vec (&sums)[N]) {
  // Signed codes become unsigned by their highest bit.
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(q.zeros ? 0 : 0x80));
  const uint8_t* codes = q.codes + row * q.rowBytes + from * kBits / 8;
  for (int64_t k = 0; k < inputs; k += kStretch, codes += kStretch * kBits / 8) {
    const StretchScales of(q, row, from + k);
    const int64_t group = (from + k) / kByteGroup, left = inputs - k;
    const auto dot = [&](__m512i sum, __m512i w, int n, int64_t s) {
      return _mm512_dpbusd_epi32(sum, w, _mm512_loadu_si512(x.values + n * x.stride + from + k + s * kStep));
    };
    Vec products[N];
    for (int n = 0; n < N; ++n) products[n] = (Vec)of.scales * simd::load(x.scalesOf(n) + group);
    if (left >= kStretch) {
      __m512i dots[N];
      for (int n = 0; n < N; ++n) dots[n] = _mm512_setzero_si512();
      forSteps(
          [&](auto step) {
            const __m512i w = codesOfStep<kBits, N>(codes, decltype(step)::value, kStep, flip);
            for (int n = 0; n < N; ++n) dots[n] = dot(dots[n], w, n, decltype(step)::value);
          },
          std::make_index_sequence<kSteps>());
      for (int n = 0; n < N; ++n) {
        const Vec zeros = (Vec)of.zeros * simd::load(x.sumsOf(n) + group);
        sums[n] += ((Vec)_mm512_cvtepi32_ps(dots[n]) - zeros) * products[n];
      }
    } else {
      // In their own order the lanes of a step are two groups.
      for (int64_t s = 0; s * kStep < left; ++s) {
        const __m512i w = codesOfStep<kBits, N>(codes, s, left - s * kStep, flip);
        const __m512i zero = zeroOfStep(q, row, from + k + s * kStep);
        for (int n = 0; n < N; ++n) {
          const __m512i none = _mm512_setzero_si512();
          const __m512i dots = _mm512_sub_epi32(dot(none, w, n, s), dot(none, zero, n, s));
          sums[n] += (Vec)_mm512_cvtepi32_ps(dots) * (Vec)_mm512_permutexvar_ps(lanesOfStep(s), (__m512)products[n]);
        }
      }
    }
  }
}

#else

// The same over floats; `inputs` is at most a block.
template <int kBits, int N>
void addCodes(const Quantised& q, int64_t row, int64_t from, int64_t inputs, const ByteStrip& x, Vec (&sums)[N]) {
  static thread_local float weights[kBlock];
  const int64_t padded = (inputs + simd::kLanes - 1) / simd::kLanes * simd::kLanes;
  for (int64_t k = 0; k < padded; ++k)
    weights[k] = k < inputs ? q.scale(row, (from + k) / q.group) * static_cast<float>(q.number(row, from + k)) : 0.0f;
  for (int n = 0; n < N; ++n) {
    const float* values = x.values + n * x.stride + from;
    for (int64_t k = 0; k < padded; k += simd::kLanes) sums[n] += simd::load(weights + k) * simd::load(values + k);
    // What is no number is not in the values.
    for (int64_t k = 0; k < inputs; k += kByteGroup) sums[n] += 0.0f * x.scalesOf(n)[(from + k) / kByteGroup];
  }
}

#endif

}  // namespace rows
}  // namespace looprpt
