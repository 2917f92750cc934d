// Rows of several tables as one matrix, and rows into places of a table: what a decoder's pass begins with and what it
// keeps. One call each, where libtorch's operators are a handful, which for small models take longer than a layer.
//
//   gather_rows(tables [.., E] each, from int32 [N, 2], dtype) -> [N, E]: row n is row from[n][1] of table from[n][0]
//   put_rows(table! [M, E], rows [.., E], pairs int32 [P, 2]) -> table: row pairs[p][1] becomes row pairs[p][0] of
//   `rows`
//
// Tables may differ in dtype; pairs lie on the CPU. float32 and bfloat16 rows on the CPU are copied here, all others by
// libtorch. No gradients.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <cstring>
#include <vector>

#include "bfloat.h"

namespace looprpt {
namespace {

using at::Tensor;

struct Pair {
  int32_t from, to;
};

int64_t checkedPairs(const Tensor& pairs, const char* name) {
  TORCH_CHECK(pairs.is_cpu() && pairs.scalar_type() == at::kInt && pairs.is_contiguous() && pairs.dim() == 2 &&
                  pairs.size(1) == 2,
              name, ": pairs must be int32 [N, 2] on the CPU, not ", pairs.scalar_type(), " ", pairs.sizes());
  return pairs.size(0);
}

void checkRow(int64_t row, const Tensor& table, const char* name) {
  TORCH_CHECK(row >= 0 && row < table.size(0), name, ": there is no row ", row, " in a table of ", table.size(0));
}

bool isOurs(const Tensor& t) {
  return t.is_cpu() && t.is_contiguous() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16);
}

void copyRow(const Tensor& table, int64_t row, int64_t E, float* to) {
  if (table.scalar_type() == at::kFloat) {
    std::memcpy(to, table.data_ptr<float>() + row * E, E * sizeof(float));
    return;
  }
  const uint16_t* from = static_cast<const uint16_t*>(table.data_ptr()) + row * E;
  for (int64_t e = 0; e < E; ++e) to[e] = fromBfloat(from[e]);
}

Tensor asIndex(const std::vector<int64_t>& rows, const Tensor& like) {
  return at::tensor(rows, at::kLong).to(like.device());
}

Tensor gatherRows(at::TensorList tables, const Tensor& from, at::ScalarType dtype) {
  const int64_t N = checkedPairs(from, "gather_rows");
  TORCH_CHECK(!tables.empty(), "gather_rows: there is no table");
  const int64_t E = tables[0].size(-1);
  const Pair* pairs = reinterpret_cast<const Pair*>(from.data_ptr<int32_t>());
  bool ours = dtype == at::kFloat;
  for (const Tensor& table : tables) {
    TORCH_CHECK(table.dim() == 2 && table.size(1) == E, "gather_rows: tables must be [rows, ", E, "], not ",
                table.sizes());
    ours &= isOurs(table);
  }
  std::vector<std::vector<int64_t>> rows(tables.size()), places(tables.size());
  for (int64_t n = 0; n < N; ++n) {
    const int64_t table = pairs[n].from, row = pairs[n].to;
    TORCH_CHECK(table >= 0 && table < static_cast<int64_t>(tables.size()), "gather_rows: there is no table ", table);
    checkRow(row, tables[table], "gather_rows");
    if (ours) continue;
    rows[table].push_back(row);
    places[table].push_back(n);
  }
  Tensor out = at::empty({N, E}, tables[0].options().dtype(dtype));
  if (ours) {
    for (int64_t n = 0; n < N; ++n) copyRow(tables[pairs[n].from], pairs[n].to, E, out.data_ptr<float>() + n * E);
    return out;
  }
  for (size_t t = 0; t < tables.size(); ++t)
    if (!rows[t].empty())
      out.index_copy_(0, asIndex(places[t], out), tables[t].index_select(0, asIndex(rows[t], out)).to(dtype));
  return out;
}

Tensor& putRows(Tensor& table, const Tensor& rows, const Tensor& pairs) {
  const int64_t P = checkedPairs(pairs, "put_rows");
  TORCH_CHECK(
      table.dim() == 2 && rows.dim() == 2 && table.size(1) == rows.size(1) && table.scalar_type() == rows.scalar_type(),
      "put_rows: rows ", rows.scalar_type(), " ", rows.sizes(), " do not go into a table ", table.scalar_type(), " ",
      table.sizes());
  const Pair* pair = reinterpret_cast<const Pair*>(pairs.data_ptr<int32_t>());
  for (int64_t p = 0; p < P; ++p) {
    checkRow(pair[p].from, rows, "put_rows");
    checkRow(pair[p].to, table, "put_rows");
  }
  if (isOurs(table) && isOurs(rows)) {
    const int64_t bytes = table.size(1) * static_cast<int64_t>(table.element_size());
    for (int64_t p = 0; p < P; ++p)
      std::memcpy(static_cast<char*>(table.data_ptr()) + pair[p].to * bytes,
                  static_cast<const char*>(rows.data_ptr()) + pair[p].from * bytes, bytes);
    return table;
  }
  std::vector<int64_t> from, to;
  for (int64_t p = 0; p < P; ++p) {
    from.push_back(pair[p].from);
    to.push_back(pair[p].to);
  }
  return table.index_copy_(0, asIndex(to, table), rows.index_select(0, asIndex(from, table)));
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("gather_rows(Tensor[] tables, Tensor from, ScalarType dtype) -> Tensor", looprpt::gatherRows);
  m.def("put_rows(Tensor(a!) table, Tensor rows, Tensor pairs) -> Tensor(a!)", looprpt::putRows);
}
