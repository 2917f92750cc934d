// Weights to whole numbers, and products with them (quantised.h has the layout).
//
//   quantise(weight [out, in], bits, group, with_zeros, half_scales) -> (codes, scales, zeros; zeros empty without)
//   dequantise(codes, scales, zeros, bits, group, in) -> float32 [out, in]
//   quantised_product(x float32 [N, in], codes[], scales[], zeros[], bits, group) -> [N, Σ out_i]; zeros empty without
//
// The scale of a group is the one of a few candidates with the smallest squared error: to clip a group's one outlier is
// often better than to round all others coarsely.
#include <torch/library.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "quantised_stream.h"

namespace looprpt {
namespace {

using at::Tensor;

void checkSettings(int64_t bits, int64_t group) {
  TORCH_CHECK((bits == 4 || bits == 8) && (group == 32 || group == 64 || group == 128),
              "quantised weights have 4 or 8 bits and groups of 32, 64 or 128, not ", bits, " and ", group);
}

int64_t rowBytesOf(int64_t in, int64_t bits) {
  return bits == 8 ? in : (in + kNibbleBlock - 1) / kNibbleBlock * kNibbleBlock / 2;
}

Quantised viewOf(const Tensor& codes, const Tensor& scales, const Tensor* zeros, int64_t bits, int64_t group,
                 int64_t in) {
  checkSettings(bits, group);
  const int64_t groups = (in + group - 1) / group;
  const bool signedCodes = bits == 8 && !zeros;
  TORCH_CHECK(codes.is_cpu() && codes.is_contiguous() && codes.dim() == 2 &&
                  codes.scalar_type() == (signedCodes ? at::kChar : at::kByte) && codes.size(1) == rowBytesOf(in, bits),
              "quantised weights: codes ", codes.scalar_type(), " ", codes.sizes(), " do not go with ", in,
              " inputs of ", bits, " bits");
  TORCH_CHECK(scales.is_cpu() && scales.is_contiguous() && scales.dim() == 2 && scales.size(0) == codes.size(0) &&
                  scales.size(1) == groups &&
                  (scales.scalar_type() == at::kHalf || scales.scalar_type() == at::kBFloat16),
              "quantised weights: scales must be float16 or bfloat16 [", codes.size(0), ", ", groups, "], not ",
              scales.scalar_type(), " ", scales.sizes());
  TORCH_CHECK(!zeros || (zeros->is_cpu() && zeros->is_contiguous() && zeros->scalar_type() == at::kByte &&
                         zeros->sizes() == scales.sizes()),
              "quantised weights: zeros must be uint8 of the scales' shape");
  return {static_cast<const uint8_t*>(codes.data_ptr()),
          static_cast<const uint16_t*>(scales.data_ptr()),
          zeros ? zeros->data_ptr<uint8_t>() : nullptr,
          in,
          group,
          groups,
          codes.size(1),
          static_cast<int>(bits),
          scales.scalar_type() == at::kBFloat16};
}

template <class A, int kBits>
struct QuantisedSource {
  using Arithmetic = A;
  static constexpr bool kHasScales = true;
  Quantised q;
  rows::WeightRows at(int64_t row, int64_t count, int64_t from, int64_t inputs, rows::Scratch& scratch) const {
    const int64_t padded = (inputs + kNibbleBlock - 1) / kNibbleBlock * kNibbleBlock;
    const int64_t groups = (inputs + q.group - 1) / q.group, first = from / q.group;
    if (static_cast<int64_t>(scratch.weights.size()) < count * padded) scratch.weights.resize(count * padded);
    if (static_cast<int64_t>(scratch.scales.size()) < count * groups) scratch.scales.resize(count * groups);
    for (int64_t r = 0; r < count; ++r) {
      q.decode(row + r, from, inputs, padded, scratch.weights.data() + r * padded);
      q.scalesTo(row + r, first, groups, scratch.scales.data() + r * groups);
    }
    return {{scratch.weights.data(), padded}, {scratch.scales.data(), groups}, q.group};
  }
  bool streams() const { return q.streams(); }
  template <int N>
  void addRow(int64_t row, int64_t from, int64_t inputs, const rows::Strip<typename A::Input>& x,
              rows::Vec (&sums)[N]) const {
#if LOOPRPT_HAS_WORD_DOT
    addCodesOf<A, kBits>(q, row, from, inputs, x, sums);
#endif
  }
};

template <class A, int kBits>
void multiply(const std::vector<Quantised>& pieces, at::TensorList codes, const Tensor& x, Tensor& y) {
  const int64_t N = x.size(0), in = x.size(1), out = y.size(1);
  const rows::Inputs<A> inputs(x.data_ptr<float>(), N, in);
  std::vector<rows::Piece<QuantisedSource<A, kBits>>> sources;
  for (size_t i = 0; i < pieces.size(); ++i) sources.push_back({{pieces[i]}, codes[i].size(0)});
  rows::product(sources, inputs, N, in, {y.data_ptr<float>(), out});
}

Tensor quantisedProduct(const Tensor& x, at::TensorList codes, at::TensorList scales, at::TensorList zeros,
                        int64_t bits, int64_t group) {
  TORCH_CHECK(x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous() && x.dim() == 2,
              "quantised_product: x must be a contiguous float32 matrix on the CPU, not ", x.scalar_type(), " ",
              x.sizes());
  TORCH_CHECK(codes.size() == scales.size() && (zeros.empty() || zeros.size() == codes.size()),
              "quantised_product: codes, scales and zeros must be as many");
  const int64_t N = x.size(0), in = x.size(1);
  int64_t out = 0;
  std::vector<Quantised> pieces;
  for (size_t i = 0; i < codes.size(); ++i) {
    pieces.push_back(viewOf(codes[i], scales[i], zeros.empty() ? nullptr : &zeros[i], bits, group, in));
    out += codes[i].size(0);
  }
  Tensor y = at::empty({N, out}, x.options());
  if (y.numel() == 0) return y;
  if (bits == 8)
    multiply<rows::Words, 8>(pieces, codes, x, y);
  else
    multiply<rows::Pairs, 4>(pieces, codes, x, y);
  return y;
}

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
  checkSettings(bits, group);
  TORCH_CHECK(weight.is_cpu() && weight.dim() == 2 && weight.is_floating_point(),
              "quantise: a floating-point matrix on the CPU is needed");
  const int64_t out = weight.size(0), in = weight.size(1), groups = (in + group - 1) / group;
  const bool signedCodes = bits == 8 && !withZeros;
  const Tensor codes = at::zeros({out, rowBytesOf(in, bits)}, signedCodes ? at::kChar : at::kByte);
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
          if (bits == 8) {
            code[k] = static_cast<uint8_t>(value);
          } else {
            const int64_t at = k % kNibbleBlock, j = at / 32;
            code[k / kNibbleBlock * 64 + 2 * (at % 32) + j / 2] |= static_cast<uint8_t>(value << (4 * (j % 2)));
          }
        }
      }
    }
  });
  return std::make_tuple(codes, scales, zeros);
}

Tensor dequantise(const Tensor& codes, const Tensor& scales, const Tensor& zeros, int64_t bits, int64_t group,
                  int64_t in) {
  const Quantised q = viewOf(codes, scales, zeros.numel() == 0 ? nullptr : &zeros, bits, group, in);
  const Tensor weight = at::empty({codes.size(0), in}, at::kFloat);
  float* to = weight.data_ptr<float>();
  at::parallel_for(0, codes.size(0), 16, [&](int64_t begin, int64_t end) {
    const int64_t padded = (in + kNibbleBlock - 1) / kNibbleBlock * kNibbleBlock;
    std::vector<uint16_t> row(padded);
    for (int64_t r = begin; r < end; ++r) {
      q.decode(r, 0, in, padded, row.data());
      for (int64_t k = 0; k < in; ++k) to[r * in + k] = q.number(row[k]) * q.scale(r, k / group);
    }
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
  m.def("quantised_product(Tensor x, Tensor[] codes, Tensor[] scales, Tensor[] zeros, int bits, int group) -> Tensor",
        looprpt::quantisedProduct);
}
