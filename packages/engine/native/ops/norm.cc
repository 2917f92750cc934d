// RMSNorm and the pattern of a sandwich-norm layer, each in one pass over memory with a gradient of its own.
//
//   rms_norm(x, w, eps) -> N(x; w) = w ⊙ x / √(mean(x²) + eps)
//   residual_norm(branch, residual, branch_weight, next_weight, eps) -> (sum, normed)
//     sum = residual + N(branch; branch_weight);  normed = N(sum; next_weight)
//
// The last dimension E is normalised. Here: float32 on the CPU, contiguous; anything else goes through lean.h.
// Gradients of weights are summed in blocks of rows of a fixed size, so they do not depend on the number of threads.
#include <cmath>

#include "lean.h"
#include "operator.h"
#include "simd.h"

namespace looprpt {
namespace {

constexpr int64_t kRowBlock = 64;

void check(const Tensor& x, const Tensor& weight) {
  TORCH_CHECK(x.is_cpu() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat &&
                  weight.is_contiguous() && weight.dim() == 1 && weight.size(0) == x.size(-1),
              "float32 tensors on the CPU with a weight of the last dimension are needed");
}

// 1/√(mean(x²) + eps)
float inverseRms(const float* x, int64_t E, float eps) {
  simd::Vec squares{};
  int64_t i = 0;
  for (; i + simd::kLanes <= E; i += simd::kLanes) {
    const simd::Vec v = simd::load(x + i);
    squares += v * v;
  }
  float total = simd::sum(squares);
  for (; i < E; ++i) total += x[i] * x[i];
  return 1.0f / std::sqrt(total / static_cast<float>(E) + eps);
}

// dx (+)= r (dy ⊙ w − x̂ mean(dy ⊙ w ⊙ x̂)), dw += dy ⊙ x̂, with x̂ = r x
void normBackward(const float* dy, const float* x, const float* w, float r, int64_t E, float* dx, bool accumulate,
                  float* dw) {
  simd::Vec dots{};
  int64_t i = 0;
  for (; i + simd::kLanes <= E; i += simd::kLanes) dots += simd::load(dy + i) * simd::load(w + i) * simd::load(x + i);
  float dot = simd::sum(dots);
  for (; i < E; ++i) dot += dy[i] * w[i] * x[i];
  const float pull = r * r * r * dot / static_cast<float>(E);
  if (accumulate) {
    for (int64_t j = 0; j < E; ++j) dx[j] += r * dy[j] * w[j] - pull * x[j];
  } else {
    for (int64_t j = 0; j < E; ++j) dx[j] = r * dy[j] * w[j] - pull * x[j];
  }
  for (int64_t j = 0; j < E; ++j) dw[j] += r * dy[j] * x[j];
}

template <typename Body>
void forRowBlocks(int64_t rows, const Body& body) {
  const int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block)
      body(block, block * kRowBlock, std::min(rows, (block + 1) * kRowBlock));
  });
}

Tensor partialSums(int64_t rows, int64_t E, const Tensor& like) {
  return at::zeros({(rows + kRowBlock - 1) / kRowBlock, E}, like.options());
}

struct SavedByNorm {
  Tensor x, weight, inverse;
  auto fields() { return std::tie(x, weight, inverse); }
};

struct RmsNorm : Function<RmsNorm> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const Variable& weight, double eps) {
    check(x, weight);
    const int64_t E = x.size(-1), rows = x.numel() / E;
    Tensor y = at::empty_like(x), inverse = at::empty({rows}, x.options());
    const float *in = x.data_ptr<float>(), *w = weight.data_ptr<float>();
    float *out = y.data_ptr<float>(), *r = inverse.data_ptr<float>();
    forRowBlocks(rows, [&](int64_t, int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        r[i] = inverseRms(in + i * E, E, static_cast<float>(eps));
        for (int64_t j = 0; j < E; ++j) out[i * E + j] = in[i * E + j] * r[i] * w[j];
      }
    });
    save(ctx, SavedByNorm{x, weight, inverse});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("rms_norm");
    const auto [x, weight, inverse] = savedIn<SavedByNorm>(ctx);
    const Tensor dy = gradients[0].contiguous();
    const int64_t E = x.size(-1), rows = x.numel() / E;
    Tensor dx = at::empty_like(x), partial = partialSums(rows, E, x);
    const float *in = x.data_ptr<float>(), *w = weight.data_ptr<float>(), *r = inverse.data_ptr<float>(),
                *g = dy.data_ptr<float>();
    float *to = dx.data_ptr<float>(), *dw = partial.data_ptr<float>();
    forRowBlocks(rows, [&](int64_t block, int64_t from, int64_t end) {
      for (int64_t i = from; i < end; ++i)
        normBackward(g + i * E, in + i * E, w, r[i], E, to + i * E, false, dw + block * E);
    });
    return {dx, partial.sum(0), Variable()};
  }
};

