// RMSNorm and the pattern of a sandwich-norm layer, each in one pass over memory with a gradient of its own.
//
//   rms_norm(x, w, eps) -> N(x; w) = w ⊙ x / √(mean(x²) + eps)
//   residual_norm(branch, residual, branch_weight, next_weight, eps) -> (sum, normed)
//     sum = residual + N(branch; branch_weight);  normed = N(sum; next_weight)
//
// The last dimension E is normalised. Here: float32 and bfloat16 on the CPU, contiguous, computed in float32 and
// rounded once; anything else goes through lean.h. Gradients of weights are summed in float32, in blocks of rows of a
// fixed size, so they do not depend on the number of threads.
#include <cmath>
#include <vector>

#include "elements.h"
#include "lean.h"
#include "operator.h"

namespace looprpt {
namespace {

using simd::load;
using simd::overLanes;
using simd::store;
using simd::Vec;

constexpr int64_t kRowBlock = 64;

bool isOneDtype(const Tensor& x, std::initializer_list<Tensor> others) {
  for (const Tensor& t : others)
    if (t.scalar_type() != x.scalar_type()) return false;
  return true;
}

void check(const Tensor& x, const Tensor& weight) {
  TORCH_CHECK(hasElements(x) && weight.scalar_type() == x.scalar_type() && weight.is_contiguous() &&
                  weight.dim() == 1 && weight.size(0) == x.size(-1),
              "tensors of one dtype on the CPU with a weight of the last dimension are needed");
}

float inverseRms(Vec squares, int64_t E, float eps) {
  return 1.0f / std::sqrt(simd::sum(squares) / static_cast<float>(E) + eps);
}

// 1/√(mean(x²) + eps)
template <typename T>
float inverseRms(const T* x, int64_t E, float eps) {
  Vec squares{};
  overLanes(E, [&](int64_t i, auto lanes) {
    const Vec v = load(x + i, lanes);
    squares += v * v;
  });
  return inverseRms(squares, E, eps);
}

// y = r x ⊙ w
template <typename T>
void scaleRow(const T* x, const T* w, float r, int64_t E, T* y) {
  overLanes(E, [&](int64_t i, auto lanes) { store(y + i, load(x + i, lanes) * r * load(w + i, lanes), lanes); });
}

// Σ dy ⊙ w ⊙ x
template <typename G, typename T>
float weightedDot(const G* dy, const T* w, const T* x, int64_t E) {
  Vec dots{};
  overLanes(E, [&](int64_t i, auto lanes) { dots += load(dy + i, lanes) * load(w + i, lanes) * load(x + i, lanes); });
  return simd::sum(dots);
}

// The backward pass of one row's norm: dx = r (dy ⊙ w − x̂ mean(dy ⊙ w ⊙ x̂)), dw += dy ⊙ x̂, with x̂ = r x; put(i, dx,
// lanes) takes the vectors of dx.
template <typename G, typename T, typename Put>
void normBackward(const G* dy, const T* x, const T* w, float r, int64_t E, float* dw, const Put& put) {
  const float pull = r * r * r * weightedDot(dy, w, x, E) / static_cast<float>(E);
  overLanes(E, [&](int64_t i, auto lanes) {
    const Vec scaled = r * load(dy + i, lanes), from = load(x + i, lanes);
    put(i, scaled * load(w + i, lanes) - pull * from, lanes);
    store(dw + i, load(dw + i, lanes) + scaled * from, lanes);
  });
}

template <typename Body>
void forRowBlocks(int64_t rows, const Body& body) {
  const int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block)
      body(block, block * kRowBlock, std::min(rows, (block + 1) * kRowBlock));
  });
}

// Of a weight's gradient, one row for each block of rows.
Tensor partialSums(int64_t rows, int64_t E) {
  return at::zeros({(rows + kRowBlock - 1) / kRowBlock, E}, at::TensorOptions(at::kFloat));
}

Tensor whole(const Tensor& partial, const Tensor& weight) { return partial.sum(0).to(weight.scalar_type()); }

struct SavedByNorm {
  Tensor x, weight, inverse;
  auto fields() { return std::tie(x, weight, inverse); }
};

