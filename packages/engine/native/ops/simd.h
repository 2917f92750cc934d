// Short vectors of floats by the compiler's own vector extension (GCC and Clang, any processor), and what the fused
// operators need of them: exp, sums, and one small matrix product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace looprpt {
namespace simd {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kRows = 8;  // rows of a tile: kRows × 2 accumulators stay in registers
#elif defined(__AVX__)
constexpr int kLanes = 8;
constexpr int kRows = 4;
#else
constexpr int kLanes = 4;
constexpr int kRows = 4;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int32_t IntVec __attribute__((vector_size(kLanes * 4)));

inline Vec load(const float* from) {
  Vec v;
  std::memcpy(&v, from, sizeof(Vec));
  return v;
}
inline void store(float* to, Vec v) { std::memcpy(to, &v, sizeof(Vec)); }
template <size_t... I>
inline Vec splatLanes(float x, std::index_sequence<I...>) {
  return Vec{(static_cast<void>(I), x)...};
}
inline Vec splat(float x) { return splatLanes(x, std::make_index_sequence<kLanes>()); }
inline Vec select(IntVec mask, Vec yes, Vec no) { return mask ? yes : no; }

inline IntVec iota() {
  IntVec v;
  for (int i = 0; i < kLanes; ++i) v[i] = i;
  return v;
}
inline float sum(Vec v) {
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += v[i];
  return total;
}
inline float max(Vec v) {
  float most = v[0];
  for (int i = 1; i < kLanes; ++i) most = v[i] > most ? v[i] : most;
  return most;
}

// e^x for −87 ≤ x ≤ 88 (clamped to that), within 2 units in the last place: x = n·ln 2 + r, a polynomial in r, n in the
// exponent.
inline Vec exp(Vec x) {
  x = select(x < -87.0f, splat(-87.0f), x);
  x = select(x > 88.0f, splat(88.0f), x);
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding and subtracting it rounds to a whole number
  const Vec n = (x * 1.44269504088896341f + kRound) - kRound;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const IntVec exponent = (__builtin_convertvector(n, IntVec) + 127) << 23;
  Vec scale;
  std::memcpy(&scale, &exponent, sizeof(Vec));
  return p * scale;
}

// C[r][·] (+)= Σ_k A[r·rowStride + k·stepStride] · B[k][·] for kRows rows and NV vectors.
template <int NV>
inline void tile(const float* a, ptrdiff_t rowStride, ptrdiff_t stepStride, const float* b, ptrdiff_t bStride,
                 int64_t steps, float* c, ptrdiff_t cStride, bool accumulate) {
  Vec sums[kRows][NV];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < NV; ++v) sums[r][v] = accumulate ? load(c + r * cStride + v * kLanes) : Vec{};
  for (int64_t k = 0; k < steps; ++k) {
    Vec row[NV];
    for (int v = 0; v < NV; ++v) row[v] = load(b + k * bStride + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const Vec factor = splat(a[r * rowStride + k * stepStride]);
      for (int v = 0; v < NV; ++v) sums[r][v] += factor * row[v];
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < NV; ++v) store(c + r * cStride + v * kLanes, sums[r][v]);
}

// The same for `columns` columns, a multiple of kLanes.
inline void rowsTimes(const float* a, ptrdiff_t rowStride, ptrdiff_t stepStride, const float* b, ptrdiff_t bStride,
                      int64_t steps, float* c, ptrdiff_t cStride, int64_t columns, bool accumulate) {
  int64_t j = 0;
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes)
    tile<2>(a, rowStride, stepStride, b + j, bStride, steps, c + j, cStride, accumulate);
  if (j < columns) tile<1>(a, rowStride, stepStride, b + j, bStride, steps, c + j, cStride, accumulate);
}

}  // namespace simd
}  // namespace looprpt
