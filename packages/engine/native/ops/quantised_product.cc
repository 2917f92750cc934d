// x·Wᵀ with quantised weights, each row of x computed alone (quantised_rows.h).
//
//   quantised_product(x float32 [N, in], codes[], scales[], zeros[], bits, group) -> [N, Σ out_i]; zeros empty without
//
// The pieces are one matrix: q, k and v, or gate and up.
#include <torch/library.h>

#include "quantised_rows.h"
#include "quantised_view.h"
#include "row_product.h"

namespace looprpt {
namespace {

using at::Tensor;

template <int kBits>
struct QuantisedSource {
  Quantised q;
  template <int N>
  void addRow(int64_t row, int64_t from, int64_t inputs, const rows::ByteStrip& x, rows::Vec (&sums)[N]) const {
    rows::addCodes<kBits>(q, row, from, inputs, x, sums);
  }
};

template <int kBits>
void multiply(const std::vector<Quantised>& views, at::TensorList codes, const Tensor& x, Tensor& y) {
  const int64_t N = x.size(0), in = x.size(1), out = y.size(1);
  rows::ByteInputs inputs(N, in);
  at::parallel_for(0, N, std::max<int64_t>(1, (1 << 15) / in), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) inputs.set(n, x.data_ptr<float>() + n * in);
  });
  std::vector<rows::Piece<QuantisedSource<kBits>>> pieces;
  for (size_t i = 0; i < views.size(); ++i) pieces.push_back({{views[i]}, codes[i].size(0)});
  float* to = y.data_ptr<float>();
  rows::forTasks(pieces, N * in * out,
                 [&](const QuantisedSource<kBits>& source, int64_t from, int64_t end, int64_t offset) {
                   static thread_local std::vector<rows::Vec> sums;
                   // Few rows of x at a time: they stay in the first cache while the task's weights pass by.
                   for (int64_t n = 0; n < N; n += rows::kByteRows)
                     rows::streamBlock<rows::kByteRows>(source, from, end - from, inputs.from(n), N - n, in,
                                                        {to + n * out + offset, out}, sums);
                 });
}

Tensor quantisedProduct(const Tensor& x, at::TensorList codes, at::TensorList scales, at::TensorList zeros,
                        int64_t bits, int64_t group) {
  TORCH_CHECK(x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous() && x.dim() == 2,
              "quantised_product: x must be a contiguous float32 matrix on the CPU, not ", x.scalar_type(), " ",
              x.sizes());
  TORCH_CHECK(codes.size() == scales.size() && (zeros.empty() || zeros.size() == codes.size()),
              "quantised_product: codes, scales and zeros must be as many");
  const int64_t N = x.size(0), in = x.size(1);
  int64_t out = 0;
  std::vector<Quantised> views;
  for (size_t i = 0; i < codes.size(); ++i) {
    views.push_back(quantisedView(codes[i], scales[i], zeros.empty() ? nullptr : &zeros[i], bits, group, in));
    out += codes[i].size(0);
  }
  Tensor y = at::empty({N, out}, x.options());
  if (y.numel() == 0) return y;
  if (in == 0) return y.zero_();
  if (bits == 8)
    multiply<8>(views, codes, x, y);
  else
    multiply<4>(views, codes, x, y);
  return y;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("quantised_product(Tensor x, Tensor[] codes, Tensor[] scales, Tensor[] zeros, int bits, int group) -> Tensor",
        looprpt::quantisedProduct);
}
