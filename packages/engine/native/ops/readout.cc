// The LM head where only a few numbers per row are wanted, without keeping log-probabilities of the whole vocabulary.
//
//   target_log_prob(hidden [N, E], weight [V, E], targets [N]) -> [N]: log softmax(W h)[target], with gradients
//   next_token_entropy(hidden [N, E], weight [V, E]) -> [N]: nats, no gradient
//
// The vocabulary goes through the head block by block, each block in pieces of rows that are still in a cache when
// their exponentials are taken: e = exp(logits − m) with the largest logit m of the row in that block. A row's sum is
// put together from those of its blocks, each times exp(m − the largest of all). For the backward pass e is kept where
// it is small, else made again block by block.
//
// With s the whole sum, f = exp(m − largest) / s and g the gradient of a row's log-probability, d(logits) = g (onehot −
// f e). That matrix is never made: −g f of a row goes onto the rows of H in d(W) = eᵀ (−g f H) and onto those of e W in
// d(H), and the one-hot part adds a row to each. So after the exponentials nothing walks over N·V numbers but products.
//
// Here: float32 on the CPU; bfloat16 there goes to half_readout.h, anything else through lean.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "gemm.h"
#include "half_readout.h"
#include "lean.h"
#include "operator.h"
#include "readout_rows.h"
#include "simd.h"

namespace looprpt {
namespace {

using simd::Vec;

constexpr int64_t kBlockWords = 2048;
constexpr int64_t kPieceElements = 1 << 20;   // logits of a piece, 4 MiB
constexpr int64_t kKeptElements = 128 << 20;  // exponentials kept for the backward pass, half a GiB

void check(const Tensor& hidden, const Tensor& weight) {
  TORCH_CHECK(hidden.is_cpu() && hidden.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat &&
                  hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) && weight.size(0) > 0,
              "float32 tensors [N, E] and [V, E] on the CPU are needed");
}

// Rows of H and the head, cut into blocks of words of about the same size.
struct Head {
  const float *hidden, *weight;
  int64_t N, V, E, blocks, width;
  Head(const Tensor& h, const Tensor& w)
      : hidden(h.data_ptr<float>()), weight(w.data_ptr<float>()), N(h.size(0)), V(w.size(0)), E(h.size(1)) {
    const int64_t most = (V + kBlockWords - 1) / kBlockWords, even = (V + most - 1) / most;
    width = (even + simd::kLanes - 1) / simd::kLanes * simd::kLanes;
    blocks = (V + width - 1) / width;
  }
  int64_t first(int64_t block) const { return block * width; }
  int64_t words(int64_t block) const { return std::min(width, V - first(block)); }
  // Where the block's numbers of all rows lie among those of all blocks.
  int64_t offset(int64_t block) const { return N * first(block); }
  int64_t pieceRows() const { return std::max<int64_t>(1, kPieceElements / width); }
  // Logits [n, words] of rows from `row` on.
  void logits(int64_t block, int64_t row, int64_t n, float* to) const {
    gemm(false, true, n, words(block), E, hidden + row * E, weight + first(block) * E, to, false);
  }
};

// Calls body(row, n, logits [n, words]) for the pieces of a block; they lie one behind the other in `kept`, or all in
// `piece`.
template <typename Body>
void forPieces(const Head& head, int64_t block, float* kept, Tensor& piece, const Body& body) {
  const int64_t words = head.words(block), most = head.pieceRows();
  for (int64_t row = 0; row < head.N; row += most) {
    const int64_t n = std::min(most, head.N - row);
    if (!kept && !piece.defined()) piece = at::empty({std::min(most, head.N), head.width}, at::kFloat);
    float* logits = kept ? kept + row * words : piece.data_ptr<float>();
    head.logits(block, row, n, logits);
    at::parallel_for(0, n, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(row + i, logits + i * words, words);
    });
  }
}

struct RowSums {
  float most, total;
};

// Turns a row of logits into e^(logit − max); the largest logit and the sum of the row.
RowSums exponentiateRow(float* row, int64_t V) {
  const float most = largest(row, V);
  int64_t j = 0;
  Vec sums{};
  float total = 0;
  for (; j + simd::kLanes <= V; j += simd::kLanes) {
    const Vec e = simd::exp(simd::load(row + j) - most);
    simd::store(row + j, e);
    sums += e;
  }
  for (; j < V; ++j) total += row[j] = std::exp(row[j] - most);
  return {most, total + simd::sum(sums)};
}

