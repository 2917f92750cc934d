// paged_decode_attention: N single positions of any sequences, each over its own scattered keys and values.
//
//   paged_decode_attention(qkv [N, (H + 2G)·D], cos, sin [places, P], keys!, values! [blocks, G, D, kBlock],
//                          copies int32 [C, 2], rows int32 [N, 3], lines int32 [M], heads, kv_heads, window, attending)
//     -> [attending, H·D]
//
// First the contents of slots are copied, pair by pair (from, to). The first `attending` rows attend; those behind them
// only leave their keys and values.
//
// Row n is (position, slot to write, start of its line): its rotated key and its value go to that slot, then it attends
// to the slots lines[start .. start + position], one per position up to its own; window > 0 leaves only the last
// `window` of them. All rows of a line write before any of them reads, and those that follow each other read its keys
// together, as a prompt's do. Rows of different lines see nothing that another one writes. What a row gives depends on
// its own slots alone, to the last bit: position s is lane s % kLanes of every sum over positions, whoever shares the
// tile. On the CPU, contiguous; qkv float32, keys and values float32 or bfloat16 (paged_memory.h).
//
// Shapes: H query heads, G key heads, R = H/G, D head size, P = D/2.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <type_traits>
#include <vector>

#include "paged_memory.h"
#include "paged_tiles.h"
#include "rotation.h"

namespace looprpt {
namespace {

using at::Tensor;
using namespace paged;

constexpr int64_t kFloatsPerTask = 1 << 14;
// Rows of a line that read its keys together.
constexpr int64_t kTogether = 16;
struct Row {
  int32_t position, slot, line;
};

struct Copy {
  int32_t from, to;
};

template <typename E>
struct Problem {
  const float* qkv;
  Rope rope;
  PagedTable<E> keys, values;
  const Copy* copies;
  const Row* rows;
  const int32_t* lines;
  // N rows, of which the first A attend.
  int64_t C, N, A, H, G, D, window;
  int64_t width() const { return (H + 2 * G) * D; }
  int64_t first(const Row& row) const { return window > 0 ? std::max<int64_t>(0, row.position + 1 - window) : 0; }
};

// Row n's key, turned, and value of one head to its slot.
template <typename E>
void write(const Problem<E>& p, int64_t n, int64_t g, std::vector<float>& turned) {
  const Row& row = p.rows[n];
  const float* k = p.qkv + n * p.width() + (p.H + g) * p.D;
  const float* v = k + p.G * p.D;
  turned.resize(std::max<size_t>(turned.size(), p.D));
  rotate(k, p.rope.at(0, row.position, p.D / 2), p.D / 2, 1.0f, turned.data());
  E *key = p.keys.at(row.slot, g), *value = p.values.at(row.slot, g);
  for (int64_t d = 0; d < p.D; ++d) {
    put(turned[d], key + d * kBlock);
    put(v[d], value + d * kBlock);
  }
}

// Rows that follow each other on one line, the keys that any of them sees, and where these lie: groups from `group` on.
struct Block {
  int64_t from, count;
  int64_t least, most, group;
};

// What attending takes, of one key head: row i's head r is query i·R + r.
template <typename E>
struct Room {
  std::vector<Sight> sights;
  std::vector<float> turned, scores, totals, lanes, mixed;
  PagedHead<E> keys, values;
};

template <typename E>
void attend(const Problem<E>& p, const Block& block, const LineGroups& groups, int64_t g, Room<E>& room, float* out) {
  const int64_t P = p.D / 2, R = p.H / p.G, count = block.count * R;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.D));
  room.sights.resize(count);
  room.turned.resize(count * p.D);
  room.mixed.resize(count * p.D);
  room.totals.resize(count);
  room.lanes.resize(count * padded(p.D) * kLanes);
  for (int64_t i = 0; i < block.count; ++i) {
    const Row& row = p.rows[block.from + i];
    const Sight sight{p.first(row), row.position + 1};
    for (int64_t r = 0; r < R; ++r) {
      room.sights[i * R + r] = sight;
      rotate(p.qkv + (block.from + i) * p.width() + (g * R + r) * p.D, p.rope.at(0, row.position, P), P, scale,
             room.turned.data() + (i * R + r) * p.D);
    }
  }
  const int64_t from = block.least / kLanes * kLanes, to = padded(block.most), stride = to - from;
  room.scores.resize(count * stride);
  const int32_t* line = p.lines + p.rows[block.from].line;
  room.keys.resolve(p.keys, g, groups, block.group, line, from, block.most);
  room.values.resolve(p.values, g, groups, block.group, line, from, block.most);

