#include "attention_pack.h"

#include <cmath>

namespace looprpt {

using namespace simd;

Scratch& threadScratch() {
  thread_local Scratch scratch;
  return scratch;
}

Padded paddingFor(const AttentionShape& p) { return {roundUp(p.D, kLanes), roundUp(p.S, 2 * kLanes) + 2 * kLanes}; }

namespace {

// The keys that query c of row b sees.
View viewOf(const AttentionShape& p, int64_t b, int64_t c) {
  const int64_t last = p.last ? p.last[b * p.C + c] : c;
  int64_t first = p.first ? p.first[b * p.C + c] : 0;
  if (p.window > 0) first = std::max(first, last - p.window + 1);
  return {first, last};
}

// to [D][pad.S] ← rows [S][pad.D] transposed, zeros behind the last place. By cache lines of the result: place by place
// every store would go to another line.
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

KeyRange rangeOf(const View* views, int64_t count) {
  int64_t first = INT64_MAX, end = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (views[i].first > views[i].last) continue;
    first = std::min(first, views[i].first);
    end = std::max(end, views[i].last + 1);
  }
  return end == 0 ? KeyRange{0, 0} : KeyRange{first / kLanes * kLanes, end};
}

}  // namespace

void clearPadding(const Padded& pad, int64_t D, int64_t end, int64_t padded, float* rows) {
  for (int64_t i = 0; D < pad.D && i < end; ++i) std::fill(rows + i * pad.D + D, rows + (i + 1) * pad.D, 0.0f);
  std::fill(rows + end * pad.D, rows + padded * pad.D, 0.0f);
}

template <typename Element>
HeadTables packHead(const AttentionProblem<Element>& p, const Padded& pad, int64_t b, int64_t g, bool backward) {
  Scratch& scratch = threadScratch();
  HeadTables t{scratch.get(kKeys, pad.S * pad.D), scratch.get(kKeysT, pad.D * pad.S),
               scratch.get(kValues, pad.S * pad.D), backward ? scratch.get(kValuesT, pad.D * pad.S) : nullptr};
  const int64_t P = p.D / 2;
  for (int64_t s = 0; s < p.S; ++s) {
    const Element* k = p.k.data + b * p.k.batchStride + s * p.k.placeStride + g * p.D;
    const Element* v = p.v.data + b * p.v.batchStride + s * p.v.placeStride + g * p.D;
    float* key = t.keys + s * pad.D;
    rotate(k, p.keyRope.at(b, s, P), P, 1.0f, key);
    copyRow(v, p.D, t.values + s * pad.D);
  }
  for (float* table : {t.keys, t.values}) clearPadding(pad, p.D, p.S, pad.S, table);
  transpose(pad, t.keys, p.S, p.D, t.keysT);
  if (backward) transpose(pad, t.values, p.S, p.D, t.valuesT);
  return t;
}

template <typename Element>
void packQueries(const AttentionProblem<Element>& p, const Padded& pad, int64_t b, int64_t h, int64_t from,
                 QueryBlock& block) {
  const int64_t P = p.D / 2;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.D));
  block.from = from;
  block.count = std::min(kBlock, p.C - from);
  block.rows = threadScratch().get(kQueries, kBlock * pad.D);
  clearPadding(pad, p.D, block.count, roundUp(block.count, kRows), block.rows);
  for (int64_t i = 0; i < block.count; ++i) {
    const int64_t c = from + i;
    block.views[i] = viewOf(p, b, c);
    const Element* q = p.q.data + b * p.q.batchStride + c * p.q.placeStride + h * p.D;
    rotate(q, p.queryRope.at(b, c, P), P, scale, block.rows + i * pad.D);
  }
  for (int64_t i = block.count; i < kBlock; ++i) block.views[i] = {0, -1};  // padding sees nothing
  block.keys = rangeOf(block.views, block.count);
  for (int64_t i = 0; i < kBlock; i += kRows) block.tileKeys[i / kRows] = rangeOf(block.views + i, kRows);
}

template HeadTables packHead(const AttentionProblem<float>&, const Padded&, int64_t, int64_t, bool);
template HeadTables packHead(const AttentionProblem<BFloat16>&, const Padded&, int64_t, int64_t, bool);
template void packQueries(const AttentionProblem<float>&, const Padded&, int64_t, int64_t, int64_t, QueryBlock&);
template void packQueries(const AttentionProblem<BFloat16>&, const Padded&, int64_t, int64_t, int64_t, QueryBlock&);

}  // namespace looprpt
