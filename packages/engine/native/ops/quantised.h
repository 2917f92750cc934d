// Weights as whole numbers with a scale for each group along the input.
//
//   int8: codes [out, in], one byte each. Without zero points they are signed; with them unsigned.
//   int4: codes [out, 64 · ceil(in / 128)]. A block of 64 bytes holds 128 inputs: input 32·j + i of the block is nibble
//   j
//         (from the lowest) of the block's little-endian 16-bit word i. Unsigned; without zero points the zero is 8.
//   scales [out, ceil(in / group)] in float16 or bfloat16; zeros the same in uint8, or none.
//
// weight = scale · (code − zero). code − zero is exact in bfloat16. Codes of 4 bits are multiplied as Pairs, those of 8
// bits as Words (row_arithmetic.h).
#pragma once

#include "row_product.h"

namespace looprpt {

struct Quantised {
  const uint8_t* codes;
  const uint16_t* scales;
  const uint8_t* zeros;  // or null
  int64_t in, group, groups, rowBytes;
  int bits;
  bool scalesAreBfloat;
  float scale(int64_t row, int64_t g) const;
  // `count` scales of a row from group `first` on
  void scalesTo(int64_t row, int64_t first, int64_t count, float* to) const;
  // code − zero of `count` inputs of a row from `from` on, a multiple of 128, as operands; zeros up to `padded`.
  void decode(int64_t row, int64_t from, int64_t count, int64_t padded, uint16_t* to) const;
  // The number of an operand.
  float number(uint16_t operand) const {
    return LOOPRPT_HAS_WORD_DOT && bits == 8 ? static_cast<float>(static_cast<int16_t>(operand)) : fromBfloat(operand);
  }
  // Whether a row can be multiplied as it is read (quantised_stream.h).
  bool streams() const { return LOOPRPT_HAS_WORD_DOT && in % 128 == 0; }
};

// Inputs of a block of 4-bit codes.
constexpr int64_t kNibbleBlock = 128;

}  // namespace looprpt
