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
void rotate(const float* x, const float* cos, const float* sin, int64_t P, float scale, float sign, float* to) {
  for (int64_t j = 0; j < P; ++j) {
    const float a = x[j], b = x[j + P], s = sign * sin[j];
    to[j] = scale * (a * cos[j] - b * s);
    to[j + P] = scale * (b * cos[j] + a * s);
  }
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

HeadTables packHead(const AttentionProblem& p, const Padded& pad, int64_t b, int64_t g, bool backward) {
  HeadTables t{scratch.zeros(kKeys, pad.S * pad.D), scratch.zeros(kKeysT, pad.D * pad.S), scratch.zeros(kValues, pad.S * pad.D),
               backward ? scratch.zeros(kValuesT, pad.D * pad.S) : nullptr};
  const int64_t P = p.D / 2;
  for (int64_t s = 0; s < p.S; ++s) {
    const float* k = p.k.data + b * p.k.batchStride + s * p.k.placeStride + g * p.D;
    const float* v = p.v.data + b * p.v.batchStride + s * p.v.placeStride + g * p.D;
    float* key = t.keys + s * pad.D;
    rotate(k, ropeRow(p.keyRope.cos, p.keyRope, b, s, P), ropeRow(p.keyRope.sin, p.keyRope, b, s, P), P, 1.0f, 1.0f, key);
    std::copy(v, v + p.D, t.values + s * pad.D);
    for (int64_t d = 0; d < p.D; ++d) t.keysT[d * pad.S + s] = key[d];
    if (backward)
      for (int64_t d = 0; d < p.D; ++d) t.valuesT[d * pad.S + s] = v[d];
  }
  return t;
}

// A block of at most kBlock queries of one head: their rotated, scaled rows and the keys that any of them sees.
struct QueryBlock {
  int64_t from, count;          // queries
  int64_t firstKey, keyEnd;     // keys, firstKey a multiple of kLanes
  View views[kBlock];
  float* rows;                  // [kBlock][pad.D]
};

void packQueries(const AttentionProblem& p, const Padded& pad, int64_t b, int64_t h, int64_t from, QueryBlock& block) {
  const int64_t P = p.D / 2;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.D));
  block.from = from;
  block.count = std::min(kBlock, p.C - from);
  block.rows = scratch.zeros(kQueries, kBlock * pad.D);
  int64_t first = p.S, end = 0;
  for (int64_t i = 0; i < block.count; ++i) {
    const int64_t c = from + i;
    block.views[i] = viewOf(p, b, c);
    first = std::min(first, block.views[i].first);
    end = std::max(end, block.views[i].last + 1);
    const float* q = p.q.data + b * p.q.batchStride + c * p.q.placeStride + h * p.D;
    rotate(q, ropeRow(p.queryRope.cos, p.queryRope, b, c, P), ropeRow(p.queryRope.sin, p.queryRope, b, c, P), P, scale, 1.0f,
           block.rows + i * pad.D);
  }
  for (int64_t i = block.count; i < kBlock; ++i) block.views[i] = {0, -1};  // padding sees nothing
  block.firstKey = first / kLanes * kLanes;
  block.keyEnd = std::max(end, block.firstKey);
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

void scoreBlock(const QueryBlock& block, const Padded& pad, const float* rows, const float* tableT, int64_t D, float* scores) {
  const int64_t columns = roundUp(block.keyEnd - block.firstKey, kLanes);
  for (int64_t i = 0; i < block.count; i += kRows)
    rowsTimes(rows + i * pad.D, pad.D, 1, tableT + block.firstKey, pad.S, D, scores + i * pad.S + block.firstKey, pad.S, columns,
              false);
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
          const int64_t keyEnd = roundUp(block.keyEnd, kLanes);
          for (int64_t i = 0; i < roundUp(block.count, kRows); ++i) {
            float* row = scores + i * pad.S;
            const float most = hideAndMax(row, block.views[i], block.firstKey, keyEnd);
            const float total = exponentiate(row, most, block.firstKey, keyEnd);
            if (i >= block.count) continue;
            // A query that sees nothing (left padding) gives zeros.
            scale[i] = total > 0 ? 1.0f / total : 0.0f;
            logSumExp[(b * p.H + h) * p.C + from + i] = total > 0 ? most + std::log(total) : 0.0f;
          }
          for (int64_t i = 0; i < block.count; i += kRows)
            rowsTimes(scores + i * pad.S + block.firstKey, pad.S, 1, tables.values + block.firstKey * pad.D, pad.D,
                      block.keyEnd - block.firstKey, result + i * pad.D, pad.D, pad.D, false);
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
          float* dRows = scratch.zeros(kDOut, kBlock * pad.D);
          float delta[kBlock] = {};
          for (int64_t i = 0; i < block.count; ++i) {
            const int64_t at = ((b * p.C + from + i) * p.H + h) * p.D;
            for (int64_t d = 0; d < p.D; ++d) {
              dRows[i * pad.D + d] = dOut[at + d];
              delta[i] += dOut[at + d] * out[at + d];
            }
          }
          // P = exp(S − lse), dP = dO·Vᵀ, dS = P ⊙ (dP − δ)
          scoreBlock(block, pad, block.rows, tables.keysT, p.D, probabilities);
          scoreBlock(block, pad, dRows, tables.valuesT, p.D, dScores);
          const int64_t keyEnd = roundUp(block.keyEnd, kLanes);
          const int64_t rows = roundUp(block.count, kRows);
          for (int64_t i = 0; i < rows; ++i) {
            float* probability = probabilities + i * pad.S;
            float* dScore = dScores + i * pad.S;
            hideAndMax(probability, block.views[i], block.firstKey, keyEnd);
            exponentiate(probability, i < block.count ? logSumExp[(b * p.H + h) * p.C + from + i] : 0.0f, block.firstKey, keyEnd);
            for (int64_t j = block.firstKey; j < keyEnd; j += kLanes)
              store(dScore + j, load(probability + j) * (load(dScore + j) - delta[i]));
          }
          for (int64_t i = 0; i < block.count; i += kRows)
            rowsTimes(dScores + i * pad.S + block.firstKey, pad.S, 1, tables.keys + block.firstKey * pad.D, pad.D,
                      block.keyEnd - block.firstKey, dQueries + i * pad.D, pad.D, pad.D, false);
          for (int64_t i = 0; i < block.count; ++i) {
            const int64_t c = from + i;
            rotate(dQueries + i * pad.D, ropeRow(p.queryRope.cos, p.queryRope, b, c, P),
                   ropeRow(p.queryRope.sin, p.queryRope, b, c, P), P, scale, -1.0f,
                   dq.data + b * dq.batchStride + c * dq.placeStride + h * p.D);
          }
          if (constantKeys) continue;
          for (int64_t j = block.firstKey; j < keyEnd; j += kRows) {
            rowsTimes(probabilities + j, 1, pad.S, dRows, pad.D, block.count, dValues + j * pad.D, pad.D, pad.D, true);
            rowsTimes(dScores + j, 1, pad.S, block.rows, pad.D, block.count, dKeys + j * pad.D, pad.D, pad.D, true);
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