// to[i] = factor[i]·from[i] for rows of E
void scaleRows(const float* from, const float* factor, int64_t n, int64_t E, float* to) {
  at::parallel_for(0, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < E; ++j) to[i * E + j] = factor[i] * from[i * E + j];
  });
}

// to[i] += factor[i]·from[i] for rows of E
void addScaledRows(const float* from, const float* factor, int64_t n, int64_t E, float* to) {
  at::parallel_for(0, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < E; ++j) to[i * E + j] += factor[i] * from[i * E + j];
  });
}

// to += factor·from
void addRow(const float* from, float factor, int64_t E, float* to) {
  for (int64_t j = 0; j < E; ++j) to[j] += factor * from[j];
}

struct Saved {
  Tensor hidden, weight, targets;
  Tensor exponentials;  // of every block, one behind the other; empty where they are made again
  Tensor factor;        // [blocks, N]: exp(m − largest) / s
  auto fields() { return std::tie(hidden, weight, targets, exponentials, factor); }
};

struct TargetLogProb : Function<TargetLogProb> {
  static Variable forward(AutogradContext* ctx, const Variable& hidden, const Variable& weight, const Variable& targets,
                          bool differentiable) {
    check(hidden, weight);
    TORCH_CHECK(targets.scalar_type() == at::kLong && targets.is_contiguous() && targets.numel() == hidden.size(0),
                "targets must be int64 [N]");
    const Head head(hidden, weight);
    const int64_t N = head.N, V = head.V;
    const int64_t* chosen = targets.data_ptr<int64_t>();
    for (int64_t i = 0; i < N; ++i)
      TORCH_CHECK(chosen[i] >= 0 && chosen[i] < V, "target ", chosen[i], " lies outside the vocabulary of ", V);
    const bool keep = differentiable && N * V <= kKeptElements;
    Tensor kept = at::empty({keep ? N * V : 0}, hidden.options()), piece;
    Tensor logProb = at::empty({N}, hidden.options()), total = at::empty({head.blocks, N}, hidden.options());
    Tensor factor = at::empty({head.blocks, N}, hidden.options());  // first the largest logit of the row in the block
    float *to = logProb.data_ptr<float>(), *totals = total.data_ptr<float>(), *factors = factor.data_ptr<float>();
    for (int64_t block = 0; block < head.blocks; ++block)
      forPieces(head, block, keep ? kept.data_ptr<float>() + head.offset(block) : nullptr, piece,
                [&](int64_t i, float* row, int64_t words) {
                  const int64_t word = chosen[i] - head.first(block);
                  if (word >= 0 && word < words) to[i] = row[word];
                  const RowSums sums = exponentiateRow(row, words);
                  factors[block * N + i] = sums.most;
                  totals[block * N + i] = sums.total;
                });
    at::parallel_for(0, N, 256, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        float most = factors[i], whole = 0;
        for (int64_t block = 1; block < head.blocks; ++block) most = std::max(most, factors[block * N + i]);
        for (int64_t block = 0; block < head.blocks; ++block) {
          float& factor = factors[block * N + i];
          factor = std::exp(factor - most);
          whole += factor * totals[block * N + i];
        }
        for (int64_t block = 0; block < head.blocks; ++block) factors[block * N + i] /= whole;
        to[i] -= most + std::log(whole);
      }
    });
    save(ctx, Saved{hidden, weight, targets, kept, factor});
    return logProb;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("target_log_prob");
    const Saved saved = savedIn<Saved>(ctx);
    const Tensor &hidden = saved.hidden, &weight = saved.weight, &kept = saved.exponentials;
    const Head head(hidden, weight);
    const int64_t N = head.N, E = head.E;
    const int64_t* targets = saved.targets.data_ptr<int64_t>();
    const Tensor g = gradients[0].contiguous(), factor = saved.factor.mul(g).neg_();
    const bool wantHidden = ctx->needs_input_grad(0), wantWeight = ctx->needs_input_grad(1), isKept = kept.numel() > 0;
    Tensor dHidden = wantHidden ? at::zeros_like(hidden) : Tensor(),
           part = wantHidden ? at::empty_like(hidden) : Tensor();
    Tensor dWeight = wantWeight ? at::empty_like(weight) : Tensor(),
           scaled = wantWeight ? at::empty_like(hidden) : Tensor();
    Tensor again = isKept ? Tensor() : at::empty({N, head.width}, hidden.options()), piece;
    for (int64_t block = 0; block < head.blocks; ++block) {
      const int64_t words = head.words(block), first = head.first(block) * E;
      const float* factors = factor.data_ptr<float>() + block * N;
      float* e = isKept ? kept.data_ptr<float>() + head.offset(block) : again.data_ptr<float>();
      if (!isKept)
        forPieces(head, block, e, piece, [](int64_t, float* row, int64_t count) { exponentiateRow(row, count); });
      if (wantHidden) {
        gemm(false, false, N, E, words, e, head.weight + first, part.data_ptr<float>(), false);
        addScaledRows(part.data_ptr<float>(), factors, N, E, dHidden.data_ptr<float>());
      }
      if (wantWeight) {
        scaleRows(head.hidden, factors, N, E, scaled.data_ptr<float>());
        gemm(true, false, words, E, N, e, scaled.data_ptr<float>(), dWeight.data_ptr<float>() + first, false);
      }
    }
    const float* byRow = g.data_ptr<float>();
    for (int64_t i = 0; i < N; ++i) {  // one after the other: rows may have the same target
      if (wantHidden) addRow(head.weight + targets[i] * E, byRow[i], E, dHidden.data_ptr<float>() + i * E);
      if (wantWeight) addRow(head.hidden + i * E, byRow[i], E, dWeight.data_ptr<float>() + targets[i] * E);
    }
    return {dHidden, dWeight, Variable(), Variable()};
  }
};

