// Keys or values of one layer by slot, in the order in which attention reads them.
//
// A table is [blocks, G, D, kBlock]: slot z is lane z % kBlock of block z / kBlock. So kBlock slots of a key head lie
// one beside the other, number by number: scores and weighted sums of that many positions are whole vectors, whatever
// the head's size, and a head's keys are one stream. It knows nothing of sequences; who may read a slot is the
// caller's.
//
// Shapes: G key heads, D head size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bfloat.h"
#include "simd.h"

namespace looprpt {

constexpr int64_t kBlock = 16;
static_assert(kBlock % simd::kLanes == 0, "a vector of slots lies in one block");

// Elements are float32, or bfloat16 as bits.
template <typename E>
struct PagedTable {
  E* data;
  int64_t G, D;
  // Number d of the slot's head is kBlock·d further.
  E* at(int64_t slot, int64_t g) const { return data + (slot / kBlock * G + g) * D * kBlock + slot % kBlock; }
  void copy(int64_t from, int64_t to) const {
    for (int64_t g = 0; g < G; ++g) {
      const E* source = at(from, g);
      E* target = at(to, g);
      for (int64_t d = 0; d < D * kBlock; d += kBlock) target[d] = source[d];
    }
  }
};

inline void put(float value, float* to) { *to = value; }
inline void put(float value, uint16_t* to) { *to = toBfloat(value); }

// Where the positions of a line lie, kLanes at a time, from a multiple of kLanes on.
class LineGroups {
 public:
  // Appends those of from ≤ s < to. @returns the place of the first among all
  int64_t add(const int32_t* line, int64_t from, int64_t to) {
    const int64_t first = static_cast<int64_t>(slots_.size());
    for (int64_t s = from; s < to; s += simd::kLanes) {
      const int32_t* slots = line + s;
      const bool whole = s + simd::kLanes <= to ? follow(slots, simd::kLanes) : follow(slots, to - s);
      slots_.push_back(whole && slots[0] % simd::kLanes == 0 ? slots[0] : kApart);
    }
    return first;
  }

  // The first slot of a group whose slots follow each other in one block, as those of a page do; else kApart.
  int32_t slot(int64_t group) const { return slots_[group]; }

  static constexpr int32_t kApart = -1;

 private:
  static bool follow(const int32_t* slots, int64_t count) {
    bool all = true;
    for (int64_t i = 1; i < count; ++i) all &= slots[i] == slots[0] + static_cast<int32_t>(i);
    return all;
  }

  std::vector<int32_t> slots_;
};

// One key head of the positions of a line, kLanes at a time: `at(s)` + kBlock·d is number d of positions s, s + 1, …
//
// Where these lie beside each other nothing is copied. Elsewhere they are gathered into a buffer, number by number:
// pages shorter than a vector are for tests.
template <typename E>
class PagedHead {
 public:
  // Makes `at` good for from ≤ s < to; positions from `to` on read as anything. @param first the group of `from`
  void resolve(const PagedTable<E>& table, int64_t g, const LineGroups& groups, int64_t first, const int32_t* line,
               int64_t from, int64_t to) {
    from_ = from;
    heads_.clear();
    int64_t apart = 0;
    for (int64_t s = from; s < to; s += simd::kLanes) {
      const int32_t slot = groups.slot(first++);
      heads_.push_back(slot == LineGroups::kApart ? nullptr : table.at(slot, g));
      apart += slot == LineGroups::kApart;
    }
    if (apart > 0) gather(table, g, line, to, apart);
  }

  const E* at(int64_t s) const { return heads_[(s - from_) / simd::kLanes]; }

 private:
  void gather(const PagedTable<E>& table, int64_t g, const int32_t* line, int64_t to, int64_t apart) {
    buffer_.resize(std::max<size_t>(buffer_.size(), apart * table.D * kBlock));
    E* next = buffer_.data();
    for (size_t n = 0; n < heads_.size(); ++n) {
      if (heads_[n]) continue;
      const int64_t s = from_ + static_cast<int64_t>(n) * simd::kLanes;
      for (int64_t i = 0; i < std::min<int64_t>(simd::kLanes, to - s); ++i) {
        const E* from = table.at(line[s + i], g);
        for (int64_t d = 0; d < table.D * kBlock; d += kBlock) next[d + i] = from[d];
      }
      heads_[n] = next;
      next += table.D * kBlock;
    }
  }

  int64_t from_ = 0;
  std::vector<const E*> heads_;
  std::vector<E> buffer_;
};

}  // namespace looprpt
