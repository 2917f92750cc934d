// The arithmetic of attention over pages, in tiles: scores of queries against positions, their exponentials, and the
// mixture of values. Position s is lane s % kLanes of every sum over positions, and a score's additions go by d,
// whatever the tile: so a query has the same bits in any company. It knows nothing of rows or lines.
//
// Shapes: M queries of a tile, D head size, s position.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "lane_sums.h"
#include "paged_memory.h"

namespace looprpt {
namespace paged {

using namespace simd;

constexpr float kUnseen = -1e30f;
// A tile is kTileRows queries by kTileVectors vectors, of positions for scores, of a head's numbers for the mixture.
constexpr int kTileRows = 4, kTileVectors = kLanes == 8 ? 2 : 4;
// Vectors of the mixture's tile of so many queries.
constexpr int wide(int rows) { return kTileRows * kTileVectors / rows; }
// A head's numbers whose lanes are added up at once.
constexpr int64_t padded(int64_t D) { return (D + kLanes - 1) / kLanes * kLanes; }

inline Vec loadFrom(const float* from) { return load(from); }
inline Vec loadFrom(const uint16_t* from) { return loadBfloat(from); }

// Asks for numbers d, d + 1, … of a head before they are needed: blocks are scattered, so the processor cannot foresee
// them. Into the second cache, because the first has few places for lines under way.
template <int count, typename E>
void prefetch(const E* head, int64_t d) {
  constexpr int64_t kPerLine = 64 / sizeof(E) / kBlock;
  for (int64_t i = 0; i < count; i += kPerLine) __builtin_prefetch(head + (d + i) * kBlock, 0, 2);
}

// Whether a tile of so many queries reads what is not in the first caches: whole tiles are a prompt's, of which only
// the first does.
template <int M>
constexpr bool kIsCold = M < kTileRows;

// scores[m][s + i] of M queries and C vectors of positions from s on; those of positions that nobody sees are anything.
// Asks for the vectors of the tile at `next`.
template <int M, int C, typename E>
void scoreTile(const float* queries, int64_t D, const PagedHead<E>& keys, int64_t s, int64_t next, float* scores,
               int64_t stride) {
  const E *key[C], *later[C];
  for (int c = 0; c < C; ++c) {
    key[c] = keys.at(s + c * kLanes);
    later[c] = keys.at(next + c * kLanes);
  }
  Vec sums[M][C] = {};
  for (int64_t d = 0; d < D; ++d) {
    if (kIsCold<M> && d % 2 == 0)
      for (int c = 0; c < C; ++c) prefetch<2>(later[c], d);
    Vec of[C];
    for (int c = 0; c < C; ++c) of[c] = loadFrom(key[c] + d * kBlock);
    for (int m = 0; m < M; ++m) {
      const Vec q = splat(queries[m * D + d]);
      for (int c = 0; c < C; ++c) sums[m][c] += q * of[c];
    }
  }
  for (int m = 0; m < M; ++m)
    for (int c = 0; c < C; ++c) store(scores + m * stride + s + c * kLanes, sums[m][c]);
}

// The last C vectors at most: one tile, because a sum waits for itself, and several do so together.
template <int M, int C, typename E>
void scoreRest(const float* queries, int64_t D, const PagedHead<E>& keys, int64_t s, int64_t to, float* scores,
               int64_t stride) {
  if constexpr (C > 0) {
    if (s + C * kLanes == to)
      scoreTile<M, C>(queries, D, keys, s, s, scores, stride);
    else
      scoreRest<M, C - 1>(queries, D, keys, s, to, scores, stride);
  }
}

template <int M, typename E>
void score(const float* queries, int64_t D, const PagedHead<E>& keys, int64_t from, int64_t to, float* scores,
           int64_t stride) {
  constexpr int C = M == 1 ? 8 : kTileVectors;
  constexpr int64_t kWide = C * kLanes;
  int64_t s = from;
  for (; s + kWide <= to; s += kWide)
    scoreTile<M, C>(queries, D, keys, s, std::min(s + kWide, to - kWide), scores, stride);
  scoreRest<M, C - 1>(queries, D, keys, s, to, scores, stride);
}

// The same for `count` queries, a multiple of kTileRows: they share what is read of the keys while it is in the first
// cache.
template <typename E>
void scoreTiles(const float* queries, int64_t count, int64_t D, const PagedHead<E>& keys, int64_t from, int64_t to,
                float* scores, int64_t stride) {
  constexpr int64_t kWide = kTileVectors * kLanes;
  for (int64_t s = from; s < to; s += kWide)
    for (int64_t m = 0; m < count; m += kTileRows) {
      const float* q = queries + m * D;
      float* of = scores + m * stride;
      if (s + kWide <= to)
        scoreTile<kTileRows, kTileVectors>(q, D, keys, s, s, of, stride);
      else
        scoreRest<kTileRows, kTileVectors - 1>(q, D, keys, s, to, of, stride);
    }
}

// Which of the positions s, s + 1, … are first..end.
inline IntVec seen(int64_t s, int64_t first, int64_t end) {
  const IntVec place = iota() + static_cast<int32_t>(s);
  return (place >= static_cast<int32_t>(first)) & (place < static_cast<int32_t>(end));
}

// The keys that a query sees.
struct Sight {
  int64_t first, end;
};

// sums[m][d][i] = Σ weights[m][s]·values[s][d] over the positions s with s % kLanes = i, for V numbers from d on.
template <int M, int V, typename E>
void mixTile(const float* weights, int64_t stride, const Sight* sights, const PagedHead<E>& values, int64_t from,
             int64_t to, int64_t d, float* out, int64_t outStride) {
  int64_t common = sights[0].first, last = sights[0].end;
  for (int m = 1; m < M; ++m) {
    common = std::max(common, sights[m].first);
    last = std::min(last, sights[m].end);
  }
  Vec sums[M][V] = {};
  for (int64_t s = from; s < to; s += kLanes) {
    const E* value = values.at(s) + d * kBlock;
    if (kIsCold<M>) prefetch<V>(values.at(std::min(s + kLanes, to - kLanes)), d);
    Vec of[V];
    for (int v = 0; v < V; ++v) of[v] = loadFrom(value + v * kBlock);
    if (s >= common && s + kLanes <= last) {
      for (int m = 0; m < M; ++m) {
        const Vec weight = load(weights + m * stride + s);
        for (int v = 0; v < V; ++v) sums[m][v] += weight * of[v];
      }
    } else {
      // What stands where a query does not look may be no number.
      for (int m = 0; m < M; ++m) {
        const IntVec sees = seen(s, sights[m].first, sights[m].end);
        const Vec weight = load(weights + m * stride + s);
        for (int v = 0; v < V; ++v) sums[m][v] += weight * select(sees, of[v], Vec{});
      }
    }
  }
  for (int m = 0; m < M; ++m)
    for (int v = 0; v < V; ++v) store(out + m * outStride + (d + v) * kLanes, sums[m][v]);
}

// Lanes of the mixtures of M queries, number by number.
template <int M, typename E>
void mixNumbers(const float* weights, int64_t stride, const Sight* sights, const PagedHead<E>& values, int64_t from,
                int64_t to, int64_t D, int64_t d, float* lanes) {
  const int64_t head = padded(D) * kLanes;
  if (d + wide(M) <= D)
    mixTile<M, wide(M)>(weights, stride, sights, values, from, to, d, lanes, head);
  else if (d + 4 <= D)
    mixTile<M, 4>(weights, stride, sights, values, from, to, d, lanes, head);
  else
    mixTile<M, 1>(weights, stride, sights, values, from, to, d, lanes, head);
}

// How many numbers `mixNumbers` does from d on.
template <int M>
int64_t numbersFrom(int64_t d, int64_t D) {
  return d + wide(M) <= D ? wide(M) : d + 4 <= D ? 4 : 1;
}

// out[m] = Σ weights[m][s]·values[s] for a whole head and `count` queries, a multiple of M: they share what is read of
// the values while it is in the first cache. @param lanes room for count·padded(D) vectors
template <int M, typename E>
void mix(const float* weights, int64_t stride, int64_t count, const Sight* sights, const PagedHead<E>& values,
         int64_t from, int64_t to, int64_t D, float* lanes, float* out) {
  const int64_t head = padded(D) * kLanes;
  for (int64_t d = 0; d < D; d += numbersFrom<M>(d, D))
    for (int64_t m = 0; m < count; m += M)
      mixNumbers<M>(weights + m * stride, stride, sights + m, values, from, to, D, d, lanes + m * head);
  for (int64_t m = 0; m < count; ++m)
    for (int64_t d = 0; d < D; d += kLanes) {
      Vec sums[kLanes] = {};
      for (int64_t i = 0; i < std::min<int64_t>(kLanes, D - d); ++i)
        sums[i] = load(lanes + m * head + (d + i) * kLanes);
      const Vec all = laneSums(sums);
      std::memcpy(out + m * D + d, &all, std::min<int64_t>(kLanes, D - d) * sizeof(float));
    }
}

// scores ← exp(scores − largest) for what is seen, 0 elsewhere; whole vectors from a multiple of kLanes on. Returns the
// sum.
inline float exponentiate(float* scores, int64_t from, int64_t to, const Sight& sight) {
  const auto isWhole = [&](int64_t s) { return s >= sight.first && s + kLanes <= sight.end; };
  // A score that is no number stays one, and so does the sum.
  const auto larger = [](Vec most, Vec score) { return select(score <= most, most, score); };
  constexpr int64_t kChains = 4;
  Vec chains[kChains] = {splat(kUnseen), splat(kUnseen), splat(kUnseen), splat(kUnseen)};
  int64_t s = from;
  for (; s < to && !isWhole(s); s += kLanes) {
    const Vec score = select(seen(s, sight.first, sight.end), load(scores + s), splat(kUnseen));
    store(scores + s, score);
    chains[0] = larger(chains[0], score);
  }
  for (; s + kChains * kLanes <= to && isWhole(s + (kChains - 1) * kLanes); s += kChains * kLanes)
    for (int64_t c = 0; c < kChains; ++c) chains[c] = larger(chains[c], load(scores + s + c * kLanes));
  for (; s < to; s += kLanes) {
    Vec score = load(scores + s);
    if (!isWhole(s)) store(scores + s, score = select(seen(s, sight.first, sight.end), score, splat(kUnseen)));
    chains[0] = larger(chains[0], score);
  }
  const Vec most = larger(larger(chains[0], chains[1]), larger(chains[2], chains[3]));
  float largest = most[0];
  for (int i = 1; i < kLanes; ++i) largest = most[i] <= largest ? largest : most[i];
  Vec totals{};
  for (s = from; s < to; s += kLanes) {
    Vec weight = simd::exp(load(scores + s) - largest);
    if (!isWhole(s)) weight = select(seen(s, sight.first, sight.end), weight, Vec{});
    store(scores + s, weight);
    totals += weight;
  }
  return simd::sum(totals);
}

}  // namespace paged
}  // namespace looprpt
