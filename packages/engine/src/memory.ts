/**
 * Who frees a native tensor.
 *
 * Every tensor made inside `scope(() => …)` belongs to that scope and is freed when it ends, except those in the value
 * that the function returns, which pass to the scope outside. A tensor made outside any scope belongs to whoever holds
 * it: `dispose()` or `using` frees it at once, the garbage collector does if that is forgotten, and is told its size.
 *
 * Invariants: a handle is released exactly once; scopes nest and are synchronous (no `await` inside).
 */
import assert from 'node:assert/strict';
import { type Handle, native } from './native.js';

/** The tensors that a scope will free, each at the index that it knows itself. */
type Scope = NativeTensor[];

let current: Scope | undefined;
/** The scope around all others that are open. */
let outermost: Scope | undefined;

interface Unscoped {
  handle: Handle;
  bytes: number;
}
const collector = new FinalizationRegistry<Unscoped>(({ handle, bytes }) => {
  native.release(handle);
  claim(-bytes);
});

let claimed = 0;
let told = 0;
/** The garbage collector hears of changes in steps of this many bytes: telling it of each tensor would take longer. */
const STEP_BYTES = 1 << 20;

function claim(bytes: number): void {
  claimed += bytes;
  if (Math.abs(claimed - told) < STEP_BYTES) return;
  native.adjustExternalMemory(claimed - told);
  told = claimed;
}

/** Bytes of the tensors outside scopes, which the garbage collector takes into account. */
export function claimedBytes(): number {
  return claimed;
}

/** Owner of one native handle; `Tensor` adds everything else. */
export class NativeTensor implements Disposable {
  /** 0 once disposed of. */
  handle: Handle;
  #scope: Scope | undefined;
  #index = 0;
  #claimed = 0;

  constructor(handle: Handle) {
    this.handle = handle;
    this.#enter(current);
  }

  #enter(scope: Scope | undefined): void {
    this.#scope = scope;
    if (scope) {
      this.#index = scope.push(this) - 1;
    } else {
      this.#claimed = native.ownedBytes(this.handle);
      claim(this.#claimed);
      collector.register(this, { handle: this.handle, bytes: this.#claimed }, this);
    }
  }

  #leave(): void {
    if (this.#scope) {
      const last = this.#scope.pop()!;
      if (last !== this) {
        this.#scope[this.#index] = last;
        last.#index = this.#index;
      }
      this.#scope = undefined;
    } else {
      collector.unregister(this);
      claim(-this.#claimed);
    }
  }

  /** Frees the native tensor now. Further use of this object is an error; disposing twice is not. */
  dispose(): void {
    if (this.handle === 0) return;
    this.#leave();
    native.release(this.handle);
    this.handle = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Takes the tensor out of its scope: from here on its holder frees it (parameters, optimizer state, caches). */
  persist(): this {
    if (this.#scope) {
      this.#leave();
      this.#enter(undefined);
    }
    return this;
  }

  /** Passes the tensor to the outermost of the open scopes, if it belongs to one. */
  outlive(): this {
    if (this.#scope && this.#scope !== outermost) {
      this.#leave();
      this.#enter(outermost);
    }
    return this;
  }

  /** Passes the tensor from one scope to another, if it belongs to the first; for `scope` itself. */
  passOn(from: Scope, to: Scope | undefined): void {
    if (this.#scope !== from) return;
    this.#leave();
    this.#enter(to);
  }

  /** Gives up the handle without the bookkeeping of its scope, which is being emptied as a whole. */
  surrender(): Handle {
    const { handle } = this;
    this.handle = 0;
    this.#scope = undefined;
    return handle;
  }
}

/** Calls `visit` on tensors in a value: itself, or in arrays, maps, sets and plain objects, however deep. */
function visitTensors(value: unknown, visit: (tensor: NativeTensor) => void, seen = new Set<object>()): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  if (value instanceof NativeTensor) {
    visit(value);
    return;
  }
  const elements = elementsOf(value);
  if (!elements) return;
  seen.add(value);
  for (const element of elements) visitTensors(element, visit, seen);
}

function elementsOf(value: object): Iterable<unknown> | undefined {
  if (Array.isArray(value) || value instanceof Set) return value as Iterable<unknown>;
  if (value instanceof Map) return value.values();
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.values(value) : undefined;
}

let handles = new Int32Array(1024);

function releaseAll(scope: Scope): void {
  if (handles.length < scope.length) handles = new Int32Array(2 * scope.length);
  for (let i = 0; i < scope.length; i++) handles[i] = scope[i]!.surrender();
  native.releaseAll(handles, scope.length);
}

/**
 * Runs `body` and frees every tensor that it made, except those in its result.
 *
 * @example
 * const loss = scope(() => model.forward(batch).loss);
 */
export function scope<T>(body: () => T): T {
  const outer = current;
  const inner: Scope = [];
  current = inner;
  outermost ??= inner;
  try {
    const result = body();
    assert(!(result instanceof Promise), 'scope() is synchronous: a promise cannot be awaited inside');
    visitTensors(result, (tensor) => tensor.passOn(inner, outer));
    return result;
  } finally {
    current = outer;
    if (outermost === inner) outermost = undefined;
    releaseAll(inner);
  }
}

/** How many native tensors this thread's JavaScript holds. Tests assert that work leaves it as it was. */
export function liveTensors(): number {
  return native.liveTensors();
}
