// paged_decode_attention: N single positions of any sequences, each over its own scattered keys and values.
//
//   paged_decode_attention(qkv [N, (H + 2G)·D], cos, sin [places, P], keys!, values! [slots, G, D], rows int32 [N, 3],
//                          lines int32 [M], heads, kv_heads, window) -> [N, H·D]
//
// Row n is (position, slot to write, start of its line): its rotated key and its value go to that slot, then it attends
// to the slots lines[start .. start + position], one per position up to its own; window > 0 leaves only the last
// `window` of them. All rows write before any reads, so rows of one sequence may see each other. Rows that follow each
// other on one line, as a prompt's do, read its keys together. What a row gives depends on its own slots alone, to the
// last bit. On the CPU, contiguous; qkv float32, keys and values float32 or bfloat16.
//
// Shapes: H query heads, G key heads, R = H/G, D head size, P = D/2.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "bfloat.h"
#include "lane_sums.h"
#include "rotation.h"

namespace looprpt {
namespace {

using at::Tensor;
using namespace simd;

constexpr float kUnseen = -1e30f;
constexpr int64_t kFloatsPerTask = 1 << 14;
// Rows of a line that read its keys together.
constexpr int64_t kTogether = 16;
// Keys that are gone through for all rows of a block before the next ones.
constexpr int64_t kKeys = 64;
// A tile of scores is kTileRows × kTileKeys = kLanes sums.
constexpr int kTileKeys = 4, kTileRows = kLanes / kTileKeys;

inline Vec loadFrom(const float* from) { return load(from); }
inline Vec loadFrom(const uint16_t* from) { return loadBfloat(from); }
// A head's last numbers; a copy of a number of bytes that is not known would cost more than the product.
inline Vec loadFrom(const float* from, int64_t count) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#else
  return loadPart(from, count);
#endif
}
inline Vec loadFrom(const uint16_t* from, int64_t count) { return loadBfloatPart(from, count); }
inline void put(float value, float* to) { *to = value; }
inline void put(float value, uint16_t* to) { *to = toBfloat(value); }

struct Row {
  int32_t position, slot, line;
};

template <typename E>
struct Problem {
  const float* qkv;
  Rope rope;
  E *keys, *values;
  const Row* rows;
  const int32_t* lines;
  int64_t N, H, G, D, window;
  int64_t width() const { return (H + 2 * G) * D; }
  int64_t first(const Row& row) const { return window > 0 ? std::max<int64_t>(0, row.position + 1 - window) : 0; }
};

template <typename E>
void writeRow(const Problem<E>& p, int64_t n, std::vector<float>& turned) {
  const Row& row = p.rows[n];
  const float* k = p.qkv + n * p.width() + p.H * p.D;
  const float* v = k + p.G * p.D;
  E* keys = p.keys + row.slot * p.G * p.D;
  E* values = p.values + row.slot * p.G * p.D;
  turned.resize(p.D);
  for (int64_t g = 0; g < p.G; ++g) {
    rotate(k + g * p.D, p.rope.at(0, row.position, p.D / 2), p.D / 2, 1.0f, turned.data());
    for (int64_t d = 0; d < p.D; ++d) put(turned[d], keys + g * p.D + d);
  }
  for (int64_t i = 0; i < p.G * p.D; ++i) put(v[i], values + i);
}

// One key head of the slots of a line.
template <typename E>
struct Head {
  const E* table;
  const int32_t* line;
  int64_t stride;
  const E* at(int64_t s) const { return table + line[s] * stride; }
  // Asks for some before they are needed: they are scattered, so the processor cannot foresee them. Into the second
  // cache, because the first has few places for lines under way.
  void prefetch(int64_t from, int64_t to, int64_t D) const {
    constexpr int64_t kPerLine = 64 / sizeof(E);
    for (int64_t s = from; s < to; ++s)
      for (int64_t d = 0; d < D; d += kPerLine) __builtin_prefetch(at(s) + d, 0, 2);
  }
};

// scores[m][k] of M queries and K keys from s on, M·K = kLanes; keys from `end` on count as the last one again.
template <int M, int K, typename E>
void scoreTile(const float* queries, int64_t D, const Head<E>& keys, int64_t s, int64_t end, float* scores,
               int64_t stride) {
  const E* key[K];
  for (int k = 0; k < K; ++k) key[k] = keys.at(std::min<int64_t>(s + k, end - 1));
  Vec sums[kLanes] = {};
  int64_t d = 0;
  for (; d + kLanes <= D; d += kLanes) {
    Vec q[M];
    for (int m = 0; m < M; ++m) q[m] = load(queries + m * D + d);
    for (int k = 0; k < K; ++k) {
      const Vec of = loadFrom(key[k] + d);
      for (int m = 0; m < M; ++m) sums[m * K + k] += q[m] * of;
    }
  }
  if (d < D)
    for (int k = 0; k < K; ++k) {
      const Vec of = loadFrom(key[k] + d, D - d);
      for (int m = 0; m < M; ++m) sums[m * K + k] += loadFrom(queries + m * D + d, D - d) * of;
    }
  const Vec all = laneSums(sums);
  for (int m = 0; m < M; ++m)
    std::memcpy(scores + m * stride, reinterpret_cast<const char*>(&all) + m * K * sizeof(float), K * sizeof(float));
}

// out[m] += Σ_s weights[m][s]·values[s] for s in from..to, M rows and V vectors of a head.
template <int M, int V, typename E>
void mixTile(const float* weights, int64_t weightStride, const Head<E>& values, int64_t from, int64_t to, int64_t d,
             float* out, int64_t outStride) {
  Vec sums[M][V];
  for (int m = 0; m < M; ++m)
    for (int v = 0; v < V; ++v) sums[m][v] = load(out + m * outStride + d + v * kLanes);
  for (int64_t s = from; s < to; ++s) {
    const E* value = values.at(s) + d;
    Vec of[V];
    for (int v = 0; v < V; ++v) of[v] = loadFrom(value + v * kLanes);
    for (int m = 0; m < M; ++m) {
      const Vec weight = splat(weights[m * weightStride + s]);
      for (int v = 0; v < V; ++v) sums[m][v] += weight * of[v];
    }
  }
  for (int m = 0; m < M; ++m)
    for (int v = 0; v < V; ++v) store(out + m * outStride + d + v * kLanes, sums[m][v]);
}

// The same for a whole head.
template <int M, typename E>
void mixHead(const float* weights, int64_t weightStride, const Head<E>& values, int64_t from, int64_t to, int64_t D,
             float* out, int64_t outStride) {
  if (from >= to) return;
  int64_t d = 0;
  for (; d + 4 * kLanes <= D; d += 4 * kLanes)
    mixTile<M, 4>(weights, weightStride, values, from, to, d, out, outStride);
  for (; d + kLanes <= D; d += kLanes) mixTile<M, 1>(weights, weightStride, values, from, to, d, out, outStride);
  if (d == D) return;
  for (int m = 0; m < M; ++m) {
    Vec sum = loadFrom(out + m * outStride + d, D - d);
    for (int64_t s = from; s < to; ++s) sum += splat(weights[m * weightStride + s]) * loadFrom(values.at(s) + d, D - d);
    std::memcpy(out + m * outStride + d, &sum, (D - d) * sizeof(float));
  }
}

// scores ← exp(scores − largest) for first..end, 0 elsewhere; whole vectors from a multiple of kLanes on, so that the
// lane of a key is that of its position. Returns the sum.
float exponentiate(float* scores, int64_t from, int64_t to, int64_t first, int64_t end) {
  const auto seen = [&](int64_t s) {
    const IntVec place = iota() + static_cast<int32_t>(s);
    return (place >= static_cast<int32_t>(first)) & (place < static_cast<int32_t>(end));
  };
  Vec most = splat(kUnseen);
  for (int64_t s = from; s < to; s += kLanes) {
    const Vec score = select(seen(s), load(scores + s), splat(kUnseen));
    store(scores + s, score);
    // A score that is no number stays one, and so does the sum.
    most = select(score <= most, most, score);
  }
  float largest = most[0];
  for (int i = 1; i < kLanes; ++i) largest = most[i] <= largest ? largest : most[i];
  Vec totals{};
  for (int64_t s = from; s < to; s += kLanes) {
    const Vec weight = select(seen(s), simd::exp(load(scores + s) - largest), Vec{});
    store(scores + s, weight);
    totals += weight;
  }
  return simd::sum(totals);
}

// Rows that follow each other on one line.
struct Block {
  int64_t from, count;
};

// A block's queries of one key head: row i's head r is query i·R + r.
struct Queries {
  int64_t count;
  std::vector<int64_t> first, end;  // the keys that each sees
  std::vector<float> turned, scores, totals;
};

template <typename E>
void attend(const Problem<E>& p, const Block& block, int64_t g, Queries& q, float* out) {
  const int64_t P = p.D / 2, R = p.H / p.G;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.D));
  q.count = block.count * R;
  q.first.resize(q.count);
  q.end.resize(q.count);
  q.turned.resize(q.count * p.D);
  int64_t least = p.rows[block.from].position, most = 0;
  for (int64_t i = 0; i < block.count; ++i) {
    const Row& row = p.rows[block.from + i];
    for (int64_t r = 0; r < R; ++r) {
      const int64_t m = i * R + r;
      q.first[m] = p.first(row);
      q.end[m] = row.position + 1;
      rotate(p.qkv + (block.from + i) * p.width() + (g * R + r) * p.D, p.rope.at(0, row.position, P), P, scale,
             q.turned.data() + m * p.D);
    }
    least = std::min(least, p.first(row));
    most = std::max<int64_t>(most, row.position + 1);
  }
  const int64_t from = least / kLanes * kLanes, to = (most + kLanes - 1) / kLanes * kLanes, stride = to - from;
  q.scores.resize(q.count * stride);
  q.totals.resize(q.count);
  float* scores = q.scores.data() - from;  // scores[m·stride + s]
  const int32_t* line = p.lines + p.rows[block.from].line;
  const Head<E> keys{p.keys + g * p.D, line, p.G * p.D}, values{p.values + g * p.D, line, p.G * p.D};

  for (int64_t s = from; s < most; s += kKeys) {
    const int64_t end = std::min(most, s + kKeys);
    keys.prefetch(end, std::min(most, end + kKeys), p.D);
    int64_t m = 0;
    for (; m + kTileRows <= q.count; m += kTileRows)
      for (int64_t k = s; k < end; k += kTileKeys)
        scoreTile<kTileRows, kTileKeys>(q.turned.data() + m * p.D, p.D, keys, k, end, scores + m * stride + k, stride);
    for (; m < q.count; ++m)
      for (int64_t k = s; k < end; k += kLanes)
        scoreTile<1, kLanes>(q.turned.data() + m * p.D, p.D, keys, k, end, scores + m * stride + k, stride);
  }
  values.prefetch(least, std::min(most, least + kKeys), p.D);
  for (int64_t m = 0; m < q.count; ++m) q.totals[m] = exponentiate(scores + m * stride, from, to, q.first[m], q.end[m]);

  // Query m's own part of the result.
  float* result = q.turned.data();
  std::fill(result, result + q.count * p.D, 0.0f);
  for (int64_t s = least; s < most; s += kKeys) {
    const int64_t end = std::min(most, s + kKeys);
    values.prefetch(end, std::min(most, end + kKeys), p.D);
    int64_t m = 0;
    for (; m + 4 <= q.count; m += 4) {
      // Keys that all four see, and those that only some do; each row's are added in their order.
      int64_t common = s, last = end;
      for (int64_t i = m; i < m + 4; ++i) {
        common = std::max(common, q.first[i]);
        last = std::min(last, q.end[i]);
      }
      common = std::min(common, end);
      last = std::max(last, common);
      for (int64_t i = m; i < m + 4; ++i)
        mixHead<1>(scores + i * stride, stride, values, std::max(s, q.first[i]), std::min(common, q.end[i]), p.D,
                   result + i * p.D, p.D);
      mixHead<4>(scores + m * stride, stride, values, common, last, p.D, result + m * p.D, p.D);
      for (int64_t i = m; i < m + 4; ++i)
        mixHead<1>(scores + i * stride, stride, values, std::max(last, q.first[i]), std::min(end, q.end[i]), p.D,
                   result + i * p.D, p.D);
    }
    for (; m < q.count; ++m)
      mixHead<1>(scores + m * stride, stride, values, std::max(s, q.first[m]), std::min(end, q.end[m]), p.D,
                 result + m * p.D, p.D);
  }
  for (int64_t m = 0; m < q.count; ++m) {
    float* to = out + ((block.from + m / R) * p.H + g * R + m % R) * p.D;
    for (int64_t d = 0; d < p.D; ++d) to[d] = result[m * p.D + d] / q.totals[m];
  }
}

