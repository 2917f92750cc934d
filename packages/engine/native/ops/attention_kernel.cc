#include "attention_kernel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "simd.h"

namespace looprpt {
namespace {

using namespace simd;

constexpr int64_t kBlock = 64;        // queries of a block
constexpr float kHidden = -1e30f;     // score of a key that is not seen
constexpr float kHiddenBelow = -1e29f;

int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Scratch memory of one thread; blocks keep their alignment and are zeroed on request only.
class Scratch {
 public:
  float* get(size_t slot, int64_t size) {
    if (buffers_.size() <= slot) buffers_.resize(slot + 1);
    auto& buffer = buffers_[slot];
    if (static_cast<int64_t>(buffer.size()) < size) buffer.resize(size);
    return buffer.data();
  }
  float* zeros(size_t slot, int64_t size) {
    float* data = get(slot, size);
    std::fill(data, data + size, 0.0f);
    return data;
  }

 private:
  std::vector<std::vector<float>> buffers_;
};

thread_local Scratch scratch;
enum Slot { kKeysT, kValuesT, kKeys, kValues, kQueries, kScores, kOut, kDOut, kDScores, kDQueries, kDKeys, kDValues };

// Geometry of padded scratch tables.
struct Padded {
  int64_t D, S;  // columns of [place][feature] tables, columns of [feature][place] tables
};

const float* ropeRow(const float* table, const Rope& rope, int64_t b, int64_t place, int64_t P) {
  return table + b * rope.batchStride + place * P;
}

// Rotates one head by its place; `sign` −1 rotates back.
void rotate(const float* __restrict x, const float* __restrict cos, const float* __restrict sin, int64_t P, float scale, float sign,
            float* __restrict to) {
  for (int64_t j = 0; j < P; ++j) {
    const float a = x[j], b = x[j + P], s = sign * sin[j];
    to[j] = scale * (a * cos[j] - b * s);
    to[j + P] = scale * (b * cos[j] + a * s);
  }
}

// Copies n elements and returns their dot product with others.
float copyAndDot(const float* from, const float* with, int64_t n, float* to) {
  Vec sums{};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec v = load(from + i);
    store(to + i, v);
    sums += v * load(with + i);
  }
  float total = simd::sum(sums);
  for (; i < n; ++i) total += (to[i] = from[i]) * with[i];
  return total;
}

struct View {
  int64_t first, last;
};

// The keys that query c of row b sees.
View viewOf(const AttentionProblem& p, int64_t b, int64_t c) {
  const int64_t last = p.last ? p.last[b * p.C + c] : c;
  int64_t first = p.first ? p.first[b * p.C + c] : 0;
  if (p.window > 0) first = std::max(first, last - p.window + 1);
  return {first, last};
}

// Keys (rotated) and values of one key head: as [place][feature], and as [feature][place].
struct HeadTables {
  float *keys, *keysT, *values, *valuesT;
};

// to [D][pad.S] ← rows [S][pad.D] transposed, zeros behind the last place. By cache lines of the result: place by place every store
// would go to another line.
void transpose(const Padded& pad, const float* rows, int64_t S, int64_t D, float* to) {
  int64_t s = 0;
  for (; s + kLanes <= S; s += kLanes)
    for (int64_t d = 0; d < D; ++d)
      for (int64_t i = 0; i < kLanes; ++i) to[d * pad.S + s + i] = rows[(s + i) * pad.D + d];
  for (int64_t d = 0; d < D; ++d) {
    for (int64_t i = s; i < S; ++i) to[d * pad.S + i] = rows[i * pad.D + d];
    std::fill(to + d * pad.S + S, to + (d + 1) * pad.S, 0.0f);
  }
}

// Zeros columns D and up of rows 0..end, and all of the rows after them up to `padded`.
void clearPadding(const Padded& pad, int64_t D, int64_t end, int64_t padded, float* rows) {
  for (int64_t i = 0; D < pad.D && i < end; ++i) std::fill(rows + i * pad.D + D, rows + (i + 1) * pad.D, 0.0f);
  std::fill(rows + end * pad.D, rows + padded * pad.D, 0.0f);
}

HeadTables packHead(const AttentionProblem& p, const Padded& pad, int64_t b, int64_t g, bool backward) {
  HeadTables t{scratch.get(kKeys, pad.S * pad.D), scratch.get(kKeysT, pad.D * pad.S), scratch.get(kValues, pad.S * pad.D),
               backward ? scratch.get(kValuesT, pad.D * pad.S) : nullptr};
  const int64_t P = p.D / 2;
  for (int64_t s = 0; s < p.S; ++s) {
    const float* k = p.k.data + b * p.k.batchStride + s * p.k.placeStride + g * p.D;
    const float* v = p.v.data + b * p.v.batchStride + s * p.v.placeStride + g * p.D;
    float* key = t.keys + s * pad.D;
    rotate(k, ropeRow(p.keyRope.cos, p.keyRope, b, s, P), ropeRow(p.keyRope.sin, p.keyRope, b, s, P), P, 1.0f, 1.0f, key);
    std::copy(v, v + p.D, t.values + s * pad.D);
  }
  for (float* table : {t.keys, t.values}) clearPadding(pad, p.D, p.S, pad.S, table);
  transpose(pad, t.keys, p.S, p.D, t.keysT);
  if (backward) transpose(pad, t.values, p.S, p.D, t.valuesT);
  return t;
}

// Keys from..end, `from` a multiple of kLanes.
struct KeyRange {
  int64_t from, end;
  int64_t columns() const { return roundUp(end - from, kLanes); }
};

// A block of at most kBlock queries of one head: their rotated, scaled rows, and the keys that they see. Keys are bounded for every
// tile of kRows queries apart, so that little of the hidden half of a causal table is computed.
struct QueryBlock {
  int64_t from, count;
  View views[kBlock];
  KeyRange keys;                      // of the whole block
  KeyRange tileKeys[kBlock / kRows];  // of queries i..i + kRows
  float* rows;                        // [kBlock][pad.D]
};

KeyRange rangeOf(const View* views, int64_t count) {
  int64_t first = INT64_MAX, end = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (views[i].first > views[i].last) continue;
    first = std::min(first, views[i].first);
    end = std::max(end, views[i].last + 1);
  }
  return end == 0 ? KeyRange{0, 0} : KeyRange{first / kLanes * kLanes, end};
}

