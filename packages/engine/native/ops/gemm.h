// The float32 matrix product under the fused operators: oneDNN's where libtorch has it loaded as a shared library
// (Debian's does; it is up to a fifth faster there than OpenBLAS on a transformer's shapes), else libtorch's own.
#pragma once

#include <cstdint>

namespace looprpt {

// C [m, n] = op(A) [m, k] · op(B) [k, n] (+ C if `accumulate`), all row-major and dense; op transposes where told.
void gemm(bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c,
          bool accumulate);

// "oneDNN" or "libtorch"
const char* gemmProvider();

}  // namespace looprpt
