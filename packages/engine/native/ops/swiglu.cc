// swiglu(joined [..., 2F]) -> silu(gate) ⊙ up [..., F], where joined = [gate, up]. Keeps only its input.
// Here: float32 on the CPU; anything else goes through lean.h.
#include "lean.h"
#include "operator.h"
#include "simd.h"

namespace looprpt {
namespace {

using simd::Vec;

Vec sigmoid(Vec x) { return 1.0f / (1.0f + simd::exp(-x)); }

// Applies `body` to vectors of a row of F elements; the rest of the row goes through padded copies.
template <int Inputs, int Outputs, typename Body>
void overRow(const float* const (&in)[Inputs], float* const (&out)[Outputs], int64_t F, const Body& body) {
  Vec from[Inputs], to[Outputs];
  int64_t i = 0;
  for (; i + simd::kLanes <= F; i += simd::kLanes) {
    for (int k = 0; k < Inputs; ++k) from[k] = simd::load(in[k] + i);
    body(from, to);
    for (int k = 0; k < Outputs; ++k) simd::store(out[k] + i, to[k]);
  }
  if (i == F) return;
  const size_t bytes = (F - i) * sizeof(float);
  for (int k = 0; k < Inputs; ++k) {
    from[k] = Vec{};
    std::memcpy(&from[k], in[k] + i, bytes);
  }
  body(from, to);
  for (int k = 0; k < Outputs; ++k) std::memcpy(out[k] + i, &to[k], bytes);
}

struct Saved {
  Tensor joined;
  auto fields() { return std::tie(joined); }
};

struct SwiGlu : Function<SwiGlu> {
  static Variable forward(AutogradContext* ctx, const Variable& joined) {
    TORCH_CHECK(joined.is_cpu() && joined.scalar_type() == at::kFloat && joined.size(-1) % 2 == 0,
                "a float32 tensor on the CPU with an even last dimension is needed");
    const int64_t F = joined.size(-1) / 2, rows = joined.numel() / (2 * F);
    auto shape = joined.sizes().vec();
    shape.back() = F;
    Tensor y = at::empty(shape, joined.options());
    const float* in = joined.data_ptr<float>();
    float* out = y.data_ptr<float>();
    at::parallel_for(0, rows, 32, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        overRow<2, 1>({in + 2 * i * F, in + (2 * i + 1) * F}, {out + i * F}, F,
                      [](const Vec(&x)[2], Vec(&to)[1]) { to[0] = x[0] * sigmoid(x[0]) * x[1]; });
    });
    save(ctx, Saved{joined});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("swiglu");
    const auto [joined] = savedIn<Saved>(ctx);
    const Tensor dy = gradients[0].contiguous();
    const int64_t F = joined.size(-1) / 2, rows = joined.numel() / (2 * F);
    Tensor dJoined = at::empty_like(joined);
    const float *in = joined.data_ptr<float>(), *g = dy.data_ptr<float>();
    float* out = dJoined.data_ptr<float>();
    at::parallel_for(0, rows, 32, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        overRow<3, 2>({in + 2 * i * F, in + (2 * i + 1) * F, g + i * F}, {out + 2 * i * F, out + (2 * i + 1) * F}, F,
                      [](const Vec(&x)[3], Vec(&to)[2]) {
                        const Vec s = sigmoid(x[0]), silu = x[0] * s;
                        to[0] = x[2] * x[1] * (s + silu * (1.0f - s));
                        to[1] = x[2] * silu;
                      });
    });
    return {dJoined};
  }
};

Tensor swiglu(const Tensor& joined) {
  return hasKernels(joined) ? SwiGlu::apply(joined.contiguous()) : lean::swiglu(joined);
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) { m.def("swiglu(Tensor joined) -> Tensor", looprpt::swiglu); }
