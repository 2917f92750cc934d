/**
 * One training step by parts of the algorithm, measured from outside: methods of the trainer's objects are wrapped for one step
 * and put back, so that training itself knows nothing of it.
 *
 * Rollouts begin with their first noise and end when exits are sampled. What is left over (read-outs, rewards, advantages,
 * losses, logging, the batch's way to the device) is "losses and read-outs".
 */
import assert from 'node:assert/strict';
import { watchNative } from '@looprpt/engine';
import { exploration } from 'looprpt/internal/objectives/looprpt/rollouts.js';
import type { Trainer } from 'looprpt/internal/train/trainer.js';
import type { PartTime } from './protocol.js';

export const PARTS = [
  'teacher pass',
  'clean pass',
  'rollouts',
  'losses and read-outs',
  'backward',
  'optimizer',
  'EMA teacher',
] as const;
export type Part = (typeof PARTS)[number];

const REST: Part = 'losses and read-outs';

/** Shares out time: the running part is charged, one inside another stops the outer one. */
class PartClock {
  readonly #times = new Map<Part, { seconds: number; native: number }>(
    PARTS.map((part) => [part, { seconds: 0, native: 0 }]),
  );
  readonly #stack: Part[] = [REST];
  #since = performance.now();

  get running(): Part {
    return this.#stack.at(-1)!;
  }

  begin(part: Part): void {
    this.#charge();
    this.#stack.push(part);
  }

  end(): void {
    this.#charge();
    this.#stack.pop();
    assert(this.#stack.length > 0);
  }

  during<T>(part: Part, body: () => T): T {
    this.begin(part);
    const result = body();
    this.end();
    return result;
  }

  /** A call into the addon that has just ended, within the running part; a backward pass is a part of its own. */
  native(entry: string, milliseconds: number): void {
    const part = entry === 'backward' ? 'backward' : this.running;
    const seconds = milliseconds / 1000;
    this.#times.get(part)!.native += seconds;
    if (part === this.running) return;
    this.#times.get(part)!.seconds += seconds;
    this.#times.get(this.running)!.seconds -= seconds;
  }

  times(): PartTime[] {
    this.#charge();
    assert(this.#stack.length === 1, 'a part has not ended');
    return PARTS.map((part) => ({ part, ...this.#times.get(part)! }));
  }

  #charge(): void {
    const now = performance.now();
    this.#times.get(this.running)!.seconds += (now - this.#since) / 1000;
    this.#since = now;
  }
}

type Method = (...args: never[]) => unknown;

/** Replaces a method of one object, or of all objects of a prototype; returns how to put it back. */
function wrap<K extends string>(
  target: Record<K, Method>,
  name: K,
  around: (call: () => unknown) => unknown,
): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const original = target[name];
  Object.defineProperty(target, name, {
    configurable: true,
    writable: true,
    value(this: unknown, ...args: never[]) {
      return around(() => original.apply(this, args));
    },
  });
  return () => {
    if (own) Object.defineProperty(target, name, own);
    else Reflect.deleteProperty(target, name);
  };
}

/** Runs one step of the trainer. @returns every part, those that the objective has not with 0 */
export function profileParts(trainer: Trainer, step: () => void): PartTime[] {
  const clock = new PartClock();
  const { student, teacher, optimizer } = trainer;
  const as = (part: Part) => (call: () => unknown) => clock.during(part, call);
  const inRollouts = (): boolean => clock.running === 'rollouts';
  const restore = [
    wrap(student, 'states', (call) => (inRollouts() ? call() : clock.during('clean pass', call))),
    wrap(optimizer, 'gradientNorm', as('optimizer')),
    wrap(optimizer, 'step', as('optimizer')),
    wrap(exploration, 'run', as('rollouts')),
    ...(teacher
      ? [
          wrap(
            teacher.during((model) => model),
            'states',
            as('teacher pass'),
          ),
          wrap(teacher, 'update', as('EMA teacher')),
        ]
      : []),
  ];
  try {
    watchNative((entry, milliseconds) => clock.native(entry, milliseconds), step);
    return clock.times();
  } finally {
    for (const undo of restore) undo();
  }
}
