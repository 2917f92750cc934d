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

type Scope = Set<NativeTensor>;

let current: Scope | undefined;

interface Collected {
  handle: Handle;
  bytes: number;
}
const collector = new FinalizationRegistry<Collected>(({ handle, bytes }) => {
  native.release(handle);
  native.adjustExternalMemory(-bytes);
});

/** Owner of one native handle; `Tensor` adds everything else. */
export class NativeTensor implements Disposable {
  /** 0 once disposed of. */
  handle: Handle;
  #scope: Scope | undefined;
  #collectedBytes = -1;

  constructor(handle: Handle) {
    this.handle = handle;
    this.#enter(current);
  }

  #enter(scope: Scope | undefined): void {
    this.#scope = scope;
    if (scope) {
      scope.add(this);
    } else {
      this.#collectedBytes = native.storageBytes(this.handle);
      native.adjustExternalMemory(this.#collectedBytes);
      collector.register(this, { handle: this.handle, bytes: this.#collectedBytes }, this);
    }
  }

  #leave(): void {
    this.#scope?.delete(this);
    this.#scope = undefined;
    if (this.#collectedBytes >= 0) {
      collector.unregister(this);
      native.adjustExternalMemory(-this.#collectedBytes);
      this.#collectedBytes = -1;
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

  /** Hands the tensor to another scope; for `scope` itself. */
  moveTo(scope: Scope | undefined): void {
    this.#leave();
    this.#enter(scope);
  }

  /** Forgets the handle without the bookkeeping of its scope, which is being emptied as a whole. */
  releaseFromScope(): void {
    native.release(this.handle);
    this.handle = 0;
    this.#scope = undefined;
  }
}

/** Tensors in a value: the value itself, or elements of arrays, maps and plain objects, however deep. */
export function tensorsIn(value: unknown, found: Set<NativeTensor> = new Set()): Set<NativeTensor> {
  if (value instanceof NativeTensor) {
    found.add(value);
  } else if (Array.isArray(value)) {
    for (const element of value) tensorsIn(element, found);
  } else if (value instanceof Map) {
    for (const element of value.values()) tensorsIn(element, found);
  } else if (typeof value === 'object' && value !== null) {
    const prototype = Object.getPrototypeOf(value) as unknown;
    if (prototype === Object.prototype || prototype === null) {
      for (const element of Object.values(value)) tensorsIn(element, found);
    }
  }
  return found;
}

/**
 * Runs `body` and frees every tensor that it made, except those in its result.
 *
 * @example
 * const loss = scope(() => model.forward(batch).loss);
 */
export function scope<T>(body: () => T): T {
  const outer = current;
  const inner: Scope = new Set();
  current = inner;
  try {
    const result = body();
    assert(!(result instanceof Promise), 'scope() is synchronous: a promise cannot be awaited inside');
    for (const tensor of tensorsIn(result)) if (inner.has(tensor)) tensor.moveTo(outer);
    return result;
  } finally {
    current = outer;
    for (const tensor of inner) tensor.releaseFromScope();
  }
}

/** How many native tensors this thread's JavaScript holds. Tests assert that work leaves it as it was. */
export function liveTensors(): number {
  return native.liveTensors();
}
