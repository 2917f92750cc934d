// A layer's operators between its products, on any device and in any floating dtype (lean.h), and the heads' rotation:
//
//   split_rotate(qkv [B, T, (H + 2G)·D], cos, sin [B or 1, T, D/2], heads, kv_heads)
//     -> (q [B, T, H, D], k [B, T, G, D], v [B, T, G, D])
//     q and k rotated half-split; v as it is
//
// Statistics of norms are float32 (float64 for float64). Where libtorch has a fused norm for the device, it is used.
#include <torch/version.h>

#include "lean.h"

namespace looprpt {
namespace lean {
namespace {

bool hasFusedNorm(const Tensor& x, const Tensor& weight) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 9)
  return x.is_cuda() && x.scalar_type() == weight.scalar_type();
#else
  return false;
#endif
}

Tensor libtorchNorm(const Tensor& x, const Tensor& weight, double eps) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 9)
  return at::rms_norm(x, {x.size(-1)}, weight, eps);
#else
  TORCH_CHECK(false, "this libtorch has no fused norm");
#endif
}

// At least float32.
at::ScalarType wide(const Tensor& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

struct SavedByNorm {
  Tensor x, weight, inverse;
  auto fields() { return std::tie(x, weight, inverse); }
};

// Rounded to the dtype before the product with the weight, as Ouro does.
struct RmsNorm : Function<RmsNorm> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const Variable& weight, double eps) {
    const Tensor norm = at::linalg_vector_norm(x, 2, at::IntArrayRef({-1}), true, wide(x));
    const Tensor inverse = norm.square().div_(x.size(-1)).add_(eps).rsqrt_();
    save(ctx, SavedByNorm{x, weight, inverse});
    return x.mul(inverse).to(x.scalar_type()).mul_(weight);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("rms_norm");
    const auto [x, weight, inverse] = savedIn<SavedByNorm>(ctx);
    const int64_t E = x.size(-1);
    const Tensor xhat = x.mul(inverse);
    const Tensor dy = gradients[0].to(xhat.scalar_type());
    const Tensor dWeight = dy.mul(xhat).reshape({-1, E}).sum(0).to(weight.scalar_type());
    Tensor dx = dy.mul(weight);
    const Tensor pull = dx.mul(xhat).mean(-1, true);
    dx = dx.addcmul_(xhat, pull, -1).mul_(inverse).to(x.scalar_type());
    return {dx, dWeight, Variable()};
  }
};

struct SavedBySwiGlu {
  Tensor joined;
  auto fields() { return std::tie(joined); }
};

struct SwiGlu : Function<SwiGlu> {
  static Variable forward(AutogradContext* ctx, const Variable& joined) {
    save(ctx, SavedBySwiGlu{joined});
    const auto halves = joined.chunk(2, -1);
    return at::silu(halves[0]).mul_(halves[1]);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("swiglu");
    const auto [joined] = savedIn<SavedBySwiGlu>(ctx);
    const Tensor& dy = gradients[0];
    const auto halves = joined.chunk(2, -1);
    Tensor dJoined = at::empty_like(joined);
    const auto into = dJoined.chunk(2, -1);
    into[0].copy_(at::silu_backward(dy.mul(halves[1]), halves[0]));
    Tensor dUp = into[1];
    at::mul_out(dUp, dy, at::silu(halves[0]));
    return {dJoined};
  }
};

// to [B, T, N, D] = x turned by the angles, the other way round for direction −1
void rotateInto(const Tensor& to, const Tensor& x, const Tensor& cos, const Tensor& sin, double direction) {
  const auto from = x.chunk(2, -1);
  auto into = to.chunk(2, -1);
  const Tensor c = cos.unsqueeze(2), s = sin.unsqueeze(2);
  at::mul_out(into[0], from[0], c);
  into[0].addcmul_(from[1], s, -direction);
  at::mul_out(into[1], from[1], c);
  into[1].addcmul_(from[0], s, direction);
}

struct SavedBySplitRotate {
  Tensor cos, sin;
  auto fields() { return std::tie(cos, sin); }
};

struct SplitRotate : Function<SplitRotate> {
  static variable_list forward(AutogradContext* ctx, const Variable& qkv, const Variable& cos, const Variable& sin,
                               int64_t heads, int64_t kvHeads) {
    const int64_t B = qkv.size(0), T = qkv.size(1), N = heads + 2 * kvHeads, D = qkv.size(2) / N;
    TORCH_CHECK(N * D == qkv.size(2) && D % 2 == 0, "a width of ", qkv.size(2), " does not hold ", N,
                " heads of even size");
    const Tensor rows = qkv.view({B, T, N, D});
    const Tensor q = at::empty({B, T, heads, D}, qkv.options()), k = at::empty({B, T, kvHeads, D}, qkv.options());
    rotateInto(q, rows.narrow(2, 0, heads), cos, sin, 1);
    rotateInto(k, rows.narrow(2, heads, kvHeads), cos, sin, 1);
    save(ctx, SavedBySplitRotate{cos, sin});
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["kv_heads"] = kvHeads;
    return {q, k, rows.narrow(2, heads + kvHeads, kvHeads).contiguous()};
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("split_rotate");
    const auto [cos, sin] = savedIn<SavedBySplitRotate>(ctx);
    const Tensor &q = gradients[0], &k = gradients[1], &v = gradients[2];
    const int64_t H = ctx->saved_data.at("heads").toInt(), G = ctx->saved_data.at("kv_heads").toInt();
    const Tensor& some = q.defined() ? q : k.defined() ? k : v;
    const int64_t B = some.size(0), T = some.size(1), D = some.size(3);
    Tensor dQkv = at::empty({B, T, H + 2 * G, D}, some.options());
    const Tensor dQ = dQkv.narrow(2, 0, H), dK = dQkv.narrow(2, H, G), dV = dQkv.narrow(2, H + G, G);
    if (!q.defined() || !k.defined() || !v.defined()) dQkv.zero_();
    if (q.defined()) rotateInto(dQ, q, cos, sin, -1);
    if (k.defined()) rotateInto(dK, k, cos, sin, -1);
    if (v.defined()) dV.copy_(v);
    return {dQkv.view({B, T, (H + 2 * G) * D}), Variable(), Variable(), Variable(), Variable()};
  }
};

std::tuple<Tensor, Tensor, Tensor> splitRotate(const Tensor& qkv, const Tensor& cos, const Tensor& sin, int64_t heads,
                                               int64_t kvHeads) {
  const auto parts = SplitRotate::apply(qkv.contiguous(), cos, sin, heads, kvHeads);
  return std::make_tuple(parts[0], parts[1], parts[2]);
}

}  // namespace

Tensor rmsNorm(const Tensor& x, const Tensor& weight, double eps) {
  return hasFusedNorm(x, weight) ? libtorchNorm(x, weight, eps) : RmsNorm::apply(x, weight, eps);
}

std::tuple<Tensor, Tensor> residualNorm(const Tensor& branch, const Tensor& residual, const Tensor& branchWeight,
                                        const Tensor& nextWeight, double eps) {
  const Tensor sum = residual.add(rmsNorm(branch, branchWeight, eps));
  return std::make_tuple(sum, rmsNorm(sum, nextWeight, eps));
}

Tensor swiglu(const Tensor& joined) { return SwiGlu::apply(joined); }

}  // namespace lean
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("split_rotate(Tensor qkv, Tensor cos, Tensor sin, int heads, int kv_heads) -> (Tensor, Tensor, Tensor)",
        looprpt::lean::splitRotate);
}
