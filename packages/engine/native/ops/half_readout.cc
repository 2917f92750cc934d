// The LM head's read-outs in bfloat16 on the CPU (half_readout.h): libtorch's products, one pass over the logits of
// each row, sums and results in float32.
//
// Logits are bfloat16, as the products leave them, and are kept for the backward pass where they are small. d(logits) =
// g (onehot − e^(l − log Σ e^l)) is made block of words by block of words, each for all rows: a block's d(W) is then
// one product whose sum over the rows is float32, and what is added up between blocks is d(H) alone, the smaller of the
// two.
#include "half_readout.h"

#include "readout_rows.h"

namespace looprpt {
namespace half {
namespace {

constexpr int64_t kChunkElements = 16 << 20;  // logits at a time, 32 MiB
constexpr int64_t kKeptElements = 128 << 20;  // logits kept for the backward pass, a quarter of a GiB
constexpr int64_t kBlockElements = 4 << 20;   // d(logits) at a time, 8 MiB
constexpr int64_t kLeastWords = 512;          // of a block
constexpr int64_t kGrain = 8;                 // rows

int64_t rowsTogether(int64_t V) { return std::max<int64_t>(64, kChunkElements / V); }

// body(i, logits of row i) for all rows; they lie in `kept`, or where that is undefined, in pieces.
template <typename Body>
void forRows(const Tensor& hidden, const Tensor& weight, const Tensor& kept, const Body& body) {
  const int64_t N = hidden.size(0), V = weight.size(0), most = std::min(N, rowsTogether(V));
  const Tensor piece = kept.defined() ? Tensor() : at::empty({most, V}, hidden.options());
  const Tensor words = weight.t();
  for (int64_t from = 0; from < N; from += most) {
    const int64_t n = std::min(most, N - from);
    Tensor logits = kept.defined() ? kept.narrow(0, from, n) : piece.narrow(0, 0, n);
    at::mm_out(logits, hidden.narrow(0, from, n), words);
    const BFloat16* rows = logits.data_ptr<BFloat16>();
    at::parallel_for(0, n, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(from + i, rows + i * V);
    });
  }
}

struct Saved {
  Tensor hidden, weight, targets;
  Tensor logSum;  // [N] float32
  Tensor logits;  // [N, V]; empty where they are made again
  auto fields() { return std::tie(hidden, weight, targets, logSum, logits); }
};

struct TargetLogProb : Function<TargetLogProb> {
  static Variable forward(AutogradContext* ctx, const Variable& hidden, const Variable& weight, const Variable& targets,
                          bool differentiable) {
    const int64_t N = hidden.size(0), V = weight.size(0);
    TORCH_CHECK(hidden.size(1) == weight.size(1) && V > 0, "tensors [N, E] and [V, E] are needed, not ", hidden.sizes(),
                " and ", weight.sizes());
    TORCH_CHECK(targets.scalar_type() == at::kLong && targets.is_contiguous() && targets.numel() == N,
                "targets must be int64 [N]");
    const int64_t* chosen = targets.data_ptr<int64_t>();
    for (int64_t i = 0; i < N; ++i)
      TORCH_CHECK(chosen[i] >= 0 && chosen[i] < V, "target ", chosen[i], " is out of bounds: the vocabulary has ", V);
    const bool keep = differentiable && N * V <= kKeptElements;
    const Tensor kept = keep ? at::empty({N, V}, hidden.options()) : Tensor();
    const auto wide = hidden.options().dtype(at::kFloat);
    Tensor logProb = at::empty({N}, wide), logSum = at::empty({N}, wide);
    float *to = logProb.data_ptr<float>(), *sums = logSum.data_ptr<float>();
    forRows(hidden, weight, kept, [&](int64_t i, const BFloat16* row) {
      sums[i] = logSumExp(row, V);
      to[i] = static_cast<float>(row[chosen[i]]) - sums[i];
    });
    save(ctx, Saved{hidden, weight, targets, logSum, keep ? kept : at::empty({0}, hidden.options())});
    return logProb;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuseSecondDerivative("target_log_prob");
    const auto [hidden, weight, targets, logSum, logits] = savedIn<Saved>(ctx);
    const int64_t N = hidden.size(0), V = weight.size(0), width = blockWidth(N, V);
    const Tensor g = gradients[0].contiguous(), block = at::empty({N * width}, hidden.options());
    const bool isKept = logits.numel() > 0;
    Tensor dHidden, dWeight = ctx->needs_input_grad(1) ? at::empty_like(weight) : Tensor();
    for (int64_t first = 0; first < V; first += width) {
      const int64_t words = std::min(width, V - first);
      Tensor d = block.narrow(0, 0, N * words).view({N, words});
      const Tensor rows = weight.narrow(0, first, words);
      if (!isKept) at::mm_out(d, hidden, rows.t());
      const BFloat16* from = isKept ? logits.data_ptr<BFloat16>() + first : d.data_ptr<BFloat16>();
      differentiate({from, isKept ? V : words}, {first, words}, targets, logSum, g, d);
      if (ctx->needs_input_grad(0)) {
        const Tensor part = at::mm(d, rows);
        if (words == V)
          dHidden = part;
        else if (!dHidden.defined())
          dHidden = part.to(at::kFloat);
        else
          dHidden.add_(part);
      }
      if (dWeight.defined()) {
        Tensor into = dWeight.narrow(0, first, words);
        at::mm_out(into, d.t(), hidden);
      }
    }
    if (dHidden.defined()) dHidden = dHidden.to(hidden.scalar_type());
    return {dHidden, dWeight, Variable(), Variable()};
  }