void packQueries(const AttentionProblem& p, const Padded& pad, int64_t b, int64_t h, int64_t from, QueryBlock& block) {
  const int64_t P = p.D / 2;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.D));
  block.from = from;
  block.count = std::min(kBlock, p.C - from);
  block.rows = scratch.get(kQueries, kBlock * pad.D);
  clearPadding(pad, p.D, block.count, roundUp(block.count, kRows), block.rows);
  for (int64_t i = 0; i < block.count; ++i) {
    const int64_t c = from + i;
    block.views[i] = viewOf(p, b, c);
    const float* q = p.q.data + b * p.q.batchStride + c * p.q.placeStride + h * p.D;
    rotate(q, ropeRow(p.queryRope.cos, p.queryRope, b, c, P), ropeRow(p.queryRope.sin, p.queryRope, b, c, P), P, scale, 1.0f,
           block.rows + i * pad.D);
  }
  for (int64_t i = block.count; i < kBlock; ++i) block.views[i] = {0, -1};  // padding sees nothing
  block.keys = rangeOf(block.views, block.count);
  for (int64_t i = 0; i < kBlock; i += kRows) block.tileKeys[i / kRows] = rangeOf(block.views + i, kRows);
}

// Scores of one query over the block's keys, hidden ones marked. Returns the largest.
float hideAndMax(float* scores, const View& view, int64_t firstKey, int64_t keyEnd) {
  const IntVec lane = iota();
  Vec most = splat(kHidden);
  for (int64_t j = firstKey; j < keyEnd; j += kLanes) {
    Vec s = load(scores + j);
    if (j < view.first || j + kLanes - 1 > view.last) {
      const IntVec place = lane + static_cast<int32_t>(j);
      const IntVec seen = (place >= static_cast<int32_t>(view.first)) & (place <= static_cast<int32_t>(view.last));
      s = select(seen, s, splat(kHidden));
      store(scores + j, s);
    }
    most = select(s > most, s, most);
  }
  return simd::max(most);
}

// scores ← exp(scores − shift), 0 where hidden. Returns the sum.
float exponentiate(float* scores, float shift, int64_t firstKey, int64_t keyEnd) {
  Vec total{};
  for (int64_t j = firstKey; j < keyEnd; j += kLanes) {
    const Vec s = load(scores + j);
    const Vec e = select(s > kHiddenBelow, simd::exp(s - shift), Vec{});
    store(scores + j, e);
    total += e;
  }
  return simd::sum(total);
}

