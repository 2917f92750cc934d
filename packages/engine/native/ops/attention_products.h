// The matrix products of attention, in two ways: by float32 tables, and by tables of pairs of bfloat16 where the
// processor multiplies those (AVX512-BF16). Rows come and results go in float32 either way; sums are float32. By pairs
// both factors are rounded to bfloat16, as plain operators in that dtype have them.
//
// A table [steps][columns] of pairs holds inner elements 2s and 2s + 1 of a column in one word, so that one instruction
// adds two products to each of its sums.
#pragma once

#include <type_traits>

#include "attention_pack.h"
#include "elements.h"

namespace looprpt {

// Tables of floats.
struct FloatProducts {
  using Word = float;
  static constexpr int64_t kInner = 1;  // inner elements of a word

  // C [kRows][columns] = rows [kRows][inner] · table; strides in elements and words.
  static void times(const float* rows, int64_t rowStride, int64_t inner, const float* table, int64_t tableStride,
                    float* c, int64_t cStride, int64_t columns) {
    simd::rowsTimes(rows, rowStride, 1, table, tableStride, inner, c, cStride, columns, false);
  }
  // C [kRows][columns] += weights [steps][kRows]ᵀ · table
  static void addTransposed(const float* weights, int64_t stride, int64_t steps, const float* table,
                            int64_t tableStride, float* c, int64_t cStride, int64_t columns) {
    simd::rowsTimes(weights, 1, stride, table, tableStride, steps, c, cStride, columns, true);
  }
  // Rows from..from + columns of a table [count][stride] of floats as words; here they are that already.
  static const float* inWords(const float* rows, int64_t, int64_t, int64_t, int64_t, Slot) { return rows; }
};

#if defined(__AVX512BF16__)

// Tables of pairs.
struct PairProducts {
  typedef uint32_t Word __attribute__((may_alias));
  static constexpr int64_t kInner = 2;

  static void times(const float* rows, int64_t rowStride, int64_t inner, const Word* table, int64_t tableStride,
                    float* c, int64_t cStride, int64_t columns) {
    const int64_t length = roundUp(inner, simd::kLanes);
    auto* halves = reinterpret_cast<BFloat16*>(threadScratch().get(kRowPairs, simd::kRows * length / 2));
    for (int64_t r = 0; r < simd::kRows; ++r)
      for (int64_t i = 0; i < length; i += simd::kLanes)
        simd::store(halves + r * length + i, simd::load(rows + r * rowStride + i));
    pairsTimes(reinterpret_cast<const Word*>(halves), length / 2, 1, table, tableStride, (inner + 1) / 2, c, cStride,
               columns, false);
  }
  static void addTransposed(const Word* weights, int64_t stride, int64_t steps, const Word* table, int64_t tableStride,
                            float* c, int64_t cStride, int64_t columns) {
    pairsTimes(weights, 1, stride, table, tableStride, steps, c, cStride, columns, true);
  }
  // count is even, columns a multiple of kLanes; what lies before `from` is not set.
  static const Word* inWords(const float* rows, int64_t count, int64_t stride, int64_t from, int64_t columns,
                             Slot slot) {
    auto* words = reinterpret_cast<Word*>(threadScratch().get(slot, count / 2 * stride));
    for (int64_t i = 0; i < count; i += 2)
      pairRows(rows + i * stride + from, stride, columns, words + i / 2 * stride + from);
    return words;
  }

  // to[·] ← the elements of two rows, `stride` apart, in pairs; columns a multiple of kLanes.
  template <typename T>
  static void pairRows(const T* rows, int64_t stride, int64_t columns, Word* to) {
    for (int64_t j = 0; j < columns; j += simd::kLanes) {
      const simd::HalfVec even = halvesOf(rows + j), odd = halvesOf(rows + stride + j);
      const simd::IntVec pairs =
          __builtin_convertvector(even, simd::IntVec) | __builtin_convertvector(odd, simd::IntVec) << 16;
      std::memcpy(to + j, &pairs, sizeof(pairs));
    }
  }

 private:
  static simd::HalfVec halvesOf(const float* from) { return simd::narrowed(simd::load(from)); }
  static simd::HalfVec halvesOf(const BFloat16* from) {
    simd::HalfVec half;
    std::memcpy(&half, from, sizeof(half));
    return half;
  }

  // simd::tile by pairs
  template <int NV>
  static void tile(const Word* a, int64_t rowStride, int64_t stepStride, const Word* b, int64_t bStride, int64_t steps,
                   float* c, int64_t cStride, bool accumulate) {
    using namespace simd;
    __m512 sums[kRows][NV];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < NV; ++v)
        sums[r][v] = accumulate ? _mm512_loadu_ps(c + r * cStride + v * kLanes) : _mm512_setzero_ps();
    for (int64_t s = 0; s < steps; ++s) {
      __m512bh row[NV];
      for (int v = 0; v < NV; ++v)
        row[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + s * bStride + v * kLanes));
      for (int r = 0; r < kRows; ++r) {
        const auto factor =
            reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(a[r * rowStride + s * stepStride])));
        for (int v = 0; v < NV; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], factor, row[v]);
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < NV; ++v) _mm512_storeu_ps(c + r * cStride + v * kLanes, sums[r][v]);
  }

  static void pairsTimes(const Word* a, int64_t rowStride, int64_t stepStride, const Word* b, int64_t bStride,
                         int64_t steps, float* c, int64_t cStride, int64_t columns, bool accumulate) {
    using simd::kLanes;
    int64_t j = 0;
    for (; j + 2 * kLanes <= columns; j += 2 * kLanes)
      tile<2>(a, rowStride, stepStride, b + j, bStride, steps, c + j, cStride, accumulate);
    if (j < columns) tile<1>(a, rowStride, stepStride, b + j, bStride, steps, c + j, cStride, accumulate);
  }
};

template <typename Element>
using ProductsOf = std::conditional_t<std::is_same_v<Element, BFloat16>, PairProducts, FloatProducts>;

#else

template <typename Element>
using ProductsOf = FloatProducts;

#endif

}  // namespace looprpt