  const float* queries = room.turned.data();
  float* scores = room.scores.data() - from;  // scores[m·stride + s]
  // Whole tiles together; what is left is one tile of its own size.
  const int64_t whole = count / kTileRows * kTileRows;
  const auto rest = [&](const auto& run) {
    static_assert(kTileRows == 4, "three sizes are left");
    switch (count - whole) {
      case 1:
        return run(std::integral_constant<int, 1>{});
      case 2:
        return run(std::integral_constant<int, 2>{});
      case 3:
        return run(std::integral_constant<int, 3>{});
    }
  };
  scoreTiles(queries, whole, p.D, room.keys, from, to, scores, stride);
  rest([&](auto tile) {
    score<decltype(tile)::value>(queries + whole * p.D, p.D, room.keys, from, to, scores + whole * stride, stride);
  });
  for (int64_t m = 0; m < count; ++m) room.totals[m] = exponentiate(scores + m * stride, from, to, room.sights[m]);
  const auto mixed = [&](auto tile, int64_t m, int64_t some) {
    mix<decltype(tile)::value>(scores + m * stride, stride, some, room.sights.data() + m, room.values, from, to, p.D,
                               room.lanes.data(), room.mixed.data() + m * p.D);
  };
  mixed(std::integral_constant<int, kTileRows>{}, 0, whole);
  rest([&](auto tile) { mixed(tile, whole, count - whole); });
  for (int64_t m = 0; m < count; ++m) {
    float* row = out + ((block.from + m / R) * p.H + g * R + m % R) * p.D;
    for (int64_t d = 0; d < p.D; ++d) row[d] = room.mixed[m * p.D + d] / room.totals[m];
  }
}

template <typename E>
std::vector<Block> blocksOf(const Problem<E>& p, LineGroups& groups) {
  std::vector<Block> blocks;
  for (int64_t n = 0; n < p.A; ++n) {
    const Row& row = p.rows[n];
    const int64_t least = p.first(row), most = row.position + 1;
    if (n > 0 && row.line == p.rows[n - 1].line && blocks.back().count < kTogether) {
      Block& block = blocks.back();
      block = {block.from, block.count + 1, std::min(block.least, least), std::max(block.most, most), 0};
    } else {
      blocks.push_back({n, 1, least, most, 0});
    }
  }
  for (Block& block : blocks)
    block.group = groups.add(p.lines + p.rows[block.from].line, block.least / kLanes * kLanes, block.most);
  return blocks;
}

void check(const Tensor& t, at::ScalarType type, const char* name) {
  TORCH_CHECK(t.is_cpu() && t.scalar_type() == type && t.is_contiguous(), "paged_decode_attention: ", name,
              ": a contiguous ", type, " tensor on the CPU is needed");
}

// Every slot and place that a row names exists.
template <typename E>
void checkRows(const Problem<E>& p, int64_t places, int64_t slots, int64_t lineLength) {
  const auto exists = [&](int64_t slot) { return slot >= 0 && slot < slots; };
  for (int64_t c = 0; c < p.C; ++c)
    TORCH_CHECK(exists(p.copies[c].from) && exists(p.copies[c].to), "paged_decode_attention: copy ", c,
                " names a slot that does not exist");
  int64_t checkedFrom = 0, checkedTo = 0;
  for (int64_t n = 0; n < p.N; ++n) {
    const Row& row = p.rows[n];
    const int64_t from = row.line, to = from + row.position + 1;
    TORCH_CHECK(row.position >= 0 && row.position < places && exists(row.slot) && from >= 0 && to <= lineLength,
                "paged_decode_attention: row ", n, " names a place, slot or line that does not exist");
    // Rows of one sequence share a line; what was looked at for the row before is not looked at again.
    for (int64_t i = from == checkedFrom ? checkedTo : from; i < to; ++i)
      TORCH_CHECK(exists(p.lines[i]), "paged_decode_attention: slot ", p.lines[i], " does not exist");
    checkedTo = from == checkedFrom ? std::max(checkedTo, to) : to;
    checkedFrom = from;
  }
}

// Whether rows see what others write, those in their own block aside.
template <typename E>
bool blocksShareLines(const Problem<E>& p, const std::vector<Block>& blocks) {
  std::vector<int32_t> lines;
  for (const Block& block : blocks) lines.push_back(p.rows[block.from].line);
  std::sort(lines.begin(), lines.end());
  return std::adjacent_find(lines.begin(), lines.end()) != lines.end();
}