struct SavedByResidualNorm {
  Tensor branch, sum, branchWeight, nextWeight;
  Tensor inverses;  // [2, rows]: of the branch, of the sum
  auto fields() { return std::tie(branch, sum, branchWeight, nextWeight, inverses); }
};

struct ResidualNorm : Function<ResidualNorm> {
  static variable_list forward(AutogradContext* ctx, const Variable& branch, const Variable& residual,
                               const Variable& branchWeight, const Variable& nextWeight, double eps) {
    check(branch, branchWeight);
    check(residual, nextWeight);
    TORCH_CHECK(branch.sizes() == residual.sizes(), "branch and residual differ in shape");
    const int64_t E = branch.size(-1), rows = branch.numel() / E;
    Tensor sum = at::empty_like(branch), normed = at::empty_like(branch);
    Tensor inverses = at::empty({2, rows}, branch.options());
    const float *u = branch.data_ptr<float>(), *x = residual.data_ptr<float>();
    const float *wBranch = branchWeight.data_ptr<float>(), *wNext = nextWeight.data_ptr<float>();
    float *a = sum.data_ptr<float>(), *n = normed.data_ptr<float>();
    float *rBranch = inverses.data_ptr<float>(), *rSum = rBranch + rows;
    forRowBlocks(rows, [&](int64_t, int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const float* ui = u + i * E;
        const float* xi = x + i * E;
        float *ai = a + i * E, *ni = n + i * E;
        rBranch[i] = inverseRms(ui, E, static_cast<float>(eps));
        for (int64_t j = 0; j < E; ++j) ai[j] = xi[j] + ui[j] * rBranch[i] * wBranch[j];
        rSum[i] = inverseRms(ai, E, static_cast<float>(eps));
        for (int64_t j = 0; j < E; ++j) ni[j] = ai[j] * rSum[i] * wNext[j];
      }
    });
    save(ctx, SavedByResidualNorm{branch, sum, branchWeight, nextWeight, inverses});
    return {sum, normed};
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("residual_norm");
    const auto [branch, sum, branchWeight, nextWeight, inverses] = savedIn<SavedByResidualNorm>(ctx);
    const int64_t E = branch.size(-1), rows = branch.numel() / E;
    const Tensor dSum = gradients[0].defined() ? gradients[0].contiguous() : Tensor();
    const Tensor dNormed = gradients[1].defined() ? gradients[1].contiguous() : Tensor();
    Tensor dBranch = at::empty_like(branch), dResidual = at::empty_like(branch);
    Tensor partialBranch = partialSums(rows, E, branch), partialNext = partialSums(rows, E, branch);
    const float *u = branch.data_ptr<float>(), *a = sum.data_ptr<float>();
    const float *wBranch = branchWeight.data_ptr<float>(), *wNext = nextWeight.data_ptr<float>();
    const float *rBranch = inverses.data_ptr<float>(), *rSum = rBranch + rows;
    const float* ga = dSum.defined() ? dSum.data_ptr<float>() : nullptr;
    const float* gn = dNormed.defined() ? dNormed.data_ptr<float>() : nullptr;
    float *du = dBranch.data_ptr<float>(), *dx = dResidual.data_ptr<float>();
    float *dwBranch = partialBranch.data_ptr<float>(), *dwNext = partialNext.data_ptr<float>();
    forRowBlocks(rows, [&](int64_t block, int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        float* total = dx + i * E;  // the gradient of sum, all of which passes to the residual
        for (int64_t j = 0; j < E; ++j) total[j] = ga ? ga[i * E + j] : 0.0f;
        if (gn) normBackward(gn + i * E, a + i * E, wNext, rSum[i], E, total, true, dwNext + block * E);
        normBackward(total, u + i * E, wBranch, rBranch[i], E, du + i * E, false, dwBranch + block * E);
      }
    });
    return {dBranch, dResidual, partialBranch.sum(0), partialNext.sum(0), Variable()};
  }
};

Tensor rmsNorm(const Tensor& x, const Tensor& weight, double eps) {
  return hasKernels(x) ? RmsNorm::apply(x.contiguous(), weight, eps) : lean::rmsNorm(x, weight, eps);
}

std::tuple<Tensor, Tensor> residualNorm(const Tensor& branch, const Tensor& residual, const Tensor& branchWeight,
                                        const Tensor& nextWeight, double eps) {
  if (!hasKernels(branch)) return lean::residualNorm(branch, residual, branchWeight, nextWeight, eps);
  const auto result = ResidualNorm::apply(branch.contiguous(), residual.contiguous(), branchWeight, nextWeight, eps);
  return std::make_tuple(result[0], result[1]);
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("rms_norm(Tensor x, Tensor weight, float eps) -> Tensor", looprpt::rmsNorm);
  m.def(
      "residual_norm(Tensor branch, Tensor residual, Tensor branch_weight, Tensor next_weight, float eps) -> (Tensor, "
      "Tensor)",
      looprpt::residualNorm);
}
