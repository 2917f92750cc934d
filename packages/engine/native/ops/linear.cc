// linear(x [..., in], weight [out, in]) -> x·Wᵀ [..., out] with gradients, by the product of gemm.h for float32 on the
// CPU, else by libtorch's.
#include "gemm.h"
#include "lean.h"
#include "operator.h"

namespace looprpt {
namespace {

struct Saved {
  Tensor x, weight;
  auto fields() { return std::tie(x, weight); }
};

struct Linear : Function<Linear> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const Variable& weight) {
    TORCH_CHECK(x.is_cpu() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat &&
                    weight.dim() == 2 && x.dim() >= 1 && x.size(-1) == weight.size(1),
                "float32 tensors [..., in] and [out, in] on the CPU are needed, not ", x.sizes(), " and ",
                weight.sizes());
    const int64_t in = weight.size(1), out = weight.size(0), rows = x.numel() / in;
    auto shape = x.sizes().vec();
    shape.back() = out;
    Tensor y = at::empty(shape, x.options());
    gemm(false, true, rows, out, in, x.data_ptr<float>(), weight.data_ptr<float>(), y.data_ptr<float>(), false);
    save(ctx, Saved{x, weight});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("linear");
    const auto [x, weight] = savedIn<Saved>(ctx);
    const Tensor dy = gradients[0].contiguous();
    const int64_t in = weight.size(1), out = weight.size(0), rows = x.numel() / in;
    Tensor dx, dWeight;
    if (ctx->needs_input_grad(0)) {
      dx = at::empty_like(x);
      gemm(false, false, rows, in, out, dy.data_ptr<float>(), weight.data_ptr<float>(), dx.data_ptr<float>(), false);
    }
    if (ctx->needs_input_grad(1)) {
      dWeight = at::empty_like(weight);
      gemm(true, false, out, in, rows, dy.data_ptr<float>(), x.data_ptr<float>(), dWeight.data_ptr<float>(), false);
    }
    return {dx, dWeight};
  }
};

Tensor linear(const Tensor& x, const Tensor& weight) {
  return hasKernels(x) ? Linear::apply(x.contiguous(), weight.contiguous()) : at::linear(x, weight);
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("linear(Tensor x, Tensor weight) -> Tensor", looprpt::linear);
  m.def("gemm_provider() -> str", []() { return std::string(looprpt::gemmProvider()); });
}
