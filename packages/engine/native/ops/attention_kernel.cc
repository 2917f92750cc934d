#include "attention_kernel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "attention_pack.h"
#include "attention_products.h"
#include "simd.h"

namespace looprpt {
namespace {

using namespace simd;

constexpr float kHidden = -1e30f;  // score of a key that is not seen
constexpr float kHiddenBelow = -1e29f;

// Copies n elements and returns their dot product with others.
template <typename Element>
float copyAndDot(const Element* from, const Element* with, int64_t n, float* to) {
  Vec sums{};
  overLanes(n, [&](int64_t i, auto lanes) {
    const Vec v = load(from + i, lanes);
    store(to + i, v, lanes);
    sums += v * load(with + i, lanes);
  });
  return simd::sum(sums);
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
    // Asked this way round, a score that is not a number stays one: it must not pass for a hidden key.
    const Vec e = select(s < kHiddenBelow, Vec{}, simd::exp(s - shift));
    store(scores + j, e);
    total += e;
  }
  return simd::sum(total);
}

// scores [kBlock][pad.S] ← rows · tableᵀ, over the keys of each tile.
template <typename Products>
void scoreBlock(const QueryBlock& block, const Padded& pad, const float* rows, const typename Products::Word* tableT,
                int64_t D, float* scores) {
  for (int64_t i = 0; i < block.count; i += kRows) {
    const KeyRange keys = block.tileKeys[i / kRows];
    Products::times(rows + i * pad.D, pad.D, D, tableT + keys.from, pad.S, scores + i * pad.S + keys.from, pad.S,
                    keys.columns());
  }
}

// result [kBlock][pad.D] ← weights [kBlock][pad.S] · table, over the keys of each tile.
template <typename Products>
void weighBlock(const QueryBlock& block, const Padded& pad, const float* weights, const typename Products::Word* table,
                float* result) {
  for (int64_t i = 0; i < block.count; i += kRows) {
    const KeyRange keys = block.tileKeys[i / kRows];
    Products::times(weights + i * pad.S + keys.from, pad.S, keys.end - keys.from,
                    table + keys.from / Products::kInner * pad.D, pad.D, result + i * pad.D, pad.D, pad.D);
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

// Calls body(b, g) for every key head g of every row b, shared out among the threads.
template <typename Body>
void forKeyHeads(const AttentionShape& p, const Body& body) {
  at::parallel_for(0, p.B * p.G, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) body(task / p.G, task % p.G);
  });
}

// Calls body(h, from) for every block of queries, from `from` on, of every query head h that reads key head g.
template <typename Body>
void forQueryBlocks(const AttentionShape& p, int64_t g, const Body& body) {
  const int64_t R = p.H / p.G;
  for (int64_t h = g * R; h < (g + 1) * R; ++h)
    for (int64_t from = 0; from < p.C; from += kBlock) body(h, from);
}

// One query head's part of a tensor [B, C, H·D]: its row of query c is D elements.
template <typename Element>
struct HeadRows {
  Element* data;
  int64_t stride;
  Element* row(int64_t c) const { return data + c * stride; }
};

template <typename Element>
HeadRows<Element> headOf(const AttentionShape& p, Element* all, int64_t b, int64_t h) {
  return {all + (b * p.C * p.H + h) * p.D, p.H * p.D};
}

// The softmax of one tile row, not yet divided by its sum.
struct RowWeights {
  float largest, total;
};

RowWeights weighKeys(const QueryBlock& block, const Padded& pad, int64_t i, float* scores) {
  const KeyRange keys = block.tileKeys[i / kRows];
  const int64_t end = keys.from + keys.columns();
  float* row = scores + i * pad.S;
  const float largest = hideAndMax(row, block.views[i], keys.from, end);
  return {largest, exponentiate(row, largest, keys.from, end)};
}

template <typename Element, typename Products = ProductsOf<Element>>
void forwardBlock(const AttentionShape& p, const Padded& pad, const HeadTables<Products>& tables,
                  const QueryBlock& block, const HeadRows<Element>& out, float* logSumExp) {
  float* scores = threadScratch().get(kScores, kBlock * pad.S);
  float* result = threadScratch().get(kOut, kBlock * pad.D);
  float scale[kBlock] = {};
  scoreBlock<Products>(block, pad, block.rows, tables.keysT, p.D, scores);
  for (int64_t i = 0; i < roundUp(block.count, kRows); ++i) {
    const RowWeights row = weighKeys(block, pad, i, scores);
    if (i >= block.count) continue;
    // A query that sees nothing (left padding) gives zeros.
    const bool sees = row.total != 0;
    scale[i] = sees ? 1.0f / row.total : 0.0f;
    logSumExp[block.from + i] = sees ? row.largest + std::log(row.total) : 0.0f;
  }
  weighBlock<Products>(block, pad, scores, tables.values, result);
  for (int64_t i = 0; i < block.count; ++i) {
    Element* to = out.row(block.from + i);
    const float* from = result + i * pad.D;
    overLanes(p.D, [&](int64_t d, auto lanes) { store(to + d, load(from + d, lanes) * scale[i], lanes); });
  }
}

// What the backward pass has of one query head.
template <typename Element>
struct HeadResults {
  HeadRows<const Element> out, dOut;
  const float* logSumExp;
};

// Of one block of queries: probabilities and the gradients of scores, [kBlock][pad.S], and of results, [kBlock][pad.D].
struct BlockGradients {
  float *probabilities, *dScores, *dRows;
};

// P = exp(S − lse), dP = dO·Vᵀ, dS = P ⊙ (dP − δ) with δ = dO·O
template <typename Element, typename Products = ProductsOf<Element>>
BlockGradients scoreGradients(const AttentionShape& p, const Padded& pad, const HeadTables<Products>& tables,
                              const QueryBlock& block, const HeadResults<Element>& head) {
  Scratch& scratch = threadScratch();
  const BlockGradients d{scratch.get(kScores, kBlock * pad.S), scratch.get(kDScores, kBlock * pad.S),
                         scratch.get(kDOut, kBlock * pad.D)};
  float delta[kBlock] = {}, logSumExp[kBlock] = {};
  clearPadding(pad, p.D, block.count, roundUp(block.count, kRows), d.dRows);
  for (int64_t i = 0; i < block.count; ++i) {
    const int64_t c = block.from + i;
    delta[i] = copyAndDot(head.dOut.row(c), head.out.row(c), p.D, d.dRows + i * pad.D);
    logSumExp[i] = head.logSumExp[c];
  }
  scoreBlock<Products>(block, pad, block.rows, tables.keysT, p.D, d.probabilities);
  scoreBlock<Products>(block, pad, d.dRows, tables.valuesT, p.D, d.dScores);
  for (int64_t i = 0; i < roundUp(block.count, kRows); ++i) {
    float *probability = d.probabilities + i * pad.S, *dScore = d.dScores + i * pad.S;
    const KeyRange keys = block.tileKeys[i / kRows];
    const int64_t end = keys.from + keys.columns();
    hideAndMax(probability, block.views[i], keys.from, end);
    exponentiate(probability, logSumExp[i], keys.from, end);
    for (int64_t j = keys.from; j < end; j += kLanes)
      store(dScore + j, load(probability + j) * (load(dScore + j) - delta[i]));
  }
  return d;
}

template <typename Element, typename Products = ProductsOf<Element>>
void writeQueryGradients(const AttentionShape& p, const Padded& pad, const HeadTables<Products>& tables,
                         const QueryBlock& block, const BlockGradients& d, int64_t b, int64_t h,
                         const MutableRows<Element>& dq) {
  const int64_t P = p.D / 2;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.D));
  float* dQueries = threadScratch().get(kDQueries, kBlock * pad.D);
  weighBlock<Products>(block, pad, d.dScores, tables.keys, dQueries);
  for (int64_t i = 0; i < block.count; ++i) {
    const int64_t c = block.from + i;
    rotate<Turn::kBack>(dQueries + i * pad.D, p.queryRope.at(b, c, P), P, scale,
                        dq.data + b * dq.batchStride + c * dq.placeStride + h * p.D);
  }
}

