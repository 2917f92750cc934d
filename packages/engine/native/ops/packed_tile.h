// Dot products of many rows x with rows of bfloat16 weights that are laid anew first, so that a vector is one pair of
// inputs of 16 rows of weights.
//
// Laid so, no sum ends in a sum over lanes, and a pair of x is read for all of them. The additions are still those of
// row_tile.h, which come by the place of a pair in its step of 32 inputs: 16 chains, one for each place, and the tree
// over them. So an element has the same bits, and rows of x may come one way or the other. To lay weights anew takes as
// long as some thirty rows of x.
#pragma once

#include <algorithm>

#include "cache_lines.h"
#include "row_stream.h"

namespace looprpt {
namespace rows {

#if LOOPRPT_HAS_BFLOAT_DOT

constexpr int64_t kPlaces = kLanes;         // of pairs in a step
constexpr int64_t kPairStep = 2 * kPlaces;  // inputs of a step
constexpr int kPackedVectors = 2;           // vectors of 16 rows of weights of a tile
constexpr int64_t kPackedRows = kPackedVectors * kLanes;
constexpr int kPackedInputs = 10;  // rows of x of a tile
// Fewest rows of x for which weights are laid anew.
constexpr int64_t kLeastPacked = 128;

// Lanes of 16 vectors of 32 bits turned into vectors.
inline void transpose(__m512i (&v)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int k = 0; k < 2; ++k) {
      v[i + 2 * k] = _mm512_unpacklo_epi64(t[i + k], t[i + 2 + k]);
      v[i + 2 * k + 1] = _mm512_unpackhi_epi64(t[i + k], t[i + 2 + k]);
    }
  // v[4q + c] has, in each quarter, lane 4·quarter + c of rows 4q..4q + 3.
  for (int c = 0; c < 4; ++c) {
    const __m512i low = _mm512_shuffle_i32x4(v[c], v[4 + c], 0x88), lowOdd = _mm512_shuffle_i32x4(v[c], v[4 + c], 0xdd);
    const __m512i high = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0x88);
    const __m512i highOdd = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0xdd);
    t[c] = _mm512_shuffle_i32x4(low, high, 0x88);
    t[8 + c] = _mm512_shuffle_i32x4(low, high, 0xdd);
    t[4 + c] = _mm512_shuffle_i32x4(lowOdd, highOdd, 0x88);
    t[12 + c] = _mm512_shuffle_i32x4(lowOdd, highOdd, 0xdd);
  }
  for (int i = 0; i < 16; ++i) v[i] = t[i];
}

// kPackedRows rows of weights by `inputs` of a block: [place][step][vector][row]. Between places is room for a step, so
// that what is stored together does not fall into one set of the cache.
class PackedWeights {
 public:
  PackedWeights() : data_(kPlaces * (kBlock / kPairStep + 1) * kPackedVectors * kPairStep) {}

  // The first `rows` of the strip, zeros behind them.
  void set(const Strip<uint16_t>& weights, int64_t rows, int64_t inputs) {
    steps_ = (inputs + kPairStep - 1) / kPairStep;
    for (int64_t s = 0; s < steps_; ++s)
      for (int64_t v = 0; v < kPackedVectors; ++v) {
        const int64_t left = inputs - s * kPairStep;
        const auto some = left >= kPairStep ? ~__mmask32{0} : static_cast<__mmask32>((uint64_t{1} << left) - 1);
        __m512i lanes[kLanes];
        for (int64_t r = 0; r < kLanes; ++r) {
          const int64_t row = v * kLanes + r;
          lanes[r] =
              row < rows ? _mm512_maskz_loadu_epi16(some, weights.row(row) + s * kPairStep) : _mm512_setzero_si512();
        }
        transpose(lanes);
        for (int64_t p = 0; p < kPlaces; ++p) _mm512_store_si512(at(p, s) + v * kPairStep, lanes[p]);
      }
  }
  int64_t steps() const { return steps_; }
  const uint16_t* at(int64_t place, int64_t step) const {
    return data_.data() + (place * (steps_ + 1) + step) * kPackedVectors * kPairStep;
  }

 private:
  int64_t steps_ = 0;
  CacheLines<uint16_t> data_;
  uint16_t* at(int64_t place, int64_t step) {
    return const_cast<uint16_t*>(static_cast<const PackedWeights*>(this)->at(place, step));
  }
};

// Rows of x in tiles of kPackedInputs, by blocks: [tile][block][place][step][row], pairs. Zeros behind the last row.
class PackedInputs {
 public:
  PackedInputs(int64_t rows, int64_t in)
      : tiles_((rows + kPackedInputs - 1) / kPackedInputs),
        in_(in),
        stride_((in + kPairStep - 1) / kPairStep * kPairStep),
        data_(tiles_ * kPackedInputs * stride_) {}
  int64_t tiles() const { return tiles_; }
  const uint16_t* at(int64_t tile, int64_t block) const {
    return data_.data() + (tile * stride_ + block) * kPackedInputs;
  }

