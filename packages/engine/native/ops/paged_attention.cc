// paged_decode_attention: N single positions of any sequences, each over its own scattered keys and values.
//
//   paged_decode_attention(qkv [N, (H + 2G)·D], cos, sin [places, P], keys!, values! [slots, G, D], rows int32 [N, 3],
//                          lines int32 [M], heads, kv_heads, window) -> [N, H·D]
//
// Row n is (position, slot to write, start of its line): its rotated key and its value go to that slot, then it attends
// to the slots lines[start .. start + position], one per position up to its own; window > 0 leaves only the last
// `window` of them. All rows write before any reads, so rows of one sequence may see each other. What a row gives
// depends on its own slots alone, to the last bit. float32 on the CPU, contiguous.
//
// Shapes: H query heads, G key heads, R = H/G, D head size, P = D/2.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lane_sums.h"
#include "rotation.h"

namespace looprpt {
namespace {

using at::Tensor;
using namespace simd;

constexpr float kUnseen = -1e30f;
constexpr int64_t kFloatsPerTask = 1 << 14;

struct Row {
  int32_t position, slot, line;
};

struct Problem {
  const float* qkv;
  Rope rope;
  float *keys, *values;
  const Row* rows;
  const int32_t* lines;
  int64_t N, H, G, D, window;
  int64_t width() const { return (H + 2 * G) * D; }
};

void writeRow(const Problem& p, int64_t n) {
  const Row& row = p.rows[n];
  const int64_t P = p.D / 2;
  const float* k = p.qkv + n * p.width() + p.H * p.D;
  const float* v = k + p.G * p.D;
  for (int64_t g = 0; g < p.G; ++g)
    rotate(k + g * p.D, p.rope.at(0, row.position, P), P, 1.0f, p.keys + (row.slot * p.G + g) * p.D);
  std::copy(v, v + p.G * p.D, p.values + row.slot * p.G * p.D);
}

// Asks for one head of a block of slots before it is needed: they are scattered, so the processor cannot foresee them.
void prefetch(const Problem& p, const float* table, const int32_t* line, int64_t count, int64_t g) {
  constexpr int64_t kFloatsPerCacheLine = 16;
  for (int64_t i = 0; i < std::min<int64_t>(count, kLanes); ++i)
    for (int64_t d = 0; d < p.D; d += kFloatsPerCacheLine) __builtin_prefetch(table + (line[i] * p.G + g) * p.D + d);
}

// Scores of kLanes keys; beyond the last key they are those of the last key again.
Vec scoresOf(const Problem& p, const float* q, const int32_t* line, int64_t count, int64_t g) {
  Vec sums[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    const float* key = p.keys + (line[std::min<int64_t>(i, count - 1)] * p.G + g) * p.D;
    Vec sum{};
    int64_t d = 0;
    for (; d + kLanes <= p.D; d += kLanes) sum += load(q + d) * load(key + d);
    if (d < p.D) sum += loadPart(q + d, p.D - d) * loadPart(key + d, p.D - d);
    sums[i] = sum;
  }
  return laneSums(sums);
}

// out += Σ_s weights[s]·values[line[s]] for `kVectors` vectors of a head.
template <int kVectors>
void mixVectors(const Problem& p, const float* weights, const int32_t* line, int64_t count, const float* values,
                float* out) {
  Vec sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = load(out + v * kLanes);
  for (int64_t s = 0; s < count; ++s) {
    const float* value = values + line[s] * p.G * p.D;
    const Vec weight = splat(weights[s]);
    for (int v = 0; v < kVectors; ++v) sums[v] += weight * load(value + v * kLanes);
  }
  for (int v = 0; v < kVectors; ++v) store(out + v * kLanes, sums[v]);
}

// The same for a whole head.
void mixHead(const Problem& p, const float* weights, const int32_t* line, int64_t count, int64_t g, float* out) {
  const float* values = p.values + g * p.D;
  int64_t d = 0;
  for (; d + 4 * kLanes <= p.D; d += 4 * kLanes) mixVectors<4>(p, weights, line, count, values + d, out + d);
  for (; d + 2 * kLanes <= p.D; d += 2 * kLanes) mixVectors<2>(p, weights, line, count, values + d, out + d);
  for (; d + kLanes <= p.D; d += kLanes) mixVectors<1>(p, weights, line, count, values + d, out + d);
  if (d == p.D) return;
  Vec sum = loadPart(out + d, p.D - d);
  for (int64_t s = 0; s < count; ++s) sum += splat(weights[s]) * loadPart(values + line[s] * p.G * p.D + d, p.D - d);
  std::memcpy(out + d, &sum, (p.D - d) * sizeof(float));
}

// scores ← exp(scores − largest), 0 beyond the last; both arrays end at a multiple of kLanes. Returns the sum.
float exponentiate(float* scores, int64_t count) {
  Vec most = splat(kUnseen);
  for (int64_t s = 0; s < count; s += kLanes) {
    Vec score = load(scores + s);
    if (s + kLanes > count) score = select(iota() < static_cast<int32_t>(count - s), score, splat(kUnseen));
    store(scores + s, score);
    most = select(score > most, score, most);
  }
  const float largest = simd::max(most);
  Vec totals{};
  for (int64_t s = 0; s < count; s += kLanes) {
    Vec weight = simd::exp(load(scores + s) - largest);
    if (s + kLanes > count) weight = select(iota() < static_cast<int32_t>(count - s), weight, Vec{});
    store(scores + s, weight);
    totals += weight;
  }
  return simd::sum(totals);
}

// Row n for the key heads from..to. Goes through the keys block by block for all heads, because a slot's heads lie
// together.
void attend(const Problem& p, int64_t n, int64_t from, int64_t to, std::vector<float>& scratch, float* out) {
  const Row& row = p.rows[n];
  const int64_t P = p.D / 2, R = p.H / p.G, S = row.position + 1, heads = (to - from) * R;
  const int64_t first = p.window > 0 ? std::max<int64_t>(0, S - p.window) : 0, count = S - first;
  const int64_t padded = (count + kLanes - 1) / kLanes * kLanes;
  const int32_t* line = p.lines + row.line + first;
  if (static_cast<int64_t>(scratch.size()) < heads * (padded + p.D)) scratch.resize(heads * (padded + p.D));
  float *scores = scratch.data(), *queries = scores + heads * padded;
  float* result = out + (n * p.H + from * R) * p.D;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.D));
  for (int64_t h = 0; h < heads; ++h)
    rotate(p.qkv + n * p.width() + (from * R + h) * p.D, p.rope.at(0, row.position, P), P, scale, queries + h * p.D);
  for (int64_t s = 0; s < count; s += kLanes)
    for (int64_t g = from; g < to; ++g) {
      if (s + kLanes < count) prefetch(p, p.keys, line + s + kLanes, count - s - kLanes, g);
      for (int64_t h = (g - from) * R; h < (g - from + 1) * R; ++h)
        store(scores + h * padded + s, scoresOf(p, queries + h * p.D, line + s, count - s, g));
    }
  for (int64_t g = from; g < to; ++g) prefetch(p, p.values, line, count, g);
  float* totals = queries;  // the queries have done their part
  for (int64_t h = 0; h < heads; ++h) totals[h] = exponentiate(scores + h * padded, count);
  std::fill(result, result + heads * p.D, 0.0f);
  for (int64_t s = 0; s < count; s += kLanes)
    for (int64_t g = from; g < to; ++g) {
      if (s + kLanes < count) prefetch(p, p.values, line + s + kLanes, count - s - kLanes, g);
      for (int64_t h = (g - from) * R; h < (g - from + 1) * R; ++h)
        mixHead(p, scores + h * padded + s, line + s, std::min<int64_t>(kLanes, count - s), g, result + h * p.D);
    }
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t d = 0; d < p.D; ++d) result[h * p.D + d] /= totals[h];
}

