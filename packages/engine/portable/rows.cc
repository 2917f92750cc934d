// The row products' inner loops by themselves, without libtorch: compiled for one kind of processor after the other
// (setup/test-portable.mjs), each held against plain sums in double.
//
// What is held: a row's result is within rounding of the plain sum, and has the same bits for any number of rows of x,
// as a stream and as a tile. Ends with 1 and a line at the first number that is off.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "quantised_rows.h"

using namespace looprpt;
using namespace looprpt::rows;

namespace {

uint64_t state = 1;
float number() {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return static_cast<float>(static_cast<int32_t>(state >> 33) - (1 << 30)) / static_cast<float>(1 << 30);
}

void expect(bool holds, const char* what, int64_t in, int64_t row, int64_t n) {
  if (holds) return;
  std::printf("%s: %lld inputs, row %lld by %lld\n", what, static_cast<long long>(in), static_cast<long long>(row),
              static_cast<long long>(n));
  std::exit(1);
}

// Weights in bfloat16, multiplied as Pairs.
struct Source {
  const uint16_t* weights;
  int64_t in;
  template <int N>
  void addRow(int64_t row, int64_t from, int64_t inputs, const Strip<Pairs::Input>& x, Vec (&sums)[N]) const {
    rows::addRow<Pairs>(weights + row * in + from, {x.data + from, x.stride}, inputs, sums);
  }
};

constexpr int64_t kRows = 7, kMost = 8;

// The first kMost rows of x one by one, then together.
template <int N>
void checkStream(const Source& source, const Strip<Pairs::Input>& x, const std::vector<float>& alone) {
  std::vector<Vec> sums;
  std::vector<float> y(N * kRows);
  streamRows<N>(source, 0, kRows, x, source.in, y.data(), kRows, sums);
  for (int64_t n = 0; n < N; ++n)
    for (int64_t row = 0; row < kRows; ++row)
      expect(y[n * kRows + row] == alone[n * kRows + row], "rows together differ from one alone", source.in, row, n);
}

template <int M, int N>
void checkTile(const Source& source, const Strip<Pairs::Input>& x, const std::vector<float>& alone) {
  float y[N * M];
  for (int64_t from = 0; from < source.in; from += kBlock) {
    Tile<Pairs, M, N> tile;
    tile.add({source.weights + from, source.in}, {x.data + from, x.stride}, std::min(kBlock, source.in - from));
    tile.finish(y, M, from == 0);
  }
  for (int64_t n = 0; n < N; ++n)
    for (int64_t row = 0; row < M; ++row)
      expect(y[n * M + row] == alone[n * kRows + row], "a tile differs from a stream", source.in, row, n);
}

void checkProducts(int64_t in) {
  const int64_t stride = (in + 127) / 128 * 128;
  std::vector<uint16_t> weights(kRows * in);
  for (uint16_t& weight : weights) weight = toBfloat(number());
  std::vector<float> x(kMost * in);
  for (float& value : x) value = number();
  std::vector<Pairs::Input> inputs(kMost * stride);
  for (int64_t n = 0; n < kMost; ++n) Pairs::toInputs(x.data() + n * in, in, inputs.data() + n * stride);
  const Source source{weights.data(), in};
  std::vector<Vec> sums;
  std::vector<float> alone(kMost * kRows);
  for (int64_t n = 0; n < kMost; ++n) {
    streamRows<1>(source, 0, kRows, Strip<Pairs::Input>{inputs.data() + n * stride, stride}, in,
                  alone.data() + n * kRows, kRows, sums);
    for (int64_t row = 0; row < kRows; ++row) {
      double plain = 0, size = 0;
      for (int64_t k = 0; k < in; ++k) {
        const double product = static_cast<double>(fromBfloat(weights[row * in + k])) *
                               static_cast<double>(fromBfloat(toBfloat(x[n * in + k])));
        plain += product;
        size += std::fabs(product);
      }
      expect(std::fabs(alone[n * kRows + row] - plain) <= 1e-6 * size, "a product is off", in, row, n);
    }
  }
  const Strip<Pairs::Input> strip{inputs.data(), stride};
  checkStream<2>(source, strip, alone);
  checkStream<3>(source, strip, alone);
  checkStream<5>(source, strip, alone);
  checkStream<8>(source, strip, alone);
  checkTile<kWeights, kInputs>(source, strip, alone);
  checkTile<1, 3>(source, strip, alone);
}

template <int kBits>
struct Coded {
  Quantised q;
  template <int N>
  void addRow(int64_t row, int64_t from, int64_t inputs, const ByteStrip& x, Vec (&sums)[N]) const {
    addCodes<kBits>(q, row, from, inputs, x, sums);
  }
};

// Random codes by random rows of x: near the plain sum of what they stand for, alone and in company.
template <int kBits>
void checkCodes(int64_t in, int64_t group, bool withZeros) {
  const int64_t groups = (in + group - 1) / group, rowBytes = kBits == 8 ? in : (in + 127) / 128 * 64;
  std::vector<uint8_t> codes(kRows * rowBytes), zeros(kRows * groups);
  std::vector<uint16_t> scales(kRows * groups);
  for (uint8_t& code : codes) code = static_cast<uint8_t>(number() * 127.0f + 128.0f);
  for (uint8_t& zero : zeros) zero = static_cast<uint8_t>(kBits == 8 ? number() * 127.0f + 128.0f : number() * 7 + 8);
  for (uint16_t& scale : scales) scale = toBfloat(number());
  const Quantised q{codes.data(), scales.data(), withZeros ? zeros.data() : nullptr, in, group, groups, rowBytes,
                    kBits,        true};
  std::vector<float> x(kMost * in);
  for (float& value : x) value = number();
  ByteInputs inputs(kMost, in);
  for (int64_t n = 0; n < kMost; ++n) inputs.set(n, x.data() + n * in);
  std::vector<Vec> sums;
  std::vector<float> alone(kMost * kRows), together(kMost * kRows);
  for (int64_t n = 0; n < kMost; ++n)
    streamRows<1>(Coded<kBits>{q}, 0, kRows, inputs.from(n), in, alone.data() + n * kRows, kRows, sums);
  streamRows<3>(Coded<kBits>{q}, 0, kRows, inputs.from(0), in, together.data(), kRows, sums);
  streamRows<4>(Coded<kBits>{q}, 0, kRows, inputs.from(3), in, together.data() + 3 * kRows, kRows, sums);
  for (int64_t n = 0; n < kMost; ++n)
    for (int64_t row = 0; row < kRows; ++row) {
      double plain = 0, size = 0;
      for (int64_t k = 0; k < in; ++k) {
        const int64_t first = k / kByteGroup * kByteGroup;
        float largest = 0;
        for (int64_t i = first; i < std::min(in, first + kByteGroup); ++i)
          largest = std::max(largest, std::fabs(x[n * in + i]));
        const double rounded =
            std::nearbyint(x[n * in + k] * (127.0f / largest)) * static_cast<double>(largest / 127.0f);
        const double product = rounded * q.number(row, k) * static_cast<double>(q.scale(row, k / group));
        plain += product;
        size += std::fabs(product);
      }
      expect(std::fabs(alone[n * kRows + row] - plain) <= 2e-6 * size, "a product of codes is off", in, row, n);
      if (n < 7)
        expect(alone[n * kRows + row] == together[n * kRows + row], "codes together differ from alone", in, row, n);
    }
}

void checkHalves() {
  const uint16_t bits[] = {0x0000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0xc000, 0x7bff};
  const double numbers[] = {0, 0x1p-24, 0x1.ff8p-15, 0x1p-14, 1, -2, 65504};
  for (int i = 0; i < 7; ++i) expect(fromHalf(bits[i]) == numbers[i], "a half is off", i, 0, 0);
  expect(std::isinf(fromHalf(0x7c00)) && std::isnan(fromHalf(0x7e00)), "a half is finite", 0, 0, 0);
}

void checkExp() {
  for (float x = -86; x < 86; x += 0.37f) {
    const double is = simd::exp(simd::splat(x))[0], should = std::exp(static_cast<double>(x));
    expect(std::fabs(is / should - 1) < 2.5e-7, "exp is off", static_cast<int64_t>(x), 0, 0);
  }
}

}  // namespace

int main() {
  for (const int64_t in : {1, 31, 96, 2048, 2080, 5632}) checkProducts(in);
  for (const int64_t in : {1, 33, 200, 512, 1024 + 96, 2048, 5632})
    for (const bool withZeros : {false, true}) {
      checkCodes<8>(in, 32, withZeros);
      checkCodes<4>(in, 32, withZeros);
      checkCodes<8>(in, 128, withZeros);
      checkCodes<4>(in, 64, withZeros);
    }
  checkHalves();
  checkExp();
  std::printf("%d lanes: as plain sums\n", simd::kLanes);
}
