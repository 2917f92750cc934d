/**
 * Recomputation (activation checkpointing): a part of a computation whose intermediate results are not kept for the backward
 * pass but made again in it.
 *
 * The part runs without being recorded and its result starts a graph of its own, so that `backward` first ends there; then,
 * from the last part to the first, each runs once more, recorded, and the gradient is taken through it to its input.
 * All of that happens on JavaScript's own thread, whatever device the tensors are on: autograd's nodes for a device run on
 * threads that could not call back.
 *
 * Invariants: a part has the same result each time it runs (no random numbers inside), and whatever it reads lives until the
 * backward pass. What is kept here belongs to the outermost scope; a part is forgotten with it.
 */
import assert from 'node:assert/strict';
import { enableGrad, isGradEnabled, noGrad } from './grad-mode.js';
import { scope } from './memory.js';
import { native } from './native.js';
import { op } from './operator.js';
import type { Tensor } from './tensor.js';

interface Part {
  /** Where the graph behind the part begins: its gradient is the result's. */
  leaf: Tensor;
  /** The input with its graph. */
  input: Tensor;
  /** Null where the result is the input itself. */
  body: ((input: Tensor) => Tensor) | null;
}

/** In the order in which they were made, so that each comes after whatever its input depends on. */
let parts: Part[] = [];
let replaying = false;

/**
 * `body(input)`, of which only the input is kept for the backward pass. Leaves that `body` reads beside it (weights) get their
 * gradients as usual. Where nothing is recorded, or inside another part's second run, it is a plain call.
 *
 * `input` may be read elsewhere only if its own graph can be run backward twice; `cut` makes sure of it.
 */
export function recompute(body: (input: Tensor) => Tensor, input: Tensor): Tensor {
  if (!isGradEnabled() || replaying) return body(input);
  return begin(
    noGrad(() => body(input)),
    input,
    body,
  );
}

/** The same values, behind which the graph goes on apart: all that reads them is differentiated before what they come from. */
export function cut(input: Tensor): Tensor {
  return isGradEnabled() && input.requiresGrad && !replaying ? begin(input, input, null) : input;
}

function begin(result: Tensor, input: Tensor, body: Part['body']): Tensor {
  const leaf = result.detach().outlive();
  leaf.requiresGrad = true;
  forgetFreed();
  parts.push({ leaf, input: alias(input).outlive(), body });
  // Readers hold a view of the leaf, whose handle stays here.
  return alias(leaf);
}

function alias(tensor: Tensor): Tensor {
  return op('aten::alias')(tensor);
}

/** Those whose scope has ended without a backward pass. */
function forgetFreed(): void {
  if (parts.some(({ leaf }) => leaf.handle === 0)) parts = parts.filter(({ leaf }) => leaf.handle !== 0);
}

/** Takes the gradients that a backward pass has left at the ends of parts on to where these began; for `backward`. */
export function backwardThroughParts(retain: boolean): void {
  if (parts.length === 0 || replaying) return;
  forgetFreed();
  const waiting: Part[] = [];
  replaying = true;
  try {
    for (const part of parts.splice(0).reverse()) {
      const reached = scope(() => replay(part, retain));
      if (!reached || retain) {
        waiting.unshift(part);
      } else {
        part.leaf.dispose();
        part.input.dispose();
      }
    }
  } finally {
    replaying = false;
    parts = waiting;
  }
}

/** @returns whether a gradient had come to the part's result */
function replay({ leaf, input, body }: Part, retain: boolean): boolean {
  const gradient = leaf.grad;
  if (gradient === null) return false;
  leaf.grad = null;
  const atInput = body === null ? gradient : gradientOf(body, input, gradient);
  if (atInput !== null && input.requiresGrad) native.backward([input.handle], [atInput.handle], retain, false);
  return true;
}

/** Gradients of what `body` reads are accumulated; that of its input is returned, if there is one. */
function gradientOf(body: (input: Tensor) => Tensor, input: Tensor, gradient: Tensor): Tensor | null {
  const start = input.detach();
  start.requiresGrad = input.requiresGrad;
  const result = enableGrad(() => body(start));
  if (!result.requiresGrad) return null;
  native.backward([result.handle], [gradient.handle], false, false);
  return start.grad;
}

export function assertNothingRecomputed(what: string): void {
  forgetFreed();
  assert(parts.length === 0, `${what} does not go through what is recomputed; use backward()`);
}
