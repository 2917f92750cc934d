#include "gemm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <dlfcn.h>

#include <algorithm>

namespace looprpt {
namespace {

using DnnlSgemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t, float, float*,
                          int64_t);

// Only a library that is in the process already: libtorch brings it or it is not there.
DnnlSgemm findOneDnn() {
  for (const char* name : {"libdnnl.so.2", "libdnnl.so.3"})
    if (void* library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD))
      if (void* function = dlsym(library, "dnnl_sgemm")) return reinterpret_cast<DnnlSgemm>(function);
  return nullptr;
}

DnnlSgemm oneDnn() {
  static const DnnlSgemm function = findOneDnn();
  return function;
}

at::Tensor view(const float* data, int64_t rows, int64_t columns) {
  return at::from_blob(const_cast<float*>(data), {rows, columns}, at::TensorOptions(at::kFloat));
}

}  // namespace

void gemm(bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c,
          bool accumulate) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    // Empty sums; oneDNN refuses the null pointers of tensors without elements.
    if (!accumulate) std::fill_n(c, m * n, 0.0f);
    return;
  }
  if (const DnnlSgemm sgemm = oneDnn()) {
    const int status = sgemm(transposeA ? 'T' : 'N', transposeB ? 'T' : 'N', m, n, k, 1.0f, a, transposeA ? m : k, b,
                             transposeB ? k : n, accumulate ? 1.0f : 0.0f, c, n);
    TORCH_CHECK(status == 0, "oneDNN's matrix product failed with status ", status);
    return;
  }
  const at::NoGradGuard guard;
  const at::Tensor A = transposeA ? view(a, k, m).t() : view(a, m, k);
  const at::Tensor B = transposeB ? view(b, n, k).t() : view(b, k, n);
  at::Tensor C = view(c, m, n);
  if (accumulate) {
    C.addmm_(A, B);
  } else {
    at::mm_out(C, A, B);
  }
}

const char* gemmProvider() { return oneDnn() ? "oneDNN" : "libtorch"; }

}  // namespace looprpt