  // A row, rounded.
  void set(int64_t row, const float* from) {
    const int64_t tile = row / kPackedInputs;
    for (int64_t block = 0; block < in_; block += kBlock) {
      const int64_t inputs = std::min(kBlock, in_ - block), steps = (inputs + kPairStep - 1) / kPairStep;
      uint16_t* to = data_.data() + (tile * stride_ + block) * kPackedInputs + row % kPackedInputs * 2;
      for (int64_t s = 0; s < steps; ++s) {
        alignas(64) uint16_t step[kPairStep] = {};
        Pairs::toInputs(from + block + s * kPairStep, std::min(kPairStep, inputs - s * kPairStep), step);
        for (int64_t p = 0; p < kPlaces; ++p)
          std::memcpy(to + (p * steps + s) * kPackedInputs * 2, step + 2 * p, 2 * sizeof(uint16_t));
      }
    }
  }

 private:
  int64_t tiles_, in_, stride_;
  CacheLines<uint16_t> data_;
};

// Chains at every kDistance-th place from `chains` on, added up as laneSums adds lanes.
template <int kDistance>
inline __m512 sumOfChains(const float* chains) {
  if constexpr (kDistance == kPlaces)
    return _mm512_load_ps(chains);
  else
    return _mm512_add_ps(sumOfChains<2 * kDistance>(chains), sumOfChains<2 * kDistance>(chains + kDistance * kLanes));
}

// Weights that are asked for a little at a time, since who asks for many lines at once waits for them.
class Ahead {
 public:
  // @param parts how often `some` will be called
  Ahead(const Strip<uint16_t>& weights, int64_t rows, int64_t inputs, int64_t parts)
      : weights_(weights), lines_((inputs + kPairStep - 1) / kPairStep), all_(rows * lines_), parts_(parts) {}
  void some() {
    for (const int64_t end = ++part_ * all_ / parts_; at_ < end; ++at_)
      ask(weights_.row(at_ / lines_) + at_ % lines_ * kPairStep);
  }

 private:
  Strip<uint16_t> weights_;
  int64_t lines_, all_, parts_, part_ = 0, at_ = 0;
};

// y[n][0..count) = or += x_n · rows of the weights for the first `inputs` rows of a tile of x. Asks kPlaces times.
inline void packedTile(const PackedWeights& weights, const uint16_t* x, int64_t inputs, int64_t count, float* y,
                       int64_t stride, bool first, Ahead& ahead) {
  constexpr int N = kPackedInputs;
  static thread_local CacheLines<float> kept(kPlaces * kPackedInputs * kPackedRows);
  const int64_t steps = weights.steps();
  for (int n = 0; n < inputs; ++n)
    for (int v = 0; v < kPackedVectors; ++v) __builtin_prefetch(y + n * stride + v * kLanes, 1);
  for (int64_t p = 0; p < kPlaces; ++p) {
    ahead.some();
    __m512 sums[N][kPackedVectors] = {};
    const uint16_t* w = weights.at(p, 0);
    const uint16_t* pairs = x + p * steps * N * 2;
    for (int64_t s = 0; s < steps; ++s, w += kPackedVectors * kPairStep, pairs += 2 * N) {
      __m512bh lanes[kPackedVectors];
      for (int v = 0; v < kPackedVectors; ++v) lanes[v] = (__m512bh)_mm512_load_si512(w + v * kPairStep);
      for (int n = 0; n < N; ++n) {
        int32_t pair;
        std::memcpy(&pair, pairs + 2 * n, sizeof pair);
        for (int v = 0; v < kPackedVectors; ++v)
          sums[n][v] = _mm512_dpbf16_ps(sums[n][v], lanes[v], (__m512bh)_mm512_set1_epi32(pair));
      }
    }
    for (int n = 0; n < N; ++n)
      for (int v = 0; v < kPackedVectors; ++v)
        _mm512_store_ps(kept.data() + ((n * kPackedVectors + v) * kPlaces + p) * kLanes, sums[n][v]);
  }
  for (int n = 0; n < inputs; ++n)
    for (int v = 0; v < kPackedVectors; ++v) {
      const int64_t left = count - v * kLanes;
      if (left <= 0) continue;
      const auto some = left >= kLanes ? static_cast<__mmask16>(~0) : static_cast<__mmask16>((1u << left) - 1);
      const __m512 sum = sumOfChains<1>(kept.data() + (n * kPackedVectors + v) * kPlaces * kLanes);
      float* to = y + n * stride + v * kLanes;
      _mm512_mask_storeu_ps(to, some, first ? sum : _mm512_add_ps(_mm512_maskz_loadu_ps(some, to), sum));
    }
}

#endif

}  // namespace rows
}  // namespace looprpt
