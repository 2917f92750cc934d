// swiglu(joined [..., 2F]) -> silu(gate) ⊙ up [..., F], where joined = [gate, up]. Keeps only its input.
// Here: float32 and bfloat16 on the CPU, computed in float32; anything else goes through lean.h.
#include "elements.h"
#include "lean.h"
#include "operator.h"

namespace looprpt {
namespace {

using simd::load;
using simd::overLanes;
using simd::store;
using simd::Vec;

constexpr int64_t kGrain = 32;  // rows

Vec sigmoid(Vec x) { return 1.0f / (1.0f + simd::exp(-x)); }

struct Saved {
  Tensor joined;
  auto fields() { return std::tie(joined); }
};

struct SwiGlu : Function<SwiGlu> {
  static Variable forward(AutogradContext* ctx, const Variable& joined) {
    TORCH_CHECK(joined.size(-1) % 2 == 0, "a tensor with an even last dimension is needed");
    const int64_t F = joined.size(-1) / 2, rows = joined.numel() / (2 * F);
    auto shape = joined.sizes().vec();
    shape.back() = F;
    Tensor y = at::empty(shape, joined.options());
    byElement(joined, [&](auto element) {
      using T = decltype(element);
      const T* in = joined.data_ptr<T>();
      T* out = y.data_ptr<T>();
      at::parallel_for(0, rows, kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const T *gate = in + 2 * i * F, *up = gate + F;
          overLanes(F, [&](int64_t j, auto lanes) {
            const Vec x = load(gate + j, lanes);
            store(out + i * F + j, x * sigmoid(x) * load(up + j, lanes), lanes);
          });
        }
      });
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
    byElement(dJoined, [&, joined = joined](auto element) {
      using T = decltype(element);
      const T *in = joined.data_ptr<T>(), *g = dy.data_ptr<T>();
      T* to = dJoined.data_ptr<T>();
      at::parallel_for(0, rows, kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const T *gate = in + 2 * i * F, *up = gate + F;
          T *dGate = to + 2 * i * F, *dUp = dGate + F;
          overLanes(F, [&](int64_t j, auto lanes) {
            const Vec x = load(gate + j, lanes), d = load(g + i * F + j, lanes), s = sigmoid(x), silu = x * s;
            store(dGate + j, d * load(up + j, lanes) * (s + silu * (1.0f - s)), lanes);
            store(dUp + j, d * silu, lanes);
          });
        }
      });
    });
    return {dJoined};
  }
};

Tensor swiglu(const Tensor& joined) {
  return hasElements(joined) ? SwiGlu::apply(joined.contiguous()) : lean::swiglu(joined);
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) { m.def("swiglu(Tensor joined) -> Tensor", looprpt::swiglu); }