Tensor targetLogProb(const Tensor& hidden, const Tensor& weight, const Tensor& targets) {
  if (half::readsOut(hidden, weight)) return half::targetLogProb(hidden, weight, targets);
  if (!hasKernels(hidden)) return lean::targetLogProb(hidden, weight, targets);
  const bool differentiable = at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  return TargetLogProb::apply(hidden.contiguous(), weight.contiguous(), targets, differentiable);
}

// Two blocks of a row as one.
EntropySums join(const EntropySums& a, const EntropySums& b) {
  const float most = std::max(a.most, b.most), down = a.most - most, up = b.most - most, p = std::exp(down),
              q = std::exp(up);
  return {most, p * a.total + q * b.total, p * (a.weighted + down * a.total) + q * (b.weighted + up * b.total)};
}

Tensor nextTokenEntropy(const Tensor& hidden, const Tensor& weight) {
  if (half::readsOut(hidden, weight)) return half::nextTokenEntropy(hidden, weight);
  if (!hasKernels(hidden)) return lean::nextTokenEntropy(hidden, weight);
  const at::NoGradGuard guard;
  check(hidden, weight);
  const Tensor rows = hidden.contiguous(), words = weight.contiguous();
  const Head head(rows, words);
  std::vector<EntropySums> sums(head.N);
  Tensor entropy = at::empty({head.N}, rows.options()), piece;
  for (int64_t block = 0; block < head.blocks; ++block)
    forPieces(head, block, nullptr, piece, [&](int64_t i, const float* row, int64_t count) {
      const EntropySums found = entropySums(row, count);
      sums[i] = block == 0 ? found : join(sums[i], found);
    });
  float* to = entropy.data_ptr<float>();
  for (int64_t i = 0; i < head.N; ++i) to[i] = entropyOf(sums[i]);
  return entropy;
}

}  // namespace
}  // namespace looprpt

TORCH_LIBRARY_FRAGMENT(looprpt, m) {
  m.def("target_log_prob(Tensor hidden, Tensor weight, Tensor targets) -> Tensor", looprpt::targetLogProb);
  m.def("next_token_entropy(Tensor hidden, Tensor weight) -> Tensor", looprpt::nextTokenEntropy);
}
