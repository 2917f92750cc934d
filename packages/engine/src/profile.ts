/**
 * Where the time goes, seen from outside the code that is looked at: by operator of libtorch (`profile`), and by entry point of
 * the addon (`watchNative`). Neither costs anything when it is not in use.
 */
import { native, type OperatorTotal } from './native.js';

export interface OperatorTime {
  /** As libtorch calls it: "aten::mm", "looprpt::attention"; in a backward pass also the steps of it, "MmBackward0". */
  operator: string;
  /** Whether it ran as part of a backward pass. */
  backward: boolean;
  calls: number;
  /** Its own time, without that of the operators that it called. */
  milliseconds: number;
}

/**
 * Self times of the operators that `body` runs on this thread, the longest first. They add up to the time spent in operators;
 * observing costs about a microsecond a call. On a device that works on its own they are times of calls, not of the device.
 *
 * @throws if a profile is being taken already
 */
export function profile(body: () => void): OperatorTime[] {
  native.startProfile();
  let totals: OperatorTotal[] = [];
  try {
    body();
  } finally {
    totals = native.stopProfile();
  }
  return merged(totals).sort((a, b) => b.milliseconds - a.milliseconds);
}

/** Totals of the same readable name together. */
function merged(totals: readonly OperatorTotal[]): OperatorTime[] {
  const byName = new Map<string, OperatorTime>();
  for (const { operator, backward, calls, milliseconds } of totals) {
    const name = readable(operator);
    const key = `${name} ${backward}`;
    const sum = byName.get(key) ?? { operator: name, backward, calls: 0, milliseconds: 0 };
    byName.set(key, { ...sum, calls: sum.calls + calls, milliseconds: sum.milliseconds + milliseconds });
  }
  return [...byName.values()];
}

/** Steps of a backward pass have the names of their C++ classes; the engine's own work around them is one row. */
function readable(operator: string): string {
  if (operator.startsWith('autograd::engine::')) return 'autograd::engine';
  const own = /^torch::autograd::CppNode<(.*)>$/.exec(operator)?.[1];
  return (own ?? operator).replace('(anonymous namespace)::', '').replace('torch::autograd::', '');
}

/** An entry point of the addon: "call" for operators, "backward", "releaseAll", … */
export type NativeEntry = keyof typeof native;

/** Runs `body` and reports how long each call into the addon took; calls do not nest. */
export function watchNative<T>(observe: (entry: NativeEntry, milliseconds: number) => void, body: () => T): T {
  const entries = native as unknown as Record<NativeEntry, (...args: unknown[]) => unknown>;
  const originals = { ...entries };
  for (const name of Object.keys(entries) as NativeEntry[]) {
    const original = entries[name];
    entries[name] = (...args) => {
      const start = performance.now();
      const result = original(...args);
      observe(name, performance.now() - start);
      return result;
    };
  }
  try {
    return body();
  } finally {
    Object.assign(entries, originals);
  }
}
