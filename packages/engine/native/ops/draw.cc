// read_tokens: a token from every row of logits, drawn or given, and what the model thought of it.
//
//   read_tokens(logits [M, V], wanted float64 [M, 4]) -> float64 [M, 3]
//
// A row of `wanted` is (id, temperature, key0, key1). An id ≥ 0 is taken as it is. Else, at temperature 0, the
// likeliest id, of equals the lowest; above it the id with the largest logit / temperature + Gumbel noise. The noise of
// id v is a pure function of the key and v, so two rows with the same key and nearly the same logits mostly draw the
// same id. A row of the result is (id, log-probability at temperature 1, margin): by how much the id that was drawn
// beats the next one, in units of logit / temperature, at temperature 0 of logits; infinite where there is no other.
// What a row gives depends on that row alone, to the last bit, and on no number of threads. logits float32 on the CPU,
// contiguous; −∞ rules an id out.
//
// Noise without a second logarithm: arg max (x + Gumbel) = arg max e^x / E with E exponential. E of id v comes from
// word v of Threefry-2x32 (20 rounds; Salmon et al., SC 2011) under the key, the stream of base/rng.ts.
//
// Logits that make no distribution (one of them NaN or +∞, or all −∞) give (−1, NaN, NaN) where a token was to be
// drawn, else (id, NaN, NaN): an error of that row, of which its company does not notice anything.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd.h"

namespace looprpt {
namespace {

using at::Tensor;
using namespace simd;

constexpr int64_t kLogitsPerTask = 1 << 13;
constexpr float kNothing = -87.0f;  // below it exp() is clamped; such a weight is none
constexpr float kNone = -std::numeric_limits<float>::infinity();

typedef uint32_t WordVec __attribute__((vector_size(kLanes * 4)));

struct Key {
  uint32_t low, high;
};

struct Choice {
  int64_t id;
  double margin;
};

// The two largest of the values that come in order of their ids, and whose the largest is; of equals the lowest.
struct Best {
  Vec first = splat(kNone), second = splat(kNone);
  IntVec id{};

