#include "attention_pack.h"

#include "attention_products.h"

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

// to [columns][pad.S] ← rows [S][stride] transposed, zeros behind the last place. By cache lines of the result: place
// by place every store would go to another line.
template <typename Products>
void transpose(const Padded& pad, const typename Products::Word* rows, int64_t stride, int64_t S, int64_t columns,
               typename Products::Word* to) {
  int64_t s = 0;
  for (; s + kLanes <= S; s += kLanes)
    for (int64_t d = 0; d < columns; ++d)
      for (int64_t i = 0; i < kLanes; ++i) to[d * pad.S + s + i] = rows[(s + i) * stride + d];
  for (int64_t d = 0; d < columns; ++d) {
    for (int64_t i = s; i < S; ++i) to[d * pad.S + i] = rows[i * stride + d];
    std::fill(to + d * pad.S + S, to + (d + 1) * pad.S, typename Products::Word{});
  }
}

// Where the tables of one kind, keys or values, go.
struct TableSlots {
  Slot byPlace, byFeature;
};

// Both tables of rows that put(place, to) writes one by one.
struct RowTables {
  const void *byPlace, *byFeature;
};

template <typename Put>
RowTables packRows(FloatProducts, const Padded& pad, int64_t S, int64_t D, TableSlots slots, bool byFeature,
                   const Put& put) {
  Scratch& scratch = threadScratch();
  float *rows = scratch.get(slots.byPlace, pad.S * pad.D), *turned = nullptr;
  for (int64_t s = 0; s < S; ++s) put(s, rows + s * pad.D);
  clearPadding(pad, D, S, pad.S, rows);
  if (byFeature) transpose<FloatProducts>(pad, rows, pad.D, S, D, turned = scratch.get(slots.byFeature, pad.D * pad.S));
  return {rows, turned};
}

#if defined(__AVX512BF16__)
template <typename Put>
RowTables packRows(PairProducts, const Padded& pad, int64_t S, int64_t D, TableSlots slots, bool byFeature,
                   const Put& put) {
  using Word = PairProducts::Word;
  Scratch& scratch = threadScratch();
  auto* rows = reinterpret_cast<BFloat16*>(scratch.get(kHeadRows, pad.S * pad.D / 2));
  for (int64_t s = 0; s < S; ++s) put(s, rows + s * pad.D);
  clearPadding(pad, D, S, pad.S, rows);
  auto* pairs = reinterpret_cast<Word*>(scratch.get(slots.byPlace, pad.S / 2 * pad.D));
  for (int64_t s = 0; s < pad.S; s += 2) PairProducts::pairRows(rows + s * pad.D, pad.D, pad.D, pairs + s / 2 * pad.D);
  Word* turned = nullptr;
  if (byFeature) {
    turned = reinterpret_cast<Word*>(scratch.get(slots.byFeature, pad.D / 2 * pad.S));
    transpose<PairProducts>(pad, reinterpret_cast<const Word*>(rows), pad.D / 2, S, D / 2, turned);
  }
  return {pairs, turned};
}
#endif

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

template <typename Products, typename Element>
HeadTables<Products> packHead(const AttentionProblem<Element>& p, const Padded& pad, int64_t b, int64_t g,
                              bool backward) {
  const int64_t P = p.D / 2;
  const auto rowOf = [&](const Rows<Element>& rows, int64_t s) {
    return rows.data + b * rows.batchStride + s * rows.placeStride + g * p.D;
  };
  const RowTables keys = packRows(Products{}, pad, p.S, p.D, {kKeys, kKeysT}, true, [&](int64_t s, auto* to) {
    rotate(rowOf(p.k, s), p.keyRope.at(b, s, P), P, 1.0f, to);
  });
  const RowTables values = packRows(Products{}, pad, p.S, p.D, {kValues, kValuesT}, backward,
                                    [&](int64_t s, auto* to) { copyRow(rowOf(p.v, s), p.D, to); });
  const auto words = [](const void* table) { return static_cast<const typename Products::Word*>(table); };
  return {words(keys.byPlace), words(keys.byFeature), words(values.byPlace), words(values.byFeature)};
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

template HeadTables<FloatProducts> packHead<FloatProducts>(const AttentionProblem<float>&, const Padded&, int64_t,
                                                           int64_t, bool);
template HeadTables<ProductsOf<BFloat16>> packHead<ProductsOf<BFloat16>>(const AttentionProblem<BFloat16>&,
                                                                         const Padded&, int64_t, int64_t, bool);
template void packQueries(const AttentionProblem<float>&, const Padded&, int64_t, int64_t, int64_t, QueryBlock&);
template void packQueries(const AttentionProblem<BFloat16>&, const Padded&, int64_t, int64_t, int64_t, QueryBlock&);

}  // namespace looprpt
