/**
 * Exit rules at work: what became of the rows of a pass. Asks each row's rule, loop by loop, and remembers what it has heard of a
 * token until that one leaves.
 *
 * Shapes: N rows of a pass, E hidden.
 */
import { gatherRows, type Tensor } from '@looprpt/engine';
import { type ExitDecision, type SignalRule, signalOf } from '../model/exit-rule.js';
import { confidence, entropy, relativeChange } from '../model/exit-signal.js';
import type { LoopLM } from '../model/loop-lm.js';
import type { CachePolicy } from './cache-policy.js';
import type { PassRow } from './scheduler.js';
import type { Sequence } from './sequence.js';
import type { Step } from './step.js';

/** What became of a row's token. */
export interface Exit {
  /** The token after it is read off here; never for one that owes. */
  exits: boolean;
  /** It ran its last loop. */
  ends: boolean;
}

/** The states after a pass, and those before the loop of chosen rows. */
export interface PassStates {
  stateNE: Tensor;
  before: (which: readonly number[]) => Tensor;
}

export class Exits {
  readonly #model: LoopLM;
  readonly #step: Step;
  readonly #cache: CachePolicy;
  readonly #decisions = new Map<Sequence, Map<number, ExitDecision>>();

  constructor(model: LoopLM, step: Step, cache: CachePolicy) {
    this.#model = model;
    this.#step = step;
    this.#cache = cache;
  }

  of(rows: readonly PassRow<Sequence>[], states: PassStates): Exit[] {
    const signals = this.#signals(rows, states);
    return rows.map((row, n) => this.#exit(row, signals[n]!));
  }

  /** The sequence has ended. */
  forget(sequence: Sequence): void {
    this.#decisions.delete(sequence);
  }

  /** The logits of chosen rows. */
  logits(stateNE: Tensor, which: readonly number[]): Tensor {
    return this.#step.product(rowsOf(stateNE, which), this.#model.weights.head);
  }

  #exit(row: PassRow<Sequence>, signal: number): Exit {
    const { job, position, loop } = row;
    const isLast = loop + 1 === job.size.loops;
    if (this.#isSettled(row)) return { exits: isLast && (!row.isOwed || job.drafts !== null), ends: isLast };
    const exits = this.#decision(row).leaves(loop + 1, signal);
    if (exits) this.#decisions.get(job)!.delete(position);
    return { exits, ends: this.#cache.decode === 'complete' ? isLast : exits };
  }

  /** Whether the exit rule is not asked: what owes runs all loops, and so do drafts and, with prefill `all`, tokens of a prompt. */
  #isSettled({ isPrompt, isOwed, job }: PassRow<Sequence>): boolean {
    return isOwed || (isPrompt ? this.#cache.prefill === 'all' : job.drafts !== null);
  }

  #decision({ job, position }: PassRow<Sequence>): ExitDecision {
    let ofJob = this.#decisions.get(job);
    if (!ofJob) {
      ofJob = new Map();
      this.#decisions.set(job, ofJob);
    }
    let decision = ofJob.get(position);
    if (!decision) {
      decision = job.decisionAt(position);
      ofJob.set(position, decision);
    }
    return decision;
  }

  /** By row what its exit rule looks at, for the gate its logit; 0 where it looks at nothing. */
  #signals(rows: readonly PassRow<Sequence>[], states: PassStates): Float64Array {
    const signals = new Float64Array(rows.length);
    const wanted = rows.map((row) =>
      this.#isSettled(row) || row.loop + 1 === row.job.size.loops ? null : signalOf(row.job.exit),
    );
    for (const rule of new Set(wanted)) {
      if (rule === null) continue;
      const which = [...wanted.keys()].filter((n) => wanted[n] === rule);
      const numbers = this.#signalsOf(rule, which, states);
      which.forEach((n, i) => {
        signals[n] = numbers[i]!;
      });
    }
    return signals;
  }

  #signalsOf(rule: SignalRule, which: readonly number[], { stateNE, before }: PassStates): ArrayLike<number> {
    switch (rule) {
      case 'gate': {
        // One number a row: to leave some out would cost more than to ask for all.
        const { gateWeight, gateBias } = this.#model.weights;
        const gateN = this.#step.product(stateNE, gateWeight).add(gateBias).toNumbers();
        return which.map((n) => gateN[n]!);
      }
      case 'hidden-change':
        return relativeChange(rowsOf(stateNE, which), before(which)).toNumbers();
      case 'confidence':
        return confidence(this.logits(stateNE, which)).toNumbers();
      case 'entropy':
        return entropy(this.logits(stateNE, which)).toNumbers();
      default:
        throw rule satisfies never;
    }
  }
}

function rowsOf(stateNE: Tensor, which: readonly number[]): Tensor {
  if (which.length === stateNE.size(0)) return stateNE;
  const from = new Int32Array(2 * which.length);
  which.forEach((n, m) => {
    from[2 * m + 1] = n;
  });
  return gatherRows([stateNE], from, stateNE.dtype);
}