  void take(Vec value, IntVec ids) {
    const IntVec wins = value > first;
    const Vec beaten = select(wins, first, value);
    second = select(beaten > second, beaten, second);
    first = select(wins, value, first);
    id = wins ? ids : id;
  }
  // (id, largest, second).
  void result(int64_t& best, float& largest, float& next) const {
    int lane = 0;
    for (int i = 1; i < kLanes; ++i)
      if (first[i] > first[lane] || (first[i] == first[lane] && id[i] < id[lane])) lane = i;
    best = id[lane], largest = first[lane], next = second[lane];
    for (int i = 0; i < kLanes; ++i)
      if (i != lane) next = std::max(next, first[i]);
  }
};

// The first largest; 0 where no logit is above −∞.
int64_t likeliest(const float* logits, int64_t V) {
  Vec most = splat(-std::numeric_limits<float>::infinity());
  int64_t v = 0;
  for (; v + kLanes <= V; v += kLanes) {
    const Vec x = load(logits + v);
    most = select(x > most, x, most);
  }
  float largest = simd::max(most);
  for (; v < V; ++v) largest = std::max(largest, logits[v]);
  const int64_t found = std::find(logits, logits + V, largest) - logits;
  return found < V ? found : 0;  // all NaN: none equals anything
}

inline Vec weightOf(Vec below) { return select(below < kNothing, Vec{}, simd::exp(below)); }

// kLanes logits from v on, −∞ beyond the last.
inline Vec logitsAt(const float* logits, int64_t v, int64_t V) {
  if (v + kLanes <= V) return load(logits + v);
  Vec x = splat(kNone);
  std::memcpy(&x, logits + v, (V - v) * sizeof(float));
  return x;
}

// Σ e^(logit − largest).
double massOf(const float* logits, int64_t V, float largest) {
  constexpr int64_t kBlock = 16 * kLanes;
  double mass = 0;
  for (int64_t block = 0; block < V; block += kBlock) {
    Vec sums{};
    for (int64_t v = block; v < std::min(V, block + kBlock); v += kLanes)
      sums += weightOf(logitsAt(logits, v, V) - largest);
    mass += simd::sum(sums);
  }
  return mass;
}

template <int kTurn>
inline WordVec rotated(WordVec x) {
  return (x << kTurn) | (x >> (32 - kTurn));
}

template <int kTurn>
inline void mix(WordVec& x0, WordVec& x1) {
  x0 += x1;
  x1 = rotated<kTurn>(x1) ^ x0;
}

// Words 2c and 2c + 1 of the key's stream, for every lane's c.
inline void threefry(const Key& key, WordVec counter, WordVec& x0, WordVec& x1) {
  const uint32_t keys[3] = {key.low, key.high, key.low ^ key.high ^ 0x1bd11bdau};
  x0 = counter + keys[0];
  x1 = WordVec{} + keys[1];
  for (uint32_t four = 1; four <= 5; ++four) {
    if (four % 2 == 1) {
      mix<13>(x0, x1), mix<15>(x0, x1), mix<26>(x0, x1), mix<6>(x0, x1);
    } else {
      mix<17>(x0, x1), mix<29>(x0, x1), mix<16>(x0, x1), mix<24>(x0, x1);
    }
    x0 += keys[four % 3];
    x1 += keys[(four + 1) % 3] + four;
  }
}

// ln x for 2⁻²⁴ ≤ x ≤ 1: x = m·2ⁿ with m in [√½, √2), and ln m by the series of artanh((m − 1) / (m + 1)).
inline Vec log(Vec x) {
  IntVec bits;
  std::memcpy(&bits, &x, sizeof(Vec));
  constexpr int32_t kHalfRoot = 0x3f3504f3;  // bits of √½
  const IntVec exponent = (bits - kHalfRoot) >> 23;
  bits -= exponent << 23;
  Vec m;
  std::memcpy(&m, &bits, sizeof(Vec));
  const Vec s = (m - 1.0f) / (m + 1.0f), z = s * s;
  Vec series = z * (1.0f / 9) + 1.0f / 7;
  series = series * z + 1.0f / 5;
  series = series * z + 1.0f / 3;
  series = series * z + 1.0f;
  return __builtin_convertvector(exponent, Vec) * 0.693147180559945f + 2.0f * s * series;
}

// −ln(1 − v) for v = (word + ½) / 2³², as exact where v is small, which decides, as elsewhere.
inline Vec exponentialOf(WordVec word) {
  Vec v = __builtin_convertvector(word, Vec) * 0x1p-32f + 0x1p-33f;
  constexpr float kMost = 1 - 0x1p-24f;
  v = select(v > kMost, splat(kMost), v);
  const Vec rest = 1.0f - v;
  return select(rest == 1.0f, v, log(rest) * (v / (rest - 1.0f)));
}

// The race of e^((logit − largest)·scale) / E. Ids go in blocks of 2·kLanes: those of even place, then those of odd.
Choice race(const float* logits, int64_t V, float largest, float scale, const Key& key) {
  Best best;
  for (int64_t v = 0; v < V; v += 2 * kLanes) {
    float block[2 * kLanes];
    std::fill(block, block + 2 * kLanes, kNone);
    std::memcpy(block, logits + v, std::min<int64_t>(2 * kLanes, V - v) * sizeof(float));
    Vec even, odd;
    for (int i = 0; i < kLanes; ++i) even[i] = block[2 * i], odd[i] = block[2 * i + 1];
    WordVec first, second;
    const IntVec lane = iota();
    threefry(key, __builtin_convertvector(lane, WordVec) + static_cast<uint32_t>(v / 2), first, second);
    const IntVec ids = 2 * lane + static_cast<int32_t>(v);
    best.take(weightOf((even - largest) * scale) / exponentialOf(first), ids);
    best.take(weightOf((odd - largest) * scale) / exponentialOf(second), ids + 1);
  }
  int64_t id;
  float most, next;
  best.result(id, most, next);
  return {id, std::log(static_cast<double>(most) / std::max(next, 0.0f))};
}

// By how much the likeliest beats the next one.
double marginOf(const float* logits, int64_t V, int64_t top) {
  Vec most = splat(kNone);
  for (int64_t v = 0; v < V; v += kLanes) {
    const IntVec ids = iota() + static_cast<int32_t>(v);
    const Vec x = select(ids == static_cast<int32_t>(top), splat(kNone), logitsAt(logits, v, V));
    most = select(x > most, x, most);
  }
  return static_cast<double>(logits[top]) - simd::max(most);
}

void readRow(const float* logits, int64_t V, const double* wanted, double* result) {
  const double temperature = wanted[1];
  const int64_t top = likeliest(logits, V);
  const bool isGiven = wanted[0] >= 0;
  const double mass = massOf(logits, V, logits[top]);
  // Anything that is not a number, +∞ as well, comes through the sum.
  if (!std::isfinite(mass)) {
    result[0] = isGiven ? wanted[0] : -1;
    result[1] = result[2] = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  Choice chosen{static_cast<int64_t>(wanted[0]), std::numeric_limits<double>::infinity()};
  if (!isGiven && temperature == 0) chosen = {top, marginOf(logits, V, top)};
  if (!isGiven && temperature > 0) {
    // Finite, or the likeliest id's own weight would be 0·∞.
    constexpr double kMostScale = std::numeric_limits<float>::max();
    const Key key{static_cast<uint32_t>(wanted[2]), static_cast<uint32_t>(wanted[3])};
    chosen = race(logits, V, logits[top], static_cast<float>(std::min(1 / temperature, kMostScale)), key);
  }
  result[0] = static_cast<double>(chosen.id);
  result[1] = static_cast<double>(logits[chosen.id]) - logits[top] - std::log(mass);
  result[2] = chosen.margin;
}

Tensor readTokens(const Tensor& logits, const Tensor& wanted) {
  TORCH_CHECK(logits.is_cpu() && logits.scalar_type() == at::kFloat && logits.is_contiguous() && logits.dim() == 2 &&
                  logits.size(1) > 0,
              "read_tokens: logits must be a contiguous float32 matrix on the CPU");
  const int64_t M = logits.size(0), V = logits.size(1);
  TORCH_CHECK(wanted.is_cpu() && wanted.scalar_type() == at::kDouble && wanted.is_contiguous() && wanted.dim() == 2 &&
                  wanted.size(0) == M && wanted.size(1) == 4,
              "read_tokens: wanted must be float64 [", M, ", 4], not ", wanted.sizes());
  const double* asked = wanted.data_ptr<double>();
  for (int64_t m = 0; m < M; ++m) {
    const double* row = asked + 4 * m;
    const auto isWord = [](double x) { return x >= 0 && x < 0x1p32 && x == std::floor(x); };
    TORCH_CHECK(row[0] >= -1 && row[0] < static_cast<double>(V) && row[1] >= 0 && std::isfinite(row[1]) &&
                    isWord(row[2]) && isWord(row[3]),
                "read_tokens: row ", m, ": no such id, temperature or key");
  }
  Tensor out = at::empty({M, 3}, wanted.options());
  const float* from = logits.data_ptr<float>();
  double* to = out.data_ptr<double>();
  at::parallel_for(0, M, std::max<int64_t>(1, kLogitsPerTask / V), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) readRow(from + m * V, V, asked + 4 * m, to + 3 * m);
  });
  return out;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("read_tokens(Tensor logits, Tensor wanted) -> Tensor", looprpt::readTokens);
}