Padded paddingFor(const AttentionProblem& p) { return {roundUp(p.D, kLanes), roundUp(p.S, 2 * kLanes) + 2 * kLanes}; }

// scores [kBlock][pad.S] ← rows · tableᵀ, over the keys of each tile.
void scoreBlock(const QueryBlock& block, const Padded& pad, const float* rows, const float* tableT, int64_t D, float* scores) {
  for (int64_t i = 0; i < block.count; i += kRows) {
    const KeyRange keys = block.tileKeys[i / kRows];
    rowsTimes(rows + i * pad.D, pad.D, 1, tableT + keys.from, pad.S, D, scores + i * pad.S + keys.from, pad.S, keys.columns(), false);
  }
}

// result [kBlock][pad.D] ← weights [kBlock][pad.S] · table, over the keys of each tile.
void weighBlock(const QueryBlock& block, const Padded& pad, const float* weights, const float* table, float* result) {
  for (int64_t i = 0; i < block.count; i += kRows) {
    const KeyRange keys = block.tileKeys[i / kRows];
    rowsTimes(weights + i * pad.S + keys.from, pad.S, 1, table + keys.from * pad.D, pad.D, keys.end - keys.from, result + i * pad.D,
              pad.D, pad.D, false);
  }
}

// Zeros what a tile did not compute of the block's keys, for products that run over the block.
void clearOutside(const QueryBlock& block, const Padded& pad, float* table) {
  const int64_t end = block.keys.from + block.keys.columns();
  for (int64_t i = 0; i < roundUp(block.count, kRows); ++i) {
    const KeyRange keys = block.tileKeys[i / kRows];
    float* row = table + i * pad.S;
    if (keys.from == keys.end) {
      std::fill(row + block.keys.from, row + end, 0.0f);
      continue;
    }
    std::fill(row + block.keys.from, row + keys.from, 0.0f);
    std::fill(row + std::min(end, keys.from + keys.columns()), row + end, 0.0f);
  }
}

// The queries of the block, in whole tiles, of which any may see keys j..j + kRows.
KeyRange queriesSeeing(const QueryBlock& block, int64_t j) {
  KeyRange seeing{block.count, 0};
  for (int64_t i = 0; i < block.count; i += kRows) {
    const KeyRange keys = block.tileKeys[i / kRows];
    if (keys.from >= j + kRows || keys.end <= j) continue;
    seeing.from = std::min(seeing.from, i);
    seeing.end = std::min(i + kRows, block.count);
  }
  return seeing;
}

}  // namespace

void attentionForward(const AttentionProblem& p, float* out, float* logSumExp) {
  const Padded pad = paddingFor(p);
  const int64_t R = p.H / p.G;
  at::parallel_for(0, p.B * p.G, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t b = task / p.G, g = task % p.G;
      const HeadTables tables = packHead(p, pad, b, g, false);
      float* scores = scratch.get(kScores, kBlock * pad.S);
      float* result = scratch.get(kOut, kBlock * pad.D);
      QueryBlock block;
      for (int64_t h = g * R; h < (g + 1) * R; ++h) {
        for (int64_t from = 0; from < p.C; from += kBlock) {
          packQueries(p, pad, b, h, from, block);
          scoreBlock(block, pad, block.rows, tables.keysT, p.D, scores);
          float scale[kBlock] = {};
          for (int64_t i = 0; i < roundUp(block.count, kRows); ++i) {
            float* row = scores + i * pad.S;
            const KeyRange keys = block.tileKeys[i / kRows];
            const int64_t keyEnd = keys.from + keys.columns();
            const float most = hideAndMax(row, block.views[i], keys.from, keyEnd);
            const float total = exponentiate(row, most, keys.from, keyEnd);
            if (i >= block.count) continue;
            // A query that sees nothing (left padding) gives zeros.
            scale[i] = total > 0 ? 1.0f / total : 0.0f;
            logSumExp[(b * p.H + h) * p.C + from + i] = total > 0 ? most + std::log(total) : 0.0f;
          }
          weighBlock(block, pad, scores, tables.values, result);
          for (int64_t i = 0; i < block.count; ++i) {
            float* to = out + ((b * p.C + from + i) * p.H + h) * p.D;
            for (int64_t d = 0; d < p.D; ++d) to[d] = result[i * pad.D + d] * scale[i];
          }
        }
      }
    }
  });
}

