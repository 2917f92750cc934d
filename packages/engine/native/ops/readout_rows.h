// Sums over one row of logits, of float or bfloat16; added up in float32.
#pragma once

#include <algorithm>
#include <cmath>

#include "elements.h"

namespace looprpt {

// Of a row in a block, with its largest logit m: Σ e^(l − m) and Σ e^(l − m) (l − m).
struct EntropySums {
  float most, total, weighted;
};

template <typename T>
float largest(const T* row, int64_t V) {
  float most = static_cast<float>(row[0]);
  int64_t j = 0;
  if (V >= simd::kLanes) {
    simd::Vec found = simd::load(row);
    for (; j + simd::kLanes <= V; j += simd::kLanes) {
      const simd::Vec v = simd::load(row + j);
      found = simd::select(v > found, v, found);
    }
    most = simd::max(found);
  }
  for (; j < V; ++j) most = std::max(most, static_cast<float>(row[j]));
  return most;
}

template <typename T>
EntropySums entropySums(const T* row, int64_t V) {
  const float most = largest(row, V);
  simd::Vec totals{}, weighted{};
  float total = 0, sum = 0;
  int64_t j = 0;
  for (; j + simd::kLanes <= V; j += simd::kLanes) {
    const simd::Vec below = simd::load(row + j) - most, e = simd::exp(below);
    totals += e;
    weighted += e * below;
  }
  for (; j < V; ++j) {
    const float below = static_cast<float>(row[j]) - most, e = std::exp(below);
    total += e;
    sum += e * below;
  }
  return {most, total + simd::sum(totals), sum + simd::sum(weighted)};
}

// H = log Σ e^(l − m) − Σ e^(l − m) (l − m) / Σ e^(l − m)
inline float entropyOf(const EntropySums& sums) { return std::log(sums.total) - sums.weighted / sums.total; }

// log Σ e^l
template <typename T>
float logSumExp(const T* row, int64_t V) {
  const float most = largest(row, V);
  simd::Vec totals{};
  float total = 0;
  int64_t j = 0;
  for (; j + simd::kLanes <= V; j += simd::kLanes) totals += simd::exp(simd::load(row + j) - most);
  for (; j < V; ++j) total += std::exp(static_cast<float>(row[j]) - most);
  return most + std::log(total + simd::sum(totals));
}

}  // namespace looprpt
