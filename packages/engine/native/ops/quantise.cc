// Weights to whole numbers and back (quantised.h has the layout).
//
//   quantise(weight [out, in], bits, group, with_zeros, half_scales) -> (codes, scales, zeros; zeros empty without)
//   dequantise(codes, scales, zeros, bits, group, in) -> float32 [out, in]
//
// The scale of a group is the one of a few candidates with the smallest squared error: to clip a group's one outlier is
// often better than to round all others coarsely.
#include <ATen/Parallel.h>
#include <c10/util/Half.h>
#include <torch/library.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "lane_sums.h"
#include "quantised_view.h"

namespace looprpt {
namespace {

using at::Tensor;

// How a group is written: its scale as stored, and what stands for 0.
struct GroupCode {
  float scale;
  int zero;
};

struct Coder {
  int lowest, highest;
  bool withZeros, bfloatScales;

  float stored(float scale) const {
    return bfloatScales ? fromBfloat(toBfloat(scale)) : static_cast<float>(c10::Half(scale));
  }
  int code(float w, const GroupCode& g) const {
    if (g.scale == 0) return g.zero;
    return std::min(highest, std::max(lowest, static_cast<int>(std::lrintf(w / g.scale)) + g.zero));
  }
  // The squared error of a group, a vector at a time; only candidates are compared by it.
  float error(const float* w, int64_t count, const GroupCode& g) const {
    constexpr float kRound = 12582912.0f;  // adding and subtracting it rounds to a whole number
    const float inverse = 1.0f / g.scale;
    const simd::Vec low = simd::splat(static_cast<float>(lowest - g.zero));
    const simd::Vec high = simd::splat(static_cast<float>(highest - g.zero));
    simd::Vec sum{};
    for (int64_t k = 0; k < count; k += simd::kLanes) {
      const simd::Vec value = k + simd::kLanes <= count ? simd::load(w + k) : simd::loadPart(w + k, count - k);
      simd::Vec whole = (value * inverse + kRound) - kRound;
      whole = simd::select(whole < low, low, whole);
      whole = simd::select(whole > high, high, whole);
      const simd::Vec off = whole * g.scale - value;
      sum += off * off;
    }
    return simd::sum(sum);
  }
  // The best of a few ranges: the whole one, and shrunken ones; without zeros with either sign at the longer end.
  GroupCode best(const float* w, int64_t count) const {
    float least = 0, most = 0;
    for (int64_t k = 0; k < count; ++k) {
      least = std::min(least, w[k]);
      most = std::max(most, w[k]);
    }
    GroupCode best{0, withZeros ? lowest : (lowest + highest + 1) / 2};
    if (least == 0 && most == 0) return best;
    float smallest = std::numeric_limits<float>::infinity();
    const int middle = (lowest + highest + 1) / 2, steps = highest - lowest;
    const auto consider = [&](GroupCode g) {
      if (!std::isfinite(g.scale) || g.scale == 0) return;
      const float e = error(w, count, g);
      if (e < smallest) smallest = e, best = g;
    };
    const int candidates = steps > 15 ? 3 : 9;
    for (int i = 0; i < candidates; ++i) {
      const float share = 1.0f - 0.03f * static_cast<float>(i);
      if (withZeros) {
        const float scale = stored(share * (most - least) / static_cast<float>(steps));
        if (scale == 0) continue;
        const int zero = lowest + static_cast<int>(std::lrintf(-share * least / scale));
        consider({scale, std::min(highest, std::max(lowest, zero))});
      } else {
        const float reach = std::max(most, -least), sign = most > -least ? -1.0f : 1.0f;
        // The side with one number more takes the longer end.
        consider({stored(sign * share * reach / static_cast<float>(middle - lowest)), middle});
        consider({stored(share * reach / static_cast<float>(highest - middle)), middle});
      }
    }
    return best;
  }
};

std::tuple<Tensor, Tensor, Tensor> quantise(const Tensor& weight, int64_t bits, int64_t group, bool withZeros,
                                            bool halfScales) {
  checkQuantised(bits, group);
  TORCH_CHECK(weight.is_cpu() && weight.dim() == 2 && weight.is_floating_point(),
              "quantise: a floating-point matrix on the CPU is needed");
  const int64_t out = weight.size(0), in = weight.size(1), groups = (in + group - 1) / group;
  const bool signedCodes = bits == 8 && !withZeros;
  const Tensor codes = at::zeros({out, quantisedRowBytes(in, bits)}, signedCodes ? at::kChar : at::kByte);
  const Tensor scales = at::empty({out, groups}, halfScales ? at::kHalf : at::kBFloat16);
  const Tensor zeros = at::empty({withZeros ? out : 0, groups}, at::kByte);
  const int highest = signedCodes ? 127 : (1 << bits) - 1;
  const Coder coder{signedCodes ? -128 : 0, highest, withZeros, !halfScales};
  uint8_t* toCodes = static_cast<uint8_t*>(codes.data_ptr());
  uint16_t* toScales = static_cast<uint16_t*>(scales.data_ptr());
  uint8_t* toZeros = zeros.data_ptr<uint8_t>();
  at::parallel_for(0, out, 16, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard guard;
    const Tensor part = weight.narrow(0, begin, end - begin).to(at::kFloat).contiguous();
    for (int64_t row = begin; row < end; ++row) {
      const float* w = part.data_ptr<float>() + (row - begin) * in;
      uint8_t* code = toCodes + row * codes.size(1);
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t from = g * group, count = std::min(group, in - from);
        const GroupCode best = coder.best(w + from, count);
        const c10::Half half(best.scale);
        toScales[row * groups + g] = halfScales ? half.x : toBfloat(best.scale);
        if (withZeros) toZeros[row * groups + g] = static_cast<uint8_t>(best.zero);
        for (int64_t k = from; k < from + count; ++k) {
          const int value = coder.code(w[k], best);
          const int64_t place = placeOf(k, in);
          if (bits == 8) {
            code[place] = static_cast<uint8_t>(value);
          } else {
            const int64_t at = place % kNibbleBlock;
            code[place / kNibbleBlock * 64 + at % 64] |= static_cast<uint8_t>(value << (at < 64 ? 0 : 4));
          }
        }
      }
    }
  });
  return std::make_tuple(codes, scales, zeros);
}

Tensor dequantise(const Tensor& codes, const Tensor& scales, const Tensor& zeros, int64_t bits, int64_t group,
                  int64_t in) {
  const Quantised q = quantisedView(codes, scales, zeros.numel() == 0 ? nullptr : &zeros, bits, group, in);
  const Tensor weight = at::empty({codes.size(0), in}, at::kFloat);
  float* to = weight.data_ptr<float>();
  at::parallel_for(0, codes.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      for (int64_t k = 0; k < in; ++k) to[r * in + k] = static_cast<float>(q.number(r, k)) * q.scale(r, k / group);
  });
  return weight;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("quantise(Tensor weight, int bits, int group, bool with_zeros, bool half_scales) -> (Tensor, Tensor, Tensor)",
        looprpt::quantise);
  m.def("dequantise(Tensor codes, Tensor scales, Tensor zeros, int bits, int group, int inputs) -> Tensor",
        looprpt::dequantise);
}