 private:
  struct Logits {
    const BFloat16* data;
    int64_t stride;
  };
  struct Words {
    int64_t first, count;
  };

  static int64_t blockWidth(int64_t N, int64_t V) {
    const int64_t most = std::max<int64_t>(kLeastWords, kBlockElements / std::max<int64_t>(1, N));
    const int64_t blocks = (V + most - 1) / most;
    return (V + blocks - 1) / blocks;
  }

  // d [N, words] = g (onehot − e^(l − logSum)); logits may lie in d itself
  static void differentiate(Logits logits, Words words, const Tensor& targets, const Tensor& logSum, const Tensor& g,
                            const Tensor& d) {
    const int64_t* chosen = targets.data_ptr<int64_t>();
    const float *sums = logSum.data_ptr<float>(), *byRow = g.data_ptr<float>();
    BFloat16* to = d.data_ptr<BFloat16>();
    at::parallel_for(0, d.size(0), kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const BFloat16* from = logits.data + i * logits.stride;
        BFloat16* row = to + i * words.count;
        const int64_t word = chosen[i] - words.first;
        const bool isHere = word >= 0 && word < words.count;
        const float one = isHere ? byRow[i] * (1 - std::exp(static_cast<float>(from[word]) - sums[i])) : 0;
        simd::overLanes(words.count, [&](int64_t j, auto lanes) {
          simd::store(row + j, -byRow[i] * simd::exp(simd::load(from + j, lanes) - sums[i]), lanes);
        });
        if (isHere) row[word] = one;
      }
    });
  }
};

}  // namespace

Tensor targetLogProb(const Tensor& hidden, const Tensor& weight, const Tensor& targets) {
  const bool differentiable = at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  return TargetLogProb::apply(hidden.contiguous(), weight.contiguous(), targets, differentiable);
}

Tensor nextTokenEntropy(const Tensor& hidden, const Tensor& weight) {
  const at::NoGradGuard guard;
  Tensor entropy = at::empty({hidden.size(0)}, hidden.options().dtype(at::kFloat));
  float* to = entropy.data_ptr<float>();
  const int64_t V = weight.size(0);
  forRows(hidden.contiguous(), weight.contiguous(), Tensor(),
          [&](int64_t i, const BFloat16* row) { to[i] = entropyOf(entropySums(row, V)); });
  return entropy;
}

}  // namespace half
}  // namespace looprpt
