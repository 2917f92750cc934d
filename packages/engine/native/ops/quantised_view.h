// Tensors of quantised weights, checked, as the loops see them.
#pragma once

#include <ATen/ATen.h>

#include "quantised.h"

namespace looprpt {

inline void checkQuantised(int64_t bits, int64_t group) {
  TORCH_CHECK((bits == 4 || bits == 8) && (group == 32 || group == 64 || group == 128),
              "quantised weights have 4 or 8 bits and groups of 32, 64 or 128, not ", bits, " and ", group);
}

inline int64_t quantisedRowBytes(int64_t in, int64_t bits) {
  return bits == 8 ? in : (in + kNibbleBlock - 1) / kNibbleBlock * kNibbleBlock / 2;
}

inline Quantised quantisedView(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor* zeros, int64_t bits,
                               int64_t group, int64_t in) {
  checkQuantised(bits, group);
  const int64_t groups = (in + group - 1) / group;
  const bool signedCodes = bits == 8 && !zeros;
  TORCH_CHECK(codes.is_cpu() && codes.is_contiguous() && codes.dim() == 2 &&
                  codes.scalar_type() == (signedCodes ? at::kChar : at::kByte) &&
                  codes.size(1) == quantisedRowBytes(in, bits),
              "quantised weights: codes ", codes.scalar_type(), " ", codes.sizes(), " do not go with ", in,
              " inputs of ", bits, " bits");
  TORCH_CHECK(scales.is_cpu() && scales.is_contiguous() && scales.dim() == 2 && scales.size(0) == codes.size(0) &&
                  scales.size(1) == groups &&
                  (scales.scalar_type() == at::kHalf || scales.scalar_type() == at::kBFloat16),
              "quantised weights: scales must be float16 or bfloat16 [", codes.size(0), ", ", groups, "], not ",
              scales.scalar_type(), " ", scales.sizes());
  TORCH_CHECK(!zeros || (zeros->is_cpu() && zeros->is_contiguous() && zeros->scalar_type() == at::kByte &&
                         zeros->sizes() == scales.sizes()),
              "quantised weights: zeros must be uint8 of the scales' shape");
  return {static_cast<const uint8_t*>(codes.data_ptr()),
          static_cast<const uint16_t*>(scales.data_ptr()),
          zeros ? zeros->data_ptr<uint8_t>() : nullptr,
          in,
          group,
          groups,
          codes.size(1),
          static_cast<int>(bits),
          scales.scalar_type() == at::kBFloat16};
}

}  // namespace looprpt
