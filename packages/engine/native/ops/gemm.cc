#include "gemm.h"

#include "held_signals.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <dlfcn.h>

#include <algorithm>

namespace looprpt {
namespace {

using DnnlSgemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
                          float, float*, int64_t);

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

// Rows or columns that a thread's part of a product begins at: whole vectors, whole cache lines.
constexpr int64_t kPartStep = 16;

// The whole product, in this thread alone: oneDNN asks whether it runs in a parallel region, and starts none of its own
// there.
//
// In releases before March 2026 oneDNN's kernels use the stack pointer as a register for their workspace, which lies on
// the heap. A signal handler that runs meanwhile takes its stack there and destroys what lies below: Ctrl-C, a resized
// terminal or a profiler's tick ends in a crash or in wrong numbers
// (https://github.com/uxlfoundation/oneDNN/issues/4845).
void multiply(DnnlSgemm sgemm, bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, const float* a,
              int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, bool accumulate) {
  const HeldSignals held;
  const int status = sgemm(transposeA ? 'T' : 'N', transposeB ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb,
                           accumulate ? 1.0f : 0.0f, c, ldc);
  TORCH_CHECK(status == 0, "oneDNN's matrix product failed with status ", status);
}

// The threads are libtorch's, and every one of them holds its signals, which those that oneDNN starts would not. What
// is cut is the longer side of C, never a sum.
void multiplyInParts(DnnlSgemm sgemm, bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, const float* a,
                     const float* b, float* c, bool accumulate) {
  const int64_t lda = transposeA ? m : k, ldb = transposeB ? k : n;
  const int64_t parts = at::in_parallel_region() ? 1 : at::get_num_threads();
  const bool byRows = m >= n;
  const int64_t size = byRows ? m : n;
  const int64_t even = (size + parts - 1) / parts, width = (even + kPartStep - 1) / kPartStep * kPartStep;
  at::parallel_for(0, parts, 1, [&](int64_t first, int64_t end) {
    const int64_t from = std::min(size, first * width), length = std::min(size, end * width) - from;
    if (length == 0) return;
    if (byRows) {
      multiply(sgemm, transposeA, transposeB, length, n, k, a + (transposeA ? from : from * k), lda, b, ldb,
               c + from * n, n, accumulate);
    } else {
      multiply(sgemm, transposeA, transposeB, m, length, k, a, lda, b + (transposeB ? from * k : from), ldb, c + from,
               n, accumulate);
    }
  });
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
    multiplyInParts(sgemm, transposeA, transposeB, m, n, k, a, b, c, accumulate);
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
