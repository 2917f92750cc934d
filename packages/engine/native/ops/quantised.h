// Weights as whole numbers with a scale for each group along the input.
//
//   int8: codes [out, in], one byte each. Without zero points they are signed; with them unsigned.
//   int4: codes [out, 64 · ceil(in / 128)]. A block of 64 bytes holds 128 places: place p of the block is the lower
//   half
//         of byte p, place 64 + p the upper half. Unsigned; without zero points the zero is 8.
//   scales [out, ceil(in / group)] in float16 or bfloat16; zeros the same in uint8, or none.
//
// weight = scale · (code − zero). Places of a row are inputs in the order in which they are multiplied: in each whole
// stretch of 512 inputs four of the first group of 32 come first, then four of the second, and so on. So each lane of a
// sum of bytes belongs to one group through the whole stretch. What is left of the row is in its own order.
#pragma once

#include <cstdint>

#include "bfloat.h"

namespace looprpt {

// Places of a block of 4-bit codes.
constexpr int64_t kNibbleBlock = 128;

// Inputs whose groups of 32 are the lanes of one vector.
constexpr int64_t kStretch = 512;

// Where input k of a row of `in` inputs is.
inline int64_t placeOf(int64_t k, int64_t in) {
  const int64_t stretch = k / kStretch * kStretch, at = k % kStretch;
  if (stretch + kStretch > in) return k;
  return stretch + at % 32 / 4 * 64 + at / 32 * 4 + at % 4;
}

struct Quantised {
  const uint8_t* codes;
  const uint16_t* scales;
  const uint8_t* zeros;  // or null
  int64_t in, group, groups, rowBytes;
  int bits;
  bool scalesAreBfloat;

  float scale(int64_t row, int64_t g) const {
    const uint16_t stored = scales[row * groups + g];
    return scalesAreBfloat ? fromBfloat(stored) : fromHalf(stored);
  }
  // code − zero
  int number(int64_t row, int64_t k) const {
    const uint8_t* from = codes + row * rowBytes;
    const int zero = zeros ? zeros[row * groups + k / group] : bits == 4 ? 8 : 0;
    const int64_t place = placeOf(k, in);
    if (bits == 8) return (zeros ? from[place] : static_cast<int8_t>(from[place])) - zero;
    const int64_t at = place % kNibbleBlock;
    const uint8_t both = from[place / kNibbleBlock * 64 + at % 64];
    return (at < 64 ? both & 15 : both >> 4) - zero;
  }
};

}  // namespace looprpt
