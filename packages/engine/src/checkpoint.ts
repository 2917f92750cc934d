/**
 * Activation checkpoints: a part of a computation whose intermediate results are not kept for the backward pass but made
 * again in it.
 *
 * The part runs without being recorded and its result starts a graph of its own, so that `backward` first ends there; then,
 * from the last checkpoint to the first, each part runs once more, recorded, and the gradient is taken through it to its input.
 * All of that happens on JavaScript's own thread, whatever device the tensors are on: autograd's nodes for a device run on
 * threads that could not call back.
 *
 * Invariants: a part has the same result each time it runs (no random numbers inside), and whatever it reads lives until the
 * backward pass. What is kept here belongs to the outermost scope; a checkpoint is forgotten with it.
 */
import assert from 'node:assert/strict';
import { enableGrad, isGradEnabled, noGrad } from './grad-mode.js';
import { scope } from './memory.js';
import { native } from './native.js';
import { op } from './operator.js';
import type { Tensor } from './tensor.js';

interface Checkpoint {
  /** Where the graph behind the checkpoint begins: its gradient is the result's. */
  leaf: Tensor;
  /** The input with its graph. */
  input: Tensor;
  /** Null where the result is the input itself. */
  body: ((input: Tensor) => Tensor) | null;
}

/** In the order in which they were made, so that each comes after whatever its input depends on. */
let checkpoints: Checkpoint[] = [];
let replaying = false;

/**
 * `body(input)`, of which only the input is kept for the backward pass. Leaves that `body` reads beside it (weights) get their
 * gradients as usual. Where nothing is recorded, or inside another checkpoint's second run, it is a plain call.
 *
 * `input` may be read elsewhere only if its own graph can be run backward twice; `cut` makes sure of it.
 */
export function checkpoint(body: (input: Tensor) => Tensor, input: Tensor): Tensor {
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

function begin(result: Tensor, input: Tensor, body: Checkpoint['body']): Tensor {
  const leaf = result.detach().outlive();
  leaf.requiresGrad = true;
  forgetFreed();
  checkpoints.push({ leaf, input: alias(input).outlive(), body });
  // Readers hold a view of the leaf, whose handle stays here.
  return alias(leaf);
}

function alias(tensor: Tensor): Tensor {
  return op('aten::alias')(tensor);
}

/** Those whose scope has ended without a backward pass. */
function forgetFreed(): void {
  if (checkpoints.some(({ leaf }) => leaf.handle === 0))
    checkpoints = checkpoints.filter(({ leaf }) => leaf.handle !== 0);
}

/** Takes the gradients that a backward pass has left at checkpoints on to where these began; for `backward`. */
export function backwardThroughCheckpoints(retain: boolean): void {
  if (checkpoints.length === 0 || replaying) return;
  forgetFreed();
  const waiting: Checkpoint[] = [];
  replaying = true;
  try {
    for (const checkpoint of checkpoints.splice(0).reverse()) {
      const reached = scope(() => replay(checkpoint, retain));
      if (!reached || retain) {
        waiting.unshift(checkpoint);
      } else {
        checkpoint.leaf.dispose();
        checkpoint.input.dispose();
      }
    }
  } finally {
    replaying = false;
    checkpoints = waiting;
  }
}

/** @returns whether a gradient had come to the checkpoint */
function replay({ leaf, input, body }: Checkpoint, retain: boolean): boolean {
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

export function assertNoCheckpoints(what: string): void {
  forgetFreed();
  assert(checkpoints.length === 0, `${what} does not go through checkpoints; use backward()`);
}