template <typename E>
void run(const Problem<E>& p, int64_t places, int64_t slots, int64_t lineLength, float* out) {
  checkRows(p, places, slots, lineLength);
  const int64_t slotsPerTask = std::max<int64_t>(1, kFloatsPerTask / (p.G * p.D));
  at::parallel_for(0, p.C, slotsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      for (const PagedTable<E>& table : {p.keys, p.values}) table.copy(p.copies[c].from, p.copies[c].to);
  });
  LineGroups groups;
  const std::vector<Block> blocks = blocksOf(p, groups);
  const int64_t B = static_cast<int64_t>(blocks.size());
  int64_t work = p.N * p.G * p.D;
  for (int64_t n = 0; n < p.A; ++n) work += (p.rows[n].position + 1) * p.D * p.H;
  const int64_t tasks = std::max<int64_t>(1, B) * p.G;
  const int64_t threads = std::min<int64_t>({at::get_num_threads(), tasks, 1 + work / kFloatsPerTask});
  const auto attendTo = [&](int64_t b, int64_t g, bool writes) {
    static thread_local Room<E> room;
    const Block& block = blocks[b];
    if (writes)
      for (int64_t n = block.from; n < block.from + block.count; ++n) write(p, n, g, room.turned);
    attend(p, block, groups, g, room, out);
  };
  const bool shared = blocksShareLines(p, blocks);
  if ((!shared || p.N <= kTogether) && p.G % threads == 0) {
    // A head's keys stay with one processor from call to call: what one has just written is slow to read for another.
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      const auto heads = [&](const auto& run) {
        for (int64_t t = begin; t < end; ++t)
          for (int64_t g = t; g < p.G; g += threads) run(g);
      };
      std::vector<float> turned;
      for (int64_t n = shared ? 0 : p.A; n < p.N; ++n) heads([&](int64_t g) { write(p, n, g, turned); });
      for (int64_t b = 0; b < B; ++b) heads([&](int64_t g) { attendTo(b, g, !shared); });
    });
    return;
  }
  at::parallel_for(0, p.N, slotsPerTask, [&](int64_t begin, int64_t end) {
    std::vector<float> turned;
    for (int64_t n = begin; n < end; ++n)
      for (int64_t g = 0; g < p.G; ++g) write(p, n, g, turned);
  });
  // Later blocks see more keys: whoever is done takes the next one.
  std::atomic<int64_t> next{0};
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    if (begin == end) return;
    for (int64_t task = next++; task < B * p.G; task = next++) attendTo(task / p.G, task % p.G, false);
  });
}

Tensor pagedDecodeAttention(const Tensor& qkv, const Tensor& cos, const Tensor& sin, Tensor& keys, Tensor& values,
                            const Tensor& copies, const Tensor& rows, const Tensor& lines, int64_t heads,
                            int64_t kvHeads, int64_t window, int64_t attending) {
  for (const Tensor* t : {&qkv, &cos, &sin}) check(*t, at::kFloat, "qkv, cos, sin");
  const bool half = keys.scalar_type() == at::kBFloat16;
  for (const Tensor* t : {static_cast<const Tensor*>(&keys), static_cast<const Tensor*>(&values)})
    check(*t, half ? at::kBFloat16 : at::kFloat, "keys, values");
  check(copies, at::kInt, "copies");
  check(rows, at::kInt, "rows");
  check(lines, at::kInt, "lines");
  TORCH_CHECK(keys.dim() == 4 && keys.sizes() == values.sizes() && keys.size(1) == kvHeads && heads % kvHeads == 0 &&
                  keys.size(3) == kBlock,
              "paged_decode_attention: keys and values must be [blocks, ", kvHeads, ", D, ", kBlock, "], not ",
              keys.sizes());
  const int64_t N = qkv.size(0), D = keys.size(2), slots = keys.size(0) * kBlock;
  TORCH_CHECK(qkv.dim() == 2 && qkv.size(1) == (heads + 2 * kvHeads) * D && D % 2 == 0 && cos.dim() == 2 &&
                  cos.size(1) == D / 2 && cos.sizes() == sin.sizes() && rows.dim() == 2 && rows.size(0) == N &&
                  rows.size(1) == 3 && copies.dim() == 2 && copies.size(1) == 2 && lines.dim() == 1,
              "paged_decode_attention: the shapes do not belong together");
  TORCH_CHECK(attending >= 0 && attending <= N, "paged_decode_attention: of ", N, " rows ", attending,
              " cannot attend");
  Tensor out = at::empty({attending, heads * D}, qkv.options());
  const auto with = [&](auto* keyTable, auto* valueTable) {
    using E = std::remove_pointer_t<decltype(keyTable)>;
    const Problem<E> p{qkv.data_ptr<float>(),
                       {cos.data_ptr<float>(), sin.data_ptr<float>(), 0},
                       {keyTable, kvHeads, D},
                       {valueTable, kvHeads, D},
                       reinterpret_cast<const Copy*>(copies.data_ptr<int32_t>()),
                       reinterpret_cast<const Row*>(rows.data_ptr<int32_t>()),
                       lines.data_ptr<int32_t>(),
                       copies.size(0),
                       N,
                       attending,
                       heads,
                       kvHeads,
                       D,
                       window};
    run(p, cos.size(0), slots, lines.numel(), out.data_ptr<float>());
  };
  if (half)
    with(static_cast<uint16_t*>(keys.data_ptr()), static_cast<uint16_t*>(values.data_ptr()));
  else
    with(keys.data_ptr<float>(), values.data_ptr<float>());
  return out;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def(
      "paged_decode_attention(Tensor qkv, Tensor cos, Tensor sin, Tensor(a!) keys, Tensor(b!) values, Tensor copies, "
      "Tensor rows, Tensor lines, int heads, int kv_heads, int window, int attending) -> Tensor",
      looprpt::pagedDecodeAttention);
}
