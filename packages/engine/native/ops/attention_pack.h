// What the attention kernel computes on: one key head's keys and values, and blocks of its queries, rotated and padded
// to whole vectors. No scores, no products, no gradients.
//
// Tables lie in the scratch memory of the thread that packs them and hold until it packs the next ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "attention_kernel.h"
#include "simd.h"

namespace looprpt {

constexpr int64_t kBlock = 64;  // queries of a block

inline int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

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

// The one of the calling thread.
Scratch& threadScratch();

enum Slot {
  kKeysT,
  kValuesT,
  kKeys,
  kValues,
  kQueries,
  kScores,
  kOut,
  kDOut,
  kDScores,
  kDQueries,
  kDKeys,
  kDValues,
  kHeadRows,
  kRowPairs,
  kScorePairs,
  kDScorePairs,
  kDOutPairs,
  kQueryPairs
};

// Geometry of padded scratch tables.
struct Padded {
  int64_t D, S;  // columns of [place][feature] tables, columns of [feature][place] tables
};

Padded paddingFor(const AttentionShape& problem);

// Zeros columns D and up of rows 0..end, and all of the rows after them up to `padded`.
template <typename T>
void clearPadding(const Padded& pad, int64_t D, int64_t end, int64_t padded, T* rows) {
  for (int64_t i = 0; D < pad.D && i < end; ++i) std::fill(rows + i * pad.D + D, rows + (i + 1) * pad.D, T{});
  std::fill(rows + end * pad.D, rows + padded * pad.D, T{});
}

// Keys (rotated) and values of one key head: as [place][feature], and as [feature][place]; a word holds one element, or
// two along the first dimension (attention_products.h).
template <typename Products>
struct HeadTables {
  using Word = typename Products::Word;
  const Word *keys, *keysT, *values, *valuesT;
};

template <typename Products, typename Element>
HeadTables<Products> packHead(const AttentionProblem<Element>& problem, const Padded& pad, int64_t b, int64_t g,
                              bool backward);

// The keys that a query sees.
struct View {
  int64_t first, last;
};

// Keys from..end, `from` a multiple of kLanes.
struct KeyRange {
  int64_t from, end;
  int64_t columns() const { return roundUp(end - from, simd::kLanes); }
};

// A block of at most kBlock queries of one head: their rotated, scaled rows, and the keys that they see. Keys are
// bounded for every tile of kRows queries apart, so that little of the hidden half of a causal table is computed.
struct QueryBlock {
  int64_t from, count;
  View views[kBlock];
  KeyRange keys;                            // of the whole block
  KeyRange tileKeys[kBlock / simd::kRows];  // of queries i..i + kRows
  float* rows;                              // [kBlock][pad.D]
};

template <typename Element>
void packQueries(const AttentionProblem<Element>& problem, const Padded& pad, int64_t b, int64_t h, int64_t from,
                 QueryBlock& block);

}  // namespace looprpt