std::vector<Block> blocksOf(const Row* rows, int64_t N) {
  std::vector<Block> blocks;
  for (int64_t n = 0; n < N; ++n) {
    const bool goesOn = n > 0 && rows[n].line == rows[n - 1].line && blocks.back().count < kTogether;
    if (goesOn)
      ++blocks.back().count;
    else
      blocks.push_back({n, 1});
  }
  return blocks;
}

void check(const Tensor& t, at::ScalarType type, const char* name) {
  TORCH_CHECK(t.is_cpu() && t.scalar_type() == type && t.is_contiguous(), "paged_decode_attention: ", name,
              ": a contiguous ", type, " tensor on the CPU is needed");
}

// Every slot and place that a row names exists.
template <typename E>
void checkRows(const Problem<E>& p, int64_t places, int64_t slots, int64_t lineLength) {
  int64_t checkedFrom = 0, checkedTo = 0;
  for (int64_t n = 0; n < p.N; ++n) {
    const Row& row = p.rows[n];
    const int64_t from = row.line, to = from + row.position + 1;
    TORCH_CHECK(row.position >= 0 && row.position < places && row.slot >= 0 && row.slot < slots && from >= 0 &&
                    to <= lineLength,
                "paged_decode_attention: row ", n, " names a place, slot or line that does not exist");
    // Rows of one sequence share a line; what was looked at for the row before is not looked at again.
    for (int64_t i = from == checkedFrom ? checkedTo : from; i < to; ++i)
      TORCH_CHECK(p.lines[i] >= 0 && p.lines[i] < slots, "paged_decode_attention: slot ", p.lines[i],
                  " does not exist");
    checkedTo = from == checkedFrom ? std::max(checkedTo, to) : to;
    checkedFrom = from;
  }
}

