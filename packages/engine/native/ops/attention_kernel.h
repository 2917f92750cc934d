// Causal attention with rotary embedding over rows of joined q, k and v, on the CPU: forward and backward. The rows are
// float32 or bfloat16 (Element); scores and sums are float32.
//
// Nothing is transposed or masked outside: a query sees the keys first..last of its own row of the batch, so what lies
// outside is never computed. Scores exist for one block of queries at a time; the backward pass makes them again from
// the saved log-sum-exp. Work is shared out by (row, key head).
//
// Shapes: B rows, C queries, S keys, H query heads, G key heads, D head size, P = D/2.
#pragma once

#include <cstdint>

#include "rotation.h"

namespace looprpt {

// One operand: element (b, s, head, d) is at data[b·batchStride + s·placeStride + head·D + d].
template <typename Element>
struct Rows {
  const Element* data;
  int64_t batchStride;
  int64_t placeStride;
};
template <typename Element>
struct MutableRows {
  Element* data;
  int64_t batchStride;
  int64_t placeStride;
};

// What does not depend on the dtype of the rows.
struct AttentionShape {
  int64_t B, C, S, H, G, D;
  Rope queryRope, keyRope;
  // [B, C] or null. last: the place of each query among the keys (null: its own index); first: the first key it sees
  // (null: 0).
  const int64_t* last;
  const int64_t* first;
  int64_t window;  // keys that a query sees at most, itself included; 0: all
};

template <typename Element>
struct AttentionProblem : AttentionShape {
  Rows<Element> q, k, v;
};

// out [B, C, H·D]; logSumExp [B, H, C] for the backward pass.
template <typename Element>
void attentionForward(const AttentionProblem<Element>& problem, Element* out, float* logSumExp);

// Gradients from dOut [B, C, H·D]. dk.data and dv.data may be null: keys and values are constants then.
template <typename Element>
void attentionBackward(const AttentionProblem<Element>& problem, const Element* out, const float* logSumExp,
                       const Element* dOut, MutableRows<Element> dq, MutableRows<Element> dk, MutableRows<Element> dv);

}  // namespace looprpt
