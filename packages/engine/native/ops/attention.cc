// looprpt::attention and looprpt::query_attention: the attention kernel as operators with gradients.
//
//   attention(qkv [B, T, (H + 2G)·D], cos, sin [B or 1, T, P], first? [B, T], heads, kv_heads, window) -> [B, T, H·D]
//   query_attention(q [B, C, H·D], kv [B, S, (H + 2G)·D], query_cos, query_sin [B or 1, C, P],
//                   key_cos, key_sin [B or 1, S, P], last [B, C], first? [B, C], heads, kv_heads, window)
//     -> [B, C, H·D]
//
// The second is for queries apart from the pass that made the keys and values, which are constants for it: `kv` is that
// pass's qkv. Rows of float32 or bfloat16 on the CPU with float32 tables; window 0 means all keys.
#include "attention_kernel.h"
#include "elements.h"
#include "operator.h"

namespace looprpt {
namespace {

Tensor orUndefined(const c10::optional<Tensor>& t) { return t.has_value() ? *t : Tensor(); }

const float* floats(const Tensor& t) { return t.data_ptr<float>(); }
const int64_t* placesOrNull(const Tensor& t) { return t.defined() ? t.data_ptr<int64_t>() : nullptr; }

void check(const Tensor& t, at::ScalarType type, const char* name) {
  if (!t.defined()) return;
  TORCH_CHECK(t.is_cpu() && t.scalar_type() == type && t.is_contiguous(), name, ": a contiguous ", type,
              " tensor on the CPU is needed");
}

Rope ropeOf(const Tensor& cos, const Tensor& sin, int64_t places, int64_t P) {
  check(cos, at::kFloat, "cos");
  check(sin, at::kFloat, "sin");
  TORCH_CHECK(cos.dim() == 3 && cos.size(1) == places && cos.size(2) == P && cos.sizes() == sin.sizes(),
              "cos and sin must be [B or 1, ", places, ", ", P, "], not ", cos.sizes());
  return {floats(cos), floats(sin), cos.size(0) == 1 ? 0 : places * P};
}

// What an operator was called with; tensors that it does not have are undefined.
struct Inputs {
  Tensor q, kv, queryCos, querySin, keyCos, keySin, last, first;
  int64_t heads, kvHeads, window;
};

// Every element of `places` [B, C] lies between `least` and `most`: the kernel reads keys by them.
void checkPlaces(const Tensor& places, int64_t B, int64_t C, int64_t least, int64_t most, const char* name) {
  if (!places.defined()) return;
  TORCH_CHECK(places.dim() == 2 && places.size(0) == B && places.size(1) == C, name, " must be [", B, ", ", C,
              "], not ", places.sizes());
  const int64_t* data = placesOrNull(places);
  for (int64_t i = 0; i < B * C; ++i)
    TORCH_CHECK(data[i] >= least && data[i] <= most, name, ": ", data[i], " does not lie between ", least, " and ",
                most);
}

template <typename Element>
AttentionProblem<Element> problemOf(const Inputs& in, bool joined) {
  const at::ScalarType type = c10::CppTypeToScalarType<Element>::value;
  check(in.q, type, "q");
  check(in.kv, type, "kv");
  check(in.last, at::kLong, "last");
  check(in.first, at::kLong, "first");
  const int64_t width = in.kv.size(2), D = width / (in.heads + 2 * in.kvHeads);
  TORCH_CHECK(D * (in.heads + 2 * in.kvHeads) == width && D % 2 == 0 && in.heads % in.kvHeads == 0, "a width of ",
              width, " does not hold ", in.heads, " + 2·", in.kvHeads, " heads");
  const int64_t B = in.q.size(0), C = in.q.size(1), S = in.kv.size(1);
  TORCH_CHECK(in.kv.size(0) == B && in.q.size(2) == (joined ? width : in.heads * D), "q and kv do not belong together");
  checkPlaces(in.last, B, C, -1, S - 1, "last");  // −1: a query that sees nothing
  checkPlaces(in.first, B, C, 0, S, "first");
  const Element *q = in.q.data_ptr<Element>(), *kv = in.kv.data_ptr<Element>();
  const AttentionShape shape{B,
                             C,
                             S,
                             in.heads,
                             in.kvHeads,
                             D,
                             ropeOf(in.queryCos, in.querySin, C, D / 2),
                             ropeOf(in.keyCos, in.keySin, S, D / 2),
                             placesOrNull(in.last),
                             placesOrNull(in.first),
                             in.window};
  return {shape,
          {q, C * in.q.size(2), in.q.size(2)},
          {kv + in.heads * D, S * width, width},
          {kv + (in.heads + in.kvHeads) * D, S * width, width}};
}

struct Saved {
  Inputs in;
  Tensor out, logSumExp;
  auto fields() {
    return std::tie(in.q, in.kv, in.queryCos, in.querySin, in.keyCos, in.keySin, in.last, in.first, out, logSumExp);
  }
};

Tensor forward(AutogradContext* ctx, const Inputs& in, bool joined) {
  check(in.q, in.kv.scalar_type(), "q");
  TORCH_CHECK(hasElements(in.q), "float32 or bfloat16 rows are needed, not ", in.q.scalar_type());
  Saved saved{in, Tensor(), Tensor()};
  byElement(in.q, [&](auto element) {
    using Element = decltype(element);
    const auto p = problemOf<Element>(in, joined);
    saved.out = at::empty({p.B, p.C, p.H * p.D}, in.q.options());
    saved.logSumExp = at::empty({p.B, p.H, p.C}, in.q.options().dtype(at::kFloat));
    attentionForward(p, saved.out.data_ptr<Element>(), saved.logSumExp.data_ptr<float>());
  });
  save(ctx, saved);
  ctx->saved_data["heads"] = in.heads;
  ctx->saved_data["kv_heads"] = in.kvHeads;
  ctx->saved_data["window"] = in.window;
  return saved.out;
}

Saved restored(const AutogradContext* ctx) {
  Saved saved = savedIn<Saved>(ctx);
  saved.in.heads = ctx->saved_data.at("heads").toInt();
  saved.in.kvHeads = ctx->saved_data.at("kv_heads").toInt();
  saved.in.window = ctx->saved_data.at("window").toInt();
  return saved;
}

template <typename Element>
void backward(const AttentionProblem<Element>& p, const Saved& saved, const Tensor& dOut, MutableRows<Element> dq,
              MutableRows<Element> dk, MutableRows<Element> dv) {
  const Tensor rows = dOut.contiguous();
  attentionBackward(p, const_cast<const Element*>(saved.out.data_ptr<Element>()), floats(saved.logSumExp),
                    const_cast<const Element*>(rows.data_ptr<Element>()), dq, dk, dv);
}

// `count` absent gradients after those given, for inputs that are constants.
variable_list withConstants(const Tensor& gradient, size_t count) {
  variable_list gradients(count + 1);
  gradients[0] = gradient;
  return gradients;
}

struct SelfAttention : Function<SelfAttention> {
  static Variable forward(AutogradContext* ctx, const Variable& qkv, const Variable& cos, const Variable& sin,
                          const c10::optional<Tensor>& first, int64_t heads, int64_t kvHeads, int64_t window) {
    return looprpt::forward(ctx, {qkv, qkv, cos, sin, cos, sin, Tensor(), orUndefined(first), heads, kvHeads, window},
                            true);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("attention");
    const Saved saved = restored(ctx);
    const Tensor dQkv = at::empty_like(saved.in.q);
    byElement(dQkv, [&](auto element) {
      using Element = decltype(element);
      const auto p = problemOf<Element>(saved.in, true);
      const int64_t width = dQkv.size(2), batch = p.C * width;
      Element* dq = dQkv.data_ptr<Element>();
      Element *dk = dq + p.H * p.D, *dv = dk + p.G * p.D;
      looprpt::backward<Element>(p, saved, gradients[0], {dq, batch, width}, {dk, batch, width}, {dv, batch, width});
    });
    return withConstants(dQkv, 6);
  }
};

struct QueryAttention : Function<QueryAttention> {
  static Variable forward(AutogradContext* ctx, const Variable& q, const Variable& kv, const Variable& queryCos,
                          const Variable& querySin, const Variable& keyCos, const Variable& keySin,
                          const Variable& last, const c10::optional<Tensor>& first, int64_t heads, int64_t kvHeads,
                          int64_t window) {
    return looprpt::forward(
        ctx, {q, kv, queryCos, querySin, keyCos, keySin, last, orUndefined(first), heads, kvHeads, window}, false);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("query_attention");
    const Saved saved = restored(ctx);
    const Tensor dQ = at::empty_like(saved.in.q);
    byElement(dQ, [&](auto element) {
      using Element = decltype(element);
      const auto p = problemOf<Element>(saved.in, false);
      const int64_t width = dQ.size(2);
      const MutableRows<Element> none{nullptr, 0, 0};
      looprpt::backward<Element>(p, saved, gradients[0], {dQ.data_ptr<Element>(), p.C * width, width}, none, none);
    });
    return withConstants(dQ, 10);
  }
};

Tensor attention(const Tensor& qkv, const Tensor& cos, const Tensor& sin, const c10::optional<Tensor>& first,
                 int64_t heads, int64_t kvHeads, int64_t window) {
  return SelfAttention::apply(qkv.contiguous(), cos, sin, first, heads, kvHeads, window);
}

Tensor queryAttention(const Tensor& q, const Tensor& kv, const Tensor& queryCos, const Tensor& querySin,
                      const Tensor& keyCos, const Tensor& keySin, const Tensor& last,
                      const c10::optional<Tensor>& first, int64_t heads, int64_t kvHeads, int64_t window) {
  return QueryAttention::apply(q.contiguous(), kv.detach(), queryCos, querySin, keyCos, keySin, last, first, heads,
                               kvHeads, window);
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("attention(Tensor qkv, Tensor cos, Tensor sin, Tensor? first, int heads, int kv_heads, int window) -> Tensor",
        looprpt::attention);
  m.def(
      "query_attention(Tensor q, Tensor kv, Tensor query_cos, Tensor query_sin, Tensor key_cos, Tensor key_sin, Tensor "
      "last, "
      "Tensor? first, int heads, int kv_heads, int window) -> Tensor",
      looprpt::queryAttention);
}