void attentionBackward(const AttentionProblem& p, const float* out, const float* logSumExp, const float* dOut, MutableRows dq,
                       MutableRows dk, MutableRows dv) {
  const Padded pad = paddingFor(p);
  const int64_t R = p.H / p.G, P = p.D / 2;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.D));
  const bool constantKeys = dk.data == nullptr;
  at::parallel_for(0, p.B * p.G, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t b = task / p.G, g = task % p.G;
      const HeadTables tables = packHead(p, pad, b, g, true);
      float* probabilities = scratch.get(kScores, kBlock * pad.S);
      float* dScores = scratch.get(kDScores, kBlock * pad.S);
      float* dQueries = scratch.get(kDQueries, kBlock * pad.D);
      float* dKeys = constantKeys ? nullptr : scratch.zeros(kDKeys, pad.S * pad.D);
      float* dValues = constantKeys ? nullptr : scratch.zeros(kDValues, pad.S * pad.D);
      QueryBlock block;
      for (int64_t h = g * R; h < (g + 1) * R; ++h) {
        for (int64_t from = 0; from < p.C; from += kBlock) {
          packQueries(p, pad, b, h, from, block);
          float* dRows = scratch.get(kDOut, kBlock * pad.D);
          clearPadding(pad, p.D, block.count, roundUp(block.count, kRows), dRows);
          float delta[kBlock] = {};
          for (int64_t i = 0; i < block.count; ++i) {
            const int64_t at = ((b * p.C + from + i) * p.H + h) * p.D;
            delta[i] = copyAndDot(dOut + at, out + at, p.D, dRows + i * pad.D);
          }
          // P = exp(S − lse), dP = dO·Vᵀ, dS = P ⊙ (dP − δ)
          scoreBlock(block, pad, block.rows, tables.keysT, p.D, probabilities);
          scoreBlock(block, pad, dRows, tables.valuesT, p.D, dScores);
          for (int64_t i = 0; i < roundUp(block.count, kRows); ++i) {
            float* probability = probabilities + i * pad.S;
            float* dScore = dScores + i * pad.S;
            const KeyRange keys = block.tileKeys[i / kRows];
            const int64_t keyEnd = keys.from + keys.columns();
            hideAndMax(probability, block.views[i], keys.from, keyEnd);
            exponentiate(probability, i < block.count ? logSumExp[(b * p.H + h) * p.C + from + i] : 0.0f, keys.from, keyEnd);
            for (int64_t j = keys.from; j < keyEnd; j += kLanes)
              store(dScore + j, load(probability + j) * (load(dScore + j) - delta[i]));
          }
          weighBlock(block, pad, dScores, tables.keys, dQueries);
          for (int64_t i = 0; i < block.count; ++i) {
            const int64_t c = from + i;
            rotate(dQueries + i * pad.D, ropeRow(p.queryRope.cos, p.queryRope, b, c, P),
                   ropeRow(p.queryRope.sin, p.queryRope, b, c, P), P, scale, -1.0f,
                   dq.data + b * dq.batchStride + c * dq.placeStride + h * p.D);
          }
          if (constantKeys) continue;
          clearOutside(block, pad, probabilities);
          clearOutside(block, pad, dScores);
          for (int64_t j = block.keys.from; j < block.keys.end; j += kRows) {
            const KeyRange seeing = queriesSeeing(block, j);
            if (seeing.from >= seeing.end) continue;
            const int64_t rows = seeing.end - seeing.from, first = seeing.from * pad.S + j;
            rowsTimes(probabilities + first, 1, pad.S, dRows + seeing.from * pad.D, pad.D, rows, dValues + j * pad.D, pad.D, pad.D, true);
            rowsTimes(dScores + first, 1, pad.S, block.rows + seeing.from * pad.D, pad.D, rows, dKeys + j * pad.D, pad.D, pad.D, true);
          }
        }
      }
      if (constantKeys) continue;
      for (int64_t s = 0; s < p.S; ++s) {
        rotate(dKeys + s * pad.D, ropeRow(p.keyRope.cos, p.keyRope, b, s, P), ropeRow(p.keyRope.sin, p.keyRope, b, s, P), P, 1.0f,
               -1.0f, dk.data + b * dk.batchStride + s * dk.placeStride + g * p.D);
        std::copy(dValues + s * pad.D, dValues + s * pad.D + p.D, dv.data + b * dv.batchStride + s * dv.placeStride + g * p.D);
      }
    }
  });
}

}  // namespace looprpt
