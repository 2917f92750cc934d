// A row of whole numbers by few rows x as it is read: codes become bfloat16 in registers (AVX512-BF16).
//
// Chunks of 128 inputs, which are four vectors of bfloat16 and one to four groups. The additions are those of a tile
// (row_tile.h): a group's products in one chain, then its scale.
#pragma once

#include "quantised.h"

#if LOOPRPT_HAS_BFLOAT_DOT

namespace looprpt {

constexpr int kChunkSteps = kNibbleBlock / rows::kStep;

// bfloat16 of i − zero for i = 0..15, twice: the fifth bit of an index is of no account.
struct NibbleTables {
  alignas(64) uint16_t values[16][32];
  NibbleTables();
};
const NibbleTables& nibbleTables();

// code − zero of 32 codes of a byte each
template <bool kSigned>
inline __m512i bytesToBfloat(const uint8_t* from, __m512i zero) {
  const auto half = [&](const uint8_t* at) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    if constexpr (kSigned) return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(bytes), zero));
  };
  return (__m512i)_mm512_cvtne2ps_pbh(half(from + 16), half(from));
}

// The same for a chunk; `zeros` are of its groups of kSteps steps, or null.
template <int kBits, int kSteps, bool kZeros>
inline void loadChunk(const uint8_t* codes, const uint8_t* zeros, __m512i (&w)[kChunkSteps]) {
  __builtin_prefetch(codes + rows::kBytesAhead);
  if constexpr (kBits == 8) {
    __builtin_prefetch(codes + rows::kBytesAhead + 64);
    for (int s = 0; s < kChunkSteps; ++s)
      w[s] = bytesToBfloat<!kZeros>(codes + s * rows::kStep, _mm512_set1_epi32(kZeros ? zeros[s / kSteps] : 0));
  } else {
    const NibbleTables& tables = nibbleTables();
    const __m512i words = _mm512_loadu_si512(codes);
    const auto look = [&](__m512i index, int s) {
      return _mm512_permutexvar_epi16(index, _mm512_load_si512(tables.values[kZeros ? zeros[s / kSteps] & 15 : 8]));
    };
    w[0] = look(words, 0);
    w[1] = look(_mm512_srli_epi16(words, 4), 1);
    w[2] = look(_mm512_srli_epi16(words, 8), 2);
    w[3] = look(_mm512_srli_epi16(words, 12), 3);
  }
}

// sums[n] += x_n · row, `count` inputs, a multiple of 128; codes, scales and zeros are those of the first input.
template <int kBits, int kSteps, bool kZeros, int N>
void addCodes(const uint8_t* codes, const float* scales, const uint8_t* zeros, const rows::Strip<rows::Input>& x,
              int64_t count, rows::Vec (&sums)[N]) {
  constexpr int kGroups = kChunkSteps / kSteps;
  for (int64_t k = 0; k < count; k += kNibbleBlock) {
    __m512i w[kChunkSteps];
    loadChunk<kBits, kSteps, kZeros>(codes, zeros, w);
    for (int g = 0; g < kGroups; ++g)
      for (int n = 0; n < N; ++n) {
        const rows::Input* in = x.row(n) + k + g * kSteps * rows::kStep;
        rows::Vec sum{};
        for (int s = 0; s < kSteps; ++s)
          sum = rows::dot(sum, w[g * kSteps + s], rows::loadInputs(in + s * rows::kStep));
        sums[n] += sum * scales[g];
      }
    codes += kNibbleBlock * kBits / 8;
    scales += kGroups;
    if constexpr (kZeros) zeros += kGroups;
  }
}

template <int N>
void Quantised::addRow(int64_t row, int64_t from, int64_t count, const rows::Strip<rows::Input>& x,
                       rows::Vec (&sums)[N]) const {
  float ofGroups[rows::kBlock / 32];
  const int64_t first = from / group;
  scalesTo(row, first, count / group, ofGroups);
  const uint8_t* code = codes + row * rowBytes + from * bits / 8;
  const uint8_t* zero = zeros ? zeros + row * groups + first : nullptr;
  const auto add = [&](auto b, auto steps) {
    if (zero)
      addCodes<b.value, steps.value, true>(code, ofGroups, zero, x, count, sums);
    else
      addCodes<b.value, steps.value, false>(code, ofGroups, zero, x, count, sums);
  };
  const auto withSteps = [&](auto b) {
    if (group == 32) return add(b, std::integral_constant<int, 1>{});
    if (group == 64) return add(b, std::integral_constant<int, 2>{});
    return add(b, std::integral_constant<int, 4>{});
  };
  if (bits == 8) return withSteps(std::integral_constant<int, 8>{});
  return withSteps(std::integral_constant<int, 4>{});
}

}  // namespace looprpt

#endif
