// Rotary position embedding of one head of D floats, half-split: elements j and j + D/2 turn together, by the angle
// that belongs to the place and to j. The only place where the CPU's kernels rotate.
#pragma once

#include <cstdint>

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
template <Turn turn = Turn::kForward>
inline void rotate(const float* __restrict x, const Angles& angles, int64_t P, float scale, float* __restrict to) {
  constexpr float sign = turn == Turn::kForward ? 1.0f : -1.0f;
  const float* __restrict cos = angles.cos, * __restrict sin = angles.sin;
  for (int64_t j = 0; j < P; ++j) {
    const float a = x[j], b = x[j + P], s = sign * sin[j];
    to[j] = scale * (a * cos[j] - b * s);
    to[j + P] = scale * (b * cos[j] + a * s);
  }
}

}  // namespace looprpt
