// adamw_: one AdamW update of one tensor in a single pass over its memory. On the CPU, contiguous; a gradient in
// float32 or bfloat16, all else in float32, and where a `copy` is given, the stepped parameter in bfloat16 too.
//
//   g ← scale·grad;  m ← β1 m + (1 − β1) g;  v ← β2 v + (1 − β2) g²
//   θ ← keep·θ − step · m / (√(v · varianceScale) + ε)
#include <algorithm>
#include <cmath>

#include "elements.h"
#include "operator.h"

namespace looprpt {
namespace {

constexpr int64_t kGrain = 32768;
constexpr int64_t kPiece = 1024;  // of a gradient, widened

bool isFloat(const Tensor& t, int64_t size) {
  return t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous() && t.numel() == size;
}

bool isBFloat16(const Tensor& t, int64_t size) {
  return t.is_cpu() && t.scalar_type() == at::kBFloat16 && t.is_contiguous() && t.numel() == size;
}

void adamw(const Tensor& parameter, const Tensor& gradient, const Tensor& mean, const Tensor& variance,
           const c10::optional<Tensor>& copy, double scale, double beta1, double beta2, double keep, double step,
           double varianceScale, double epsilon) {
  const at::NoGradGuard guard;
  const int64_t size = parameter.numel();
  const bool isHalf = isBFloat16(gradient, size);
  for (const Tensor* t : {&parameter, &gradient, &mean, &variance})
    TORCH_CHECK(isFloat(*t, size) || (isHalf && t == &gradient),
                "contiguous float32 tensors of one size on the CPU are needed, the gradient may be bfloat16");
  TORCH_CHECK(!copy || isBFloat16(*copy, size), "the copy must be bfloat16, contiguous and of the parameter's size");
  float *p = parameter.data_ptr<float>(), *m = mean.data_ptr<float>(), *v = variance.data_ptr<float>();
  const auto s = static_cast<float>(scale), b1 = static_cast<float>(beta1), b2 = static_cast<float>(beta2);
  const auto c1 = static_cast<float>(1 - beta1), c2 = static_cast<float>(1 - beta2), k = static_cast<float>(keep);
  const auto rate = static_cast<float>(step), vs = static_cast<float>(varianceScale), e = static_cast<float>(epsilon);
  const auto update = [=](const float* g, int64_t begin, int64_t end) {  // g of element `begin` on
    for (int64_t i = begin; i < end; ++i) {
      const float x = s * g[i - begin];
      m[i] = b1 * m[i] + c1 * x;
      v[i] = b2 * v[i] + c2 * x * x;
      p[i] = k * p[i] - rate * m[i] / (std::sqrt(v[i] * vs) + e);
    }
  };
  at::parallel_for(0, size, kGrain, [&](int64_t begin, int64_t end) {
    float wide[kPiece];
    for (int64_t from = begin; from < end; from += kPiece) {
      const int64_t to = std::min(end, from + kPiece);
      if (isHalf) simd::copyRow(gradient.data_ptr<BFloat16>() + from, to - from, wide);
      update(isHalf ? wide : gradient.data_ptr<float>() + from, from, to);
      if (copy) simd::copyRow(p + from, to - from, copy->data_ptr<BFloat16>() + from);
    }
  });
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def(
      "adamw_(Tensor(a!) parameter, Tensor gradient, Tensor(b!) mean, Tensor(c!) variance, Tensor(d!)? copy, float "
      "scale, float beta1, float beta2, float keep, float step, float variance_scale, float epsilon) -> ()",
      looprpt::adamw);
}