void check(const Tensor& t, at::ScalarType type, const char* name) {
  TORCH_CHECK(t.is_cpu() && t.scalar_type() == type && t.is_contiguous(), "paged_decode_attention: ", name,
              ": a contiguous ", type, " tensor on the CPU is needed");
}

// Every slot and place that a row names exists. Returns the sum of the positions.
int64_t checkRows(const Problem& p, int64_t places, int64_t slots, int64_t lineLength) {
  int64_t total = 0, checkedFrom = 0, checkedTo = 0;
  for (int64_t n = 0; n < p.N; ++n) {
    const Row& row = p.rows[n];
    const int64_t from = row.line, to = from + row.position + 1;
    TORCH_CHECK(row.position >= 0 && row.position < places && row.slot >= 0 && row.slot < slots && from >= 0 &&
                    to <= lineLength,
                "paged_decode_attention: row ", n, " names a place, slot or line that does not exist");
    total += row.position;
    // Rows of one sequence share a line; what was looked at for the row before is not looked at again.
    for (int64_t i = from == checkedFrom ? checkedTo : from; i < to; ++i)
      TORCH_CHECK(p.lines[i] >= 0 && p.lines[i] < slots, "paged_decode_attention: slot ", p.lines[i],
                  " does not exist");
    checkedTo = from == checkedFrom ? std::max(checkedTo, to) : to;
    checkedFrom = from;
  }
  return total;
}

