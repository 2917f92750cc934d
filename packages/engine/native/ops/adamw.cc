// adamw_: one AdamW update of one tensor in a single pass over its memory. float32 on the CPU, contiguous.
//
//   g ← scale·grad;  m ← β1 m + (1 − β1) g;  v ← β2 v + (1 − β2) g²
//   θ ← keep·θ − step · m / (√(v · varianceScale) + ε)
#include <cmath>

#include "operator.h"

namespace looprpt {
namespace {

void adamw(const Tensor& parameter, const Tensor& gradient, const Tensor& mean, const Tensor& variance, double scale,
           double beta1, double beta2, double keep, double step, double varianceScale, double epsilon) {
  const at::NoGradGuard guard;
  for (const Tensor* t : {&parameter, &gradient, &mean, &variance})
    TORCH_CHECK(t->is_cpu() && t->scalar_type() == at::kFloat && t->is_contiguous() && t->numel() == parameter.numel(),
                "contiguous float32 tensors of one size on the CPU are needed");
  float *p = parameter.data_ptr<float>(), *m = mean.data_ptr<float>(), *v = variance.data_ptr<float>();
  const float* g = gradient.data_ptr<float>();
  const auto s = static_cast<float>(scale), b1 = static_cast<float>(beta1), b2 = static_cast<float>(beta2);
  const auto c1 = static_cast<float>(1 - beta1), c2 = static_cast<float>(1 - beta2), k = static_cast<float>(keep);
  const auto rate = static_cast<float>(step), vs = static_cast<float>(varianceScale), e = static_cast<float>(epsilon);
  at::parallel_for(0, parameter.numel(), 32768, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float x = s * g[i];
      m[i] = b1 * m[i] + c1 * x;
      v[i] = b2 * v[i] + c2 * x * x;
      p[i] = k * p[i] - rate * m[i] / (std::sqrt(v[i] * vs) + e);
    }
  });
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def(
      "adamw_(Tensor(a!) parameter, Tensor gradient, Tensor(b!) mean, Tensor(c!) variance, float scale, float beta1, "
      "float beta2, "
      "float keep, float step, float variance_scale, float epsilon) -> ()",
      looprpt::adamw);
}
