// Sums of the lanes of kLanes vectors at once.
//
// The additions of one sum form the same tree in whichever place the vector stands, so a dot product that ends here has
// the same bits wherever in a tile it was computed. Operators whose rows must not depend on their neighbours rest on
// that.
#pragma once

#include <utility>

#include "simd.h"

namespace looprpt {
namespace simd {

// Lanes i and i ^ distance of `a` added where bit `distance` of i is clear, those of `b` where it is set.
template <int distance, size_t... I>
inline Vec foldPair(Vec a, Vec b, std::index_sequence<I...>) {
#if defined(__clang__)
  const Vec near = __builtin_shufflevector(a, b, ((I & distance) ? I + kLanes : I)...);
  const Vec far = __builtin_shufflevector(a, b, ((I & distance) ? (I ^ distance) + kLanes : (I ^ distance))...);
#else
  const Vec near = __builtin_shuffle(a, b, IntVec{static_cast<int32_t>((I & distance) ? I + kLanes : I)...});
  const Vec far = __builtin_shuffle(
      a, b, IntVec{static_cast<int32_t>((I & distance) ? (I ^ distance) + kLanes : (I ^ distance))...});
#endif
  return near + far;
}

template <int count>
inline Vec foldLanes(Vec* v) {
  if constexpr (count == 1) {
    return v[0];
  } else {
    constexpr int half = count / 2;
    for (int i = 0; i < half; ++i) v[i] = foldPair<half>(v[i], v[i + half], std::make_index_sequence<kLanes>());
    return foldLanes<half>(v);
  }
}

// Lane i of the result is the sum of the lanes of v[i]; v is overwritten.
inline Vec laneSums(Vec (&v)[kLanes]) { return foldLanes<kLanes>(v); }

// The first `count` < kLanes floats, zeros behind them.
inline Vec loadPart(const float* from, int64_t count) {
  Vec v{};
  std::memcpy(&v, from, count * sizeof(float));
  return v;
}

}  // namespace simd
}  // namespace looprpt
