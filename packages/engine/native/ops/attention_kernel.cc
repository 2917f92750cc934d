#include "attention_kernel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "attention_pack.h"
#include "simd.h"

namespace looprpt {
namespace {

using namespace simd;

constexpr float kHidden = -1e30f;  // score of a key that is not seen
constexpr float kHiddenBelow = -1e29f;

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
    Scratch& scratch = threadScratch();
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
    Scratch& scratch = threadScratch();
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
