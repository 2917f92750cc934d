// first_nonfinite(tensor) -> int: the index, in row-major order, of the first element that is NaN or infinite; −1 where
// all are finite.
//
// For weights as they are loaded: bits are looked at, nothing is converted or copied, so a mapped file is read once at
// the speed of memory. float64, float32, float16 and bfloat16 on the CPU; other dtypes and devices go through
// libtorch's isfinite.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>

namespace looprpt {
namespace {

using at::Tensor;

constexpr int64_t kBlock = 1 << 14;  // elements looked at before it is asked whether any was bad

// A float is finite unless all bits of its exponent are set.
template <typename Bits>
inline bool isBad(Bits bits, Bits exponent) {
  return (bits & exponent) == exponent;
}

template <typename Bits>
bool anyBad(const Bits* data, int64_t n, Bits exponent) {
  Bits bad = 0;
  for (int64_t i = 0; i < n; ++i) bad |= static_cast<Bits>(isBad(data[i], exponent));
  return bad != 0;
}

template <typename Bits>
int64_t firstBad(const void* from, int64_t n, Bits exponent) {
  const auto* data = static_cast<const Bits*>(from);
  std::atomic<int64_t> first{n};
  at::parallel_for(0, (n + kBlock - 1) / kBlock, 16, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end && block * kBlock < first.load(std::memory_order_relaxed); ++block) {
      const Bits *start = data + block * kBlock, *stop = data + std::min(n, (block + 1) * kBlock);
      if (!anyBad(start, stop - start, exponent)) continue;
      const int64_t found = std::find_if(start, stop, [&](Bits bits) { return isBad(bits, exponent); }) - data;
      int64_t before = first.load();
      while (found < before && !first.compare_exchange_weak(before, found)) {
      }
      return;  // whatever this thread has left comes later
    }
  });
  return first < n ? first.load() : -1;
}

int64_t firstNonFinite(const Tensor& tensor) {
  const at::NoGradGuard guard;
  if (tensor.numel() == 0 || !(tensor.is_floating_point() || tensor.is_complex())) return -1;
  if (tensor.is_cpu()) {
    const Tensor t = tensor.contiguous();
    switch (t.scalar_type()) {
      case at::kDouble:
        return firstBad<uint64_t>(t.data_ptr(), t.numel(), 0x7ff0000000000000);
      case at::kFloat:
        return firstBad<uint32_t>(t.data_ptr(), t.numel(), 0x7f800000);
      case at::kHalf:
        return firstBad<uint16_t>(t.data_ptr(), t.numel(), 0x7c00);
      case at::kBFloat16:
        return firstBad<uint16_t>(t.data_ptr(), t.numel(), 0x7f80);
      default:
        break;
    }
  }
  const Tensor bad = at::isfinite(tensor).logical_not().flatten();
  if (!bad.any().item<bool>()) return -1;
  return bad.to(at::kByte).argmax().item<int64_t>();
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) { m.def("first_nonfinite(Tensor tensor) -> int", looprpt::firstNonFinite); }
