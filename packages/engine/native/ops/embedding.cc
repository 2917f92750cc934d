// embedding(weight [V, E], ids int64 [...]) -> [..., E], with a gradient that is summed in float32 whatever the dtype.
//
// libtorch adds the rows of equal ids in the weight's own dtype. In bfloat16, whose numbers have 8 bits, such a sum
// stands still once it is 256 times a contribution: of a frequent token's gradient most is lost. Here the sum is
// float32 and rounded once. float32 and float64 weights go to libtorch's operator.
#include "operator.h"

namespace looprpt {
namespace {

bool isHalf(const Tensor& t) { return t.scalar_type() == at::kBFloat16 || t.scalar_type() == at::kHalf; }

struct Saved {
  Tensor ids;
  auto fields() { return std::tie(ids); }
};

struct HalfEmbedding : Function<HalfEmbedding> {
  static Variable forward(AutogradContext* ctx, const Variable& weight, const Variable& ids) {
    save(ctx, Saved{ids});
    ctx->saved_data["words"] = weight.size(0);
    return at::embedding(weight, ids);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("embedding");
    const auto [ids] = savedIn<Saved>(ctx);
    const Tensor& dRows = gradients[0];
    const Tensor sums =
        at::embedding_dense_backward(dRows.to(at::kFloat), ids, ctx->saved_data.at("words").toInt(), -1, false);
    return {sums.to(dRows.scalar_type()), Variable()};
  }
};

Tensor embedding(const Tensor& weight, const Tensor& ids) {
  TORCH_CHECK(weight.dim() == 2, "embedding: a weight [V, E] is needed, not ", weight.sizes());
  return isHalf(weight) ? HalfEmbedding::apply(weight, ids) : at::embedding(weight, ids);
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) { m.def("embedding(Tensor weight, Tensor ids) -> Tensor", looprpt::embedding); }
