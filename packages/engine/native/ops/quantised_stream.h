// A row of whole numbers by few rows x as it is read: codes become operands in registers (AVX512-BF16 and VNNI).
//
// Chunks of 128 inputs, which are four vectors of operands and one to four groups. The additions are those of a tile
// (row_tile.h): a group's products in one chain, then its scale.
#pragma once

#include "quantised.h"

#if LOOPRPT_HAS_WORD_DOT

namespace looprpt {

constexpr int kStepCodes = 32;
// As kBytesAhead, of codes: for any number of rows.
constexpr int64_t kCodesAhead = 8192;
constexpr int kChunkSteps = kNibbleBlock / kStepCodes;

// bfloat16 of i − zero for i = 0..15, twice: the fifth bit of an index is of no account.
struct NibbleTables {
  alignas(64) uint16_t values[16][32];
  NibbleTables();
};
const NibbleTables& nibbleTables();

// code − zero of 32 codes of a byte each
template <bool kSigned>
inline __m512i bytesToWords(const uint8_t* from, __m512i zero) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  if constexpr (kSigned) return _mm512_cvtepi8_epi16(bytes);
  return _mm512_sub_epi16(_mm512_cvtepu8_epi16(bytes), zero);
}

// The same for a chunk; `zeros` are of its groups of kSteps steps, or null; `nibbles` are the tables of all zeros, or
// where there are none, `eighth` the table of 8. Both are the caller's, who has them in registers.
template <int kBits, int kSteps, bool kZeros>
inline void loadChunk(const uint8_t* codes, const uint8_t* zeros, const NibbleTables& nibbles, __m512i eighth,
                      __m512i (&w)[kChunkSteps]) {
  rows::ask(codes + kCodesAhead);
  if constexpr (kBits == 8) {
    rows::ask(codes + kCodesAhead + 64);
    for (int s = 0; s < kChunkSteps; ++s)
      w[s] = bytesToWords<!kZeros>(codes + s * kStepCodes, _mm512_set1_epi16(kZeros ? zeros[s / kSteps] : 0));
  } else {
    const __m512i words = _mm512_loadu_si512(codes);
    const auto look = [&](__m512i index, int s) {
      return _mm512_permutexvar_epi16(index,
                                      kZeros ? _mm512_load_si512(nibbles.values[zeros[s / kSteps] & 15]) : eighth);
    };
    w[0] = look(words, 0);
    w[1] = look(_mm512_srli_epi16(words, 4), 1);
    w[2] = look(_mm512_srli_epi16(words, 8), 2);
    w[3] = look(_mm512_srli_epi16(words, 12), 3);
  }
}

// sums[n] += x_n · row, `count` inputs, a multiple of 128; codes, scales and zeros are those of the first input, whose
// group is the first of a block.
template <class A, int kBits, int kSteps, bool kZeros, int N>
void addCodes(const uint8_t* codes, const float* scales, const uint8_t* zeros, const rows::Strip<typename A::Input>& x,
              int64_t count, rows::Vec (&sums)[N]) {
  constexpr int kGroups = kChunkSteps / kSteps;
  rows::Vec chains[rows::kChains][N] = {};
  const NibbleTables& nibbles = nibbleTables();
  const __m512i eighth = _mm512_load_si512(nibbles.values[8]);
  // Two chunks, so that a group's chain is known where there is one group in each.
  const auto chunk = [&](int64_t k, auto odd) {
    __m512i w[kChunkSteps];
    loadChunk<kBits, kSteps, kZeros>(codes, zeros, nibbles, eighth, w);
    for (int g = 0; g < kGroups; ++g)
      for (int n = 0; n < N; ++n)
        rows::addGroup<A, kSteps>(w + g * kSteps, x.row(n) + k + g * kSteps * kStepCodes, scales[g],
                                  chains[(odd.value * kGroups + g) % rows::kChains][n]);
    codes += kNibbleBlock * kBits / 8;
    scales += kGroups;
    if constexpr (kZeros) zeros += kGroups;
  };
  int64_t k = 0;
  for (; k + 2 * kNibbleBlock <= count; k += 2 * kNibbleBlock) {
    chunk(k, std::integral_constant<int, 0>{});
    chunk(k + kNibbleBlock, std::integral_constant<int, 1>{});
  }
  if (k < count) chunk(k, std::integral_constant<int, 0>{});
  for (int n = 0; n < N; ++n) sums[n] += chains[0][n] + chains[1][n];
}

template <class A, int kBits, int N>
void addCodesOf(const Quantised& q, int64_t row, int64_t from, int64_t count, const rows::Strip<typename A::Input>& x,
                rows::Vec (&sums)[N]) {
  float scales[rows::kBlock / 32];
  const int64_t first = from / q.group;
  q.scalesTo(row, first, count / q.group, scales);
  const uint8_t* codes = q.codes + row * q.rowBytes + from * kBits / 8;
  const uint8_t* zeros = q.zeros ? q.zeros + row * q.groups + first : nullptr;
  const auto add = [&](auto steps) {
    if (zeros)
      addCodes<A, kBits, steps.value, true>(codes, scales, zeros, x, count, sums);
    else
      addCodes<A, kBits, steps.value, false>(codes, scales, zeros, x, count, sums);
  };
  if (q.group == 32) return add(std::integral_constant<int, 1>{});
  if (q.group == 64) return add(std::integral_constant<int, 2>{});
  return add(std::integral_constant<int, 4>{});
}

}  // namespace looprpt

#endif