// Sums over all queries of one key head, [pad.S][pad.D]: keys still rotated.
struct KeyGradients {
  float *keys, *values;
};

template <typename Products>
void addKeyGradients(const Padded& pad, const QueryBlock& block, const BlockGradients& d, const KeyGradients& sums) {
  constexpr int64_t kInner = Products::kInner;
  clearOutside(block, pad, d.probabilities);
  clearOutside(block, pad, d.dScores);
  const int64_t count = roundUp(block.count, kRows), from = block.keys.from, columns = block.keys.columns();
  const auto* probabilities = Products::inWords(d.probabilities, count, pad.S, from, columns, kScorePairs);
  const auto* dScores = Products::inWords(d.dScores, count, pad.S, from, columns, kDScorePairs);
  const auto* dRows = Products::inWords(d.dRows, count, pad.D, 0, pad.D, kDOutPairs);
  const auto* rows = Products::inWords(block.rows, count, pad.D, 0, pad.D, kQueryPairs);
  for (int64_t j = from; j < block.keys.end; j += kRows) {
    const KeyRange seeing = queriesSeeing(block, j);
    if (seeing.from >= seeing.end) continue;
    const int64_t steps = (seeing.end - seeing.from + kInner - 1) / kInner, step = seeing.from / kInner;
    const int64_t first = step * pad.S + j, at = step * pad.D, to = j * pad.D;
    Products::addTransposed(probabilities + first, pad.S, steps, dRows + at, pad.D, sums.values + to, pad.D, pad.D);
    Products::addTransposed(dScores + first, pad.S, steps, rows + at, pad.D, sums.keys + to, pad.D, pad.D);
  }
}