Tensor pagedDecodeAttention(const Tensor& qkv, const Tensor& cos, const Tensor& sin, Tensor& keys, Tensor& values,
                            const Tensor& rows, const Tensor& lines, int64_t heads, int64_t kvHeads, int64_t window) {
  for (const Tensor* t : {&qkv, &cos, &sin, static_cast<const Tensor*>(&keys), static_cast<const Tensor*>(&values)})
    check(*t, at::kFloat, "qkv, cos, sin, keys, values");
  check(rows, at::kInt, "rows");
  check(lines, at::kInt, "lines");
  TORCH_CHECK(keys.dim() == 3 && keys.sizes() == values.sizes() && keys.size(1) == kvHeads && heads % kvHeads == 0,
              "paged_decode_attention: keys and values must be [slots, ", kvHeads, ", D], not ", keys.sizes());
  const int64_t N = qkv.size(0), D = keys.size(2), slots = keys.size(0);
  TORCH_CHECK(qkv.dim() == 2 && qkv.size(1) == (heads + 2 * kvHeads) * D && D % 2 == 0 && cos.dim() == 2 &&
                  cos.size(1) == D / 2 && cos.sizes() == sin.sizes() && rows.dim() == 2 && rows.size(0) == N &&
                  rows.size(1) == 3 && lines.dim() == 1,
              "paged_decode_attention: the shapes do not belong together");
  const Problem p{qkv.data_ptr<float>(),
                  {cos.data_ptr<float>(), sin.data_ptr<float>(), 0},
                  keys.data_ptr<float>(),
                  values.data_ptr<float>(),
                  reinterpret_cast<const Row*>(rows.data_ptr<int32_t>()),
                  lines.data_ptr<int32_t>(),
                  N,
                  heads,
                  kvHeads,
                  D,
                  window};
  const int64_t positions = checkRows(p, cos.size(0), slots, lines.numel());
  Tensor out = at::empty({N, heads * D}, qkv.options());
  float* to = out.data_ptr<float>();
  at::parallel_for(0, N, std::max<int64_t>(1, kFloatsPerTask / (kvHeads * D)), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) writeRow(p, n);
  });
  // Where there are few rows their heads are shared out too.
  const int64_t groups = N >= 2 * at::get_num_threads() ? 1 : kvHeads;
  const int64_t perTask = (positions / std::max<int64_t>(1, N) + 1) * D * heads / groups;
  at::parallel_for(0, N * groups, std::max<int64_t>(1, kFloatsPerTask / perTask), [&](int64_t begin, int64_t end) {
    std::vector<float> scratch;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t g = task % groups;
      attend(p, task / groups, g * kvHeads / groups, (g + 1) * kvHeads / groups, scratch, to);
    }
  });
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
