// x·Wᵀ with bfloat16 weights as they lie in a checkpoint, each row of x computed alone (row_tile.h).
//
//   bfloat_product(x float32 [N, in], pieces bfloat16 [out_i, in]) -> [N, Σ out_i]
//
// The pieces are one matrix: q, k and v, or gate and up. Nothing is copied or rearranged, so mapped files are read as
// they are.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "row_product.h"

namespace looprpt {
namespace {

using at::Tensor;

struct BfloatSource {
  using Arithmetic = rows::Pairs;
  const uint16_t* weights;
  int64_t in;
  int64_t out;
  rows::Strip<uint16_t> at(int64_t row, int64_t from) const { return {weights + row * in + from, in}; }
  template <int N>
  void addRow(int64_t row, int64_t from, int64_t inputs, const rows::Strip<Arithmetic::Input>& x,
              rows::Vec (&sums)[N]) const {
    rows::addRow<Arithmetic>(weights + row * in + from, {x.data + from, x.stride}, inputs, sums);
  }
};

Tensor bfloatProduct(const Tensor& x, at::TensorList pieces) {
  TORCH_CHECK(x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous() && x.dim() == 2,
              "bfloat_product: x must be a contiguous float32 matrix on the CPU, not ", x.scalar_type(), " ",
              x.sizes());
  const int64_t N = x.size(0), in = x.size(1);
  int64_t out = 0;
  for (const Tensor& piece : pieces) {
    TORCH_CHECK(piece.is_cpu() && piece.scalar_type() == at::kBFloat16 && piece.is_contiguous() && piece.dim() == 2 &&
                    piece.size(1) == in,
                "bfloat_product: weights must be contiguous bfloat16 [out, ", in, "] on the CPU, not ",
                piece.scalar_type(), " ", piece.sizes());
    out += piece.size(0);
  }
  Tensor y = at::empty({N, out}, x.options());
  if (y.numel() == 0) return y;
  std::vector<rows::Piece<BfloatSource>> sources;
  for (const Tensor& piece : pieces)
    sources.push_back({{static_cast<const uint16_t*>(piece.data_ptr()), in, piece.size(0)}, piece.size(0)});
  rows::product(sources, x.data_ptr<float>(), N, in, {y.data_ptr<float>(), out});
  return y;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("bfloat_product(Tensor x, Tensor[] pieces) -> Tensor", looprpt::bfloatProduct);
}