template <typename E>
void run(const Problem<E>& p, int64_t places, int64_t slots, int64_t lineLength, float* out) {
  checkRows(p, places, slots, lineLength);
  at::parallel_for(0, p.N, std::max<int64_t>(1, kFloatsPerTask / (p.G * p.D)), [&](int64_t begin, int64_t end) {
    std::vector<float> turned;
    for (int64_t n = begin; n < end; ++n) writeRow(p, n, turned);
  });
  const std::vector<Block> blocks = blocksOf(p.rows, p.N);
  int64_t work = 0;
  for (int64_t n = 0; n < p.N; ++n) work += (p.rows[n].position + 1) * p.D * p.H;
  const int64_t tasks = static_cast<int64_t>(blocks.size()) * p.G;
  const int64_t threads = std::min<int64_t>({at::get_num_threads(), tasks, 1 + work / kFloatsPerTask});
  // Later blocks see more keys: whoever is done takes the next one.
  std::atomic<int64_t> next{0};
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    if (begin == end) return;
    static thread_local Queries queries;
    for (int64_t task = next++; task < tasks; task = next++) attend(p, blocks[task / p.G], task % p.G, queries, out);
  });
}

Tensor pagedDecodeAttention(const Tensor& qkv, const Tensor& cos, const Tensor& sin, Tensor& keys, Tensor& values,
                            const Tensor& rows, const Tensor& lines, int64_t heads, int64_t kvHeads, int64_t window) {
  for (const Tensor* t : {&qkv, &cos, &sin}) check(*t, at::kFloat, "qkv, cos, sin");
  const bool half = keys.scalar_type() == at::kBFloat16;
  for (const Tensor* t : {static_cast<const Tensor*>(&keys), static_cast<const Tensor*>(&values)})
    check(*t, half ? at::kBFloat16 : at::kFloat, "keys, values");
  check(rows, at::kInt, "rows");
  check(lines, at::kInt, "lines");
  TORCH_CHECK(keys.dim() == 3 && keys.sizes() == values.sizes() && keys.size(1) == kvHeads && heads % kvHeads == 0,
              "paged_decode_attention: keys and values must be [slots, ", kvHeads, ", D], not ", keys.sizes());
  const int64_t N = qkv.size(0), D = keys.size(2), slots = keys.size(0);
  TORCH_CHECK(qkv.dim() == 2 && qkv.size(1) == (heads + 2 * kvHeads) * D && D % 2 == 0 && cos.dim() == 2 &&
                  cos.size(1) == D / 2 && cos.sizes() == sin.sizes() && rows.dim() == 2 && rows.size(0) == N &&
                  rows.size(1) == 3 && lines.dim() == 1,
              "paged_decode_attention: the shapes do not belong together");
  Tensor out = at::empty({N, heads * D}, qkv.options());
  const auto with = [&](auto* keyTable, auto* valueTable) {
    using E = std::remove_pointer_t<decltype(keyTable)>;
    const Problem<E> p{qkv.data_ptr<float>(),
                       {cos.data_ptr<float>(), sin.data_ptr<float>(), 0},
                       keyTable,
                       valueTable,
                       reinterpret_cast<const Row*>(rows.data_ptr<int32_t>()),
                       lines.data_ptr<int32_t>(),
                       N,
                       heads,
                       kvHeads,
                       D,
                       window};
    run(p, cos.size(0), slots, lines.numel(), out.data_ptr<float>());
  };
  if (half)
    with(static_cast<uint16_t*>(keys.data_ptr()), static_cast<uint16_t*>(values.data_ptr()));
  else
    with(keys.data_ptr<float>(), values.data_ptr<float>());
  return out;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def(
      "paged_decode_attention(Tensor qkv, Tensor cos, Tensor sin, Tensor(a!) keys, Tensor(b!) values, Tensor rows, "
      "Tensor lines, "
      "int heads, int kv_heads, int window) -> Tensor",
      looprpt::pagedDecodeAttention);
}