template <typename Element>
void writeKeyGradients(const AttentionShape& p, const Padded& pad, const KeyGradients& sums, int64_t b, int64_t g,
                       const MutableRows<Element>& dk, const MutableRows<Element>& dv) {
  for (int64_t s = 0; s < p.S; ++s) {
    const float *key = sums.keys + s * pad.D, *value = sums.values + s * pad.D;
    rotate<Turn::kBack>(key, p.keyRope.at(b, s, p.D / 2), p.D / 2, 1.0f,
                        dk.data + b * dk.batchStride + s * dk.placeStride + g * p.D);
    copyRow(value, p.D, dv.data + b * dv.batchStride + s * dv.placeStride + g * p.D);
  }
}

}  // namespace

template <typename Element>
void attentionForward(const AttentionProblem<Element>& p, Element* out, float* logSumExp) {
  const Padded pad = paddingFor(p);
  forKeyHeads(p, [&](int64_t b, int64_t g) {
    const auto tables = packHead<ProductsOf<Element>>(p, pad, b, g, false);
    forQueryBlocks(p, g, [&](int64_t h, int64_t from) {
      QueryBlock block;
      packQueries(p, pad, b, h, from, block);
      forwardBlock<Element>(p, pad, tables, block, headOf(p, out, b, h), logSumExp + (b * p.H + h) * p.C);
    });
  });
}

template <typename Element>
void attentionBackward(const AttentionProblem<Element>& p, const Element* out, const float* logSumExp,
                       const Element* dOut, MutableRows<Element> dq, MutableRows<Element> dk, MutableRows<Element> dv) {
  const Padded pad = paddingFor(p);
  const bool constantKeys = dk.data == nullptr;
  forKeyHeads(p, [&](int64_t b, int64_t g) {
    Scratch& scratch = threadScratch();
    const auto tables = packHead<ProductsOf<Element>>(p, pad, b, g, true);
    KeyGradients sums{nullptr, nullptr};
    if (!constantKeys) sums = {scratch.zeros(kDKeys, pad.S * pad.D), scratch.zeros(kDValues, pad.S * pad.D)};
    forQueryBlocks(p, g, [&](int64_t h, int64_t from) {
      QueryBlock block;
      packQueries(p, pad, b, h, from, block);
      const HeadResults<Element> head{headOf(p, out, b, h), headOf(p, dOut, b, h), logSumExp + (b * p.H + h) * p.C};
      const BlockGradients d = scoreGradients<Element>(p, pad, tables, block, head);
      writeQueryGradients(p, pad, tables, block, d, b, h, dq);
      if (!constantKeys) addKeyGradients<ProductsOf<Element>>(pad, block, d, sums);
    });
    if (!constantKeys) writeKeyGradients(p, pad, sums, b, g, dk, dv);
  });
}

template void attentionForward(const AttentionProblem<float>&, float*, float*);
template void attentionForward(const AttentionProblem<BFloat16>&, BFloat16*, float*);
template void attentionBackward(const AttentionProblem<float>&, const float*, const float*, const float*,
                                MutableRows<float>, MutableRows<float>, MutableRows<float>);
template void attentionBackward(const AttentionProblem<BFloat16>&, const BFloat16*, const float*, const BFloat16*,
                                MutableRows<BFloat16>, MutableRows<BFloat16>, MutableRows<BFloat16>);

}  // namespace looprpt
