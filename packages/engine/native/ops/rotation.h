// Rotary position embedding of one head of D elements, half-split: elements j and j + D/2 turn together, by the angle
// that belongs to the place and to j. The only place where the CPU's kernels rotate.
#pragma once

#include <cstdint>

#include "elements.h"

namespace looprpt {

// cos and sin of one place, P = D/2 numbers each.
struct Angles {
  const float *cos, *sin;
};

// Tables of cos and sin of every place, [B or 1, places, P]; batchStride 0 shares one table.
struct Rope {
  const float* cos;
  const float* sin;
  int64_t batchStride;
  Angles at(int64_t b, int64_t place, int64_t P) const {
    const int64_t row = b * batchStride + place * P;
    return {cos + row, sin + row};
  }
};

enum class Turn { kForward, kBack };

// to = scale · x, turned
template <Turn turn = Turn::kForward, typename From, typename To>
inline void rotate(const From* x, const Angles& angles, int64_t P, float scale, To* to) {
  constexpr float sign = turn == Turn::kForward ? 1.0f : -1.0f;
  simd::overLanes(P, [&](int64_t j, auto lanes) {
    const simd::Vec a = simd::load(x + j, lanes), b = simd::load(x + P + j, lanes);
    const simd::Vec cos = simd::load(angles.cos + j, lanes), sin = sign * simd::load(angles.sin + j, lanes);
    simd::store(to + j, scale * (a * cos - b * sin), lanes);
    simd::store(to + P + j, scale * (b * cos + a * sin), lanes);
  });
}

}  // namespace looprpt
