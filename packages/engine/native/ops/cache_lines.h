// Zeros from the beginning of a cache line on: a vector that lies across two lines takes two loads.
#pragma once

#include <cstdint>
#include <vector>

namespace looprpt {

template <class T>
class CacheLines {
 public:
  explicit CacheLines(int64_t count) : storage_(count + kLine / sizeof(T)) {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data());
    data_ = storage_.data() + (kLine - address % kLine) % kLine / sizeof(T);
  }
  CacheLines(const CacheLines&) = delete;
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int64_t i) { return data_[i]; }

 private:
  static constexpr uintptr_t kLine = 64;
  std::vector<T> storage_;
  T* data_;
};

}  // namespace looprpt