struct RmsNorm : Function<RmsNorm> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const Variable& weight, double eps) {
    check(x, weight);
    const int64_t E = x.size(-1), rows = x.numel() / E;
    Tensor y = at::empty_like(x), inverse = at::empty({rows}, x.options().dtype(at::kFloat));
    float* r = inverse.data_ptr<float>();
    byElement(x, [&](auto element) {
      using T = decltype(element);
      const T *in = x.data_ptr<T>(), *w = weight.data_ptr<T>();
      T* out = y.data_ptr<T>();
      forRowBlocks(rows, [&](int64_t, int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) {
          r[i] = inverseRms(in + i * E, E, static_cast<float>(eps));
          scaleRow(in + i * E, w, r[i], E, out + i * E);
        }
      });
    });
    save(ctx, SavedByNorm{x, weight, inverse});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("rms_norm");
    const auto [x, weight, inverse] = savedIn<SavedByNorm>(ctx);
    const Tensor dy = gradients[0].contiguous();
    const int64_t E = x.size(-1), rows = x.numel() / E;
    Tensor dx = at::empty_like(x), partial = partialSums(rows, E);
    const float* r = inverse.data_ptr<float>();
    float* dw = partial.data_ptr<float>();
    byElement(x, [&, x = x, weight = weight](auto element) {
      using T = decltype(element);
      const T *in = x.data_ptr<T>(), *w = weight.data_ptr<T>(), *g = dy.data_ptr<T>();
      T* to = dx.data_ptr<T>();
      forRowBlocks(rows, [&](int64_t block, int64_t from, int64_t end) {
        for (int64_t i = from; i < end; ++i)
          normBackward(g + i * E, in + i * E, w, r[i], E, dw + block * E,
                       [&](int64_t j, Vec v, auto lanes) { store(to + i * E + j, v, lanes); });
      });
    });
    return {dx, whole(partial, weight), Variable()};
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
    Tensor inverses = at::empty({2, rows}, branch.options().dtype(at::kFloat));
    float *rBranch = inverses.data_ptr<float>(), *rSum = rBranch + rows;
    byElement(branch, [&](auto element) {
      using T = decltype(element);
      const T *u = branch.data_ptr<T>(), *x = residual.data_ptr<T>();
      const T *wBranch = branchWeight.data_ptr<T>(), *wNext = nextWeight.data_ptr<T>();
      T *a = sum.data_ptr<T>(), *n = normed.data_ptr<T>();
      forRowBlocks(rows, [&](int64_t, int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) {
          const T *ui = u + i * E, *xi = x + i * E;
          T* ai = a + i * E;
          rBranch[i] = inverseRms(ui, E, static_cast<float>(eps));
          overLanes(E, [&](int64_t j, auto lanes) {
            store(ai + j, load(xi + j, lanes) + load(ui + j, lanes) * rBranch[i] * load(wBranch + j, lanes), lanes);
          });
          rSum[i] = inverseRms(ai, E, static_cast<float>(eps));
          scaleRow(ai, wNext, rSum[i], E, n + i * E);
        }
      });
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
    Tensor partialBranch = partialSums(rows, E), partialNext = partialSums(rows, E);
    const float *rBranch = inverses.data_ptr<float>(), *rSum = rBranch + rows;
    float *dwBranch = partialBranch.data_ptr<float>(), *dwNext = partialNext.data_ptr<float>();
    byElement(branch,
              [&, branch = branch, sum = sum, branchWeight = branchWeight, nextWeight = nextWeight](auto element) {
                using T = decltype(element);
                const T *u = branch.data_ptr<T>(), *a = sum.data_ptr<T>();
                const T *wBranch = branchWeight.data_ptr<T>(), *wNext = nextWeight.data_ptr<T>();
                const T* ga = dSum.defined() ? dSum.data_ptr<T>() : nullptr;
                const T* gn = dNormed.defined() ? dNormed.data_ptr<T>() : nullptr;
                T *du = dBranch.data_ptr<T>(), *dx = dResidual.data_ptr<T>();
                forRowBlocks(rows, [&](int64_t block, int64_t from, int64_t to) {
                  // The gradient of sum, all of which passes to the residual, before it is rounded.
                  std::vector<float> row(E);
                  float* total = row.data();
                  for (int64_t i = from; i < to; ++i) {
                    const auto given = [&](int64_t j, auto lanes) { return ga ? load(ga + i * E + j, lanes) : Vec{}; };
                    const auto pass = [&](int64_t j, Vec v, auto lanes) {
                      store(total + j, v, lanes);
                      store(dx + i * E + j, v, lanes);
                    };
                    if (gn)
                      normBackward(gn + i * E, a + i * E, wNext, rSum[i], E, dwNext + block * E,
                                   [&](int64_t j, Vec v, auto lanes) { pass(j, given(j, lanes) + v, lanes); });
                    else
                      overLanes(E, [&](int64_t j, auto lanes) { pass(j, given(j, lanes), lanes); });
                    normBackward(total, u + i * E, wBranch, rBranch[i], E, dwBranch + block * E,
                                 [&](int64_t j, Vec v, auto lanes) { store(du + i * E + j, v, lanes); });
                  }
                });
              });
    return {dBranch, dResidual, whole(partialBranch, branchWeight), whole(partialNext, nextWeight), Variable()};
  }
};

Tensor rmsNorm(const Tensor& x, const Tensor& weight, double eps) {
  if (!hasElements(x) || !isOneDtype(x, {weight})) return lean::rmsNorm(x, weight, eps);
  return RmsNorm::apply(x.contiguous(), weight, eps);
}

std::tuple<Tensor, Tensor> residualNorm(const Tensor& branch, const Tensor& residual, const Tensor& branchWeight,
                                        const Tensor& nextWeight, double eps) {
  if (!hasElements(branch) || !isOneDtype(branch, {residual, branchWeight, nextWeight}))
    return lean::residualNorm(branch, residual, branchWeight, nextWeight, eps);
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
