// Whole numbers to bfloat16, as vectors where the processor has them.
#include "quantised_stream.h"

#include <c10/util/Half.h>

#if defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#endif

namespace looprpt {

float Quantised::scale(int64_t row, int64_t g) const {
  const uint16_t bits = scales[row * groups + g];
  return scalesAreBfloat ? fromBfloat(bits) : static_cast<float>(c10::Half(bits, c10::Half::from_bits()));
}

void Quantised::scalesTo(int64_t row, int64_t first, int64_t count, float* to) const {
  int64_t g = 0;
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  const uint16_t* from = scales + row * groups + first;
  const auto widen = [&](__m256i half) {
    return scalesAreBfloat ? (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16) : _mm512_cvtph_ps(half);
  };
  // Whole vectors without a mask: what a masked store wrote cannot be loaded before it is in the cache.
  for (; g + 16 <= count; g += 16)
    _mm512_storeu_ps(to + g, widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + g))));
  if (g < count) {
    const __mmask16 some = static_cast<__mmask16>((1u << (count - g)) - 1);
    _mm512_mask_storeu_ps(to + g, some, widen(_mm256_maskz_loadu_epi16(some, from + g)));
    g = count;
  }
#endif
  for (; g < count; ++g) to[g] = scale(row, first + g);
}

#if LOOPRPT_HAS_WORD_DOT

NibbleTables::NibbleTables() {
  for (int zero = 0; zero < 16; ++zero)
    for (int i = 0; i < 32; ++i) values[zero][i] = toBfloat(static_cast<float>(i % 16 - zero));
}

const NibbleTables& nibbleTables() {
  static const NibbleTables tables;
  return tables;
}

#endif

namespace {

void decodeNibbles(const uint8_t* block, const int* zeros, uint16_t* to) {
#if LOOPRPT_HAS_WORD_DOT
  const NibbleTables& tables = nibbleTables();
  const __m512i words = _mm512_loadu_si512(block);
  const auto look = [&](__m512i index, int j) {
    _mm512_storeu_si512(to + 32 * j, _mm512_permutexvar_epi16(index, _mm512_load_si512(tables.values[zeros[j]])));
  };
  look(words, 0);
  look(_mm512_srli_epi16(words, 4), 1);
  look(_mm512_srli_epi16(words, 8), 2);
  look(_mm512_srli_epi16(words, 12), 3);
#else
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < 32; ++i) {
      const int byte = block[2 * i + j / 2];
      const int code = j % 2 == 0 ? byte & 15 : byte >> 4;
      to[32 * j + i] = toBfloat(static_cast<float>(code - zeros[j]));
    }
#endif
}

void decodeBytes(const uint8_t* codes, int64_t count, bool isSigned, int zero, uint16_t* to) {
  int64_t k = 0;
#if LOOPRPT_HAS_WORD_DOT
  const __m512i zeros = _mm512_set1_epi16(static_cast<int16_t>(zero));
  for (; k + 32 <= count; k += 32)
    _mm512_storeu_si512(to + k,
                        isSigned ? bytesToWords<true>(codes + k, zeros) : bytesToWords<false>(codes + k, zeros));
#endif
  for (; k < count; ++k) {
    const int number = isSigned ? static_cast<int8_t>(codes[k]) : codes[k] - zero;
    to[k] = LOOPRPT_HAS_WORD_DOT ? static_cast<uint16_t>(number) : toBfloat(static_cast<float>(number));
  }
}

}  // namespace

void Quantised::decode(int64_t row, int64_t from, int64_t count, int64_t padded, uint16_t* to) const {
  const uint8_t* code = codes + row * rowBytes;
  const uint8_t* zero = zeros ? zeros + row * groups : nullptr;
  if (bits == 4) {
    for (int64_t k = 0; k < count; k += kNibbleBlock) {
      const uint8_t* block = code + (from + k) / 2;
      __builtin_prefetch(block + 8 * rowBytes);
      int ofBlock[4] = {8, 8, 8, 8};
      if (zero)
        for (int j = 0; j < 4; ++j) ofBlock[j] = zero[std::min((from + k + 32 * j) / group, groups - 1)] & 15;
      decodeNibbles(block, ofBlock, to + k);
    }
    std::fill(to + count, to + padded, uint16_t{0});
    return;
  }
  for (int64_t k = 0; k < count; k += group) {
    const int64_t end = std::min(k + group, count);
    for (int64_t line = k; line < end; line += 64) __builtin_prefetch(code + from + line + 8 * rowBytes);
    decodeBytes(code + from + k, end - k, !zero, zero ? zero[(from + k) / group] : 0, to + k);
  }
  std::fill(to + count, to + padded, uint16_t{0});
}

}  // namespace looprpt
