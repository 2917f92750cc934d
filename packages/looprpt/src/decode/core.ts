/**
 * The depth-adaptive batched decoder, pass by pass. A pass advances every active sequence by one loop, at whatever loop it
 * stands; those whose exit rule says so are read out and sampled, and start their next token in the next pass.
 *
 * Synchronous and without a clock: decoder.ts drives it. Between passes the states of the rows under way are its only tensors
 * besides the cache's. Invariants: a sequence holds its pages from admission to its last event; when all have ended, only
 * beginnings of prompts are left, for as long as nothing else wants their pages; each sequence has its own random stream; with `reproducible` on the CPU in float32 what a sequence yields has the
 * same bits whatever else is in the passes.
 *
 * Shapes: N rows of a pass, E hidden, V vocabulary.
 */
import { elementBytes, noGrad, scope, type Tensor, tensor } from '@looprpt/engine';
import { z } from 'zod';
import { UserError } from '../base/user-error.js';
import { type ExitDecision, type SignalRule, signalOf } from '../model/exit-rule.js';
import { confidence, entropy, relativeChange } from '../model/exit-signal.js';
import type { LoopLM } from '../model/loop-lm.js';
import { cachePolicyConfig, pageNeed } from './cache-policy.js';
import { KVMemory } from './kv-memory.js';
import { PagePool } from './page-pool.js';
import { PrefixCache } from './prefix-cache.js';
import type { DecodeRequest, TokenEvent } from './request.js';
import { type Outcome, type PassRow, Scheduler } from './scheduler.js';
import { Sequence } from './sequence.js';
import { SequenceSlots } from './sequence-slots.js';
import { Step } from './step.js';
import { chooseTokens, readTokens } from './token-choice.js';

export const decoderConfig = z.strictObject({
  maxSequences: z.int().min(1).default(32).describe('sequences that run at once; more wait'),
  maxLength: z.int().min(1).default(2048).describe('most tokens of a sequence, prompt and text together'),
  pageSize: z.int().min(1).default(16).describe('tokens of a cache page, which holds one loop of them'),
  pages: z.int().min(1).optional().describe('cache pages; by default enough for all sequences at half of maxLength'),
  prefillRows: z.int().min(1).default(64).describe('most prompt tokens that share a pass with decoding'),
  cache: cachePolicyConfig.prefault({}),
  prefixReuse: z
    .boolean()
    .default(true)
    .describe('prompts that begin alike are read once as long as the cache has room; with a slot for every loop only'),
  reproducible: z
    .boolean()
    .default(true)
    .describe(
      'products row by row, so that a seed gives the same text whatever else is in the batch, to the last bit (float32 on the ' +
        "CPU, with a second copy of the weights; elsewhere a sequence's numbers can change in their last bits with its " +
        "company). false: the library's general product, whose additions are ordered by the shape of the batch",
    ),
});

export type DecoderConfig = z.output<typeof decoderConfig>;

export class DecoderCore implements Disposable {
  readonly config: DecoderConfig;
  readonly pool: PagePool;
  readonly #model: LoopLM;
  readonly #memory: KVMemory;
  readonly #step: Step;
  readonly #scheduler: Scheduler<Sequence>;
  readonly #prefixes: PrefixCache;
  readonly #decisions = new Map<Sequence, Map<number, ExitDecision>>();
  #stateNE: Tensor | null = null;

  constructor(model: LoopLM, options: z.input<typeof decoderConfig> = {}) {
    this.config = decoderConfig.parse(options);
    const { maxSequences, maxLength, pageSize, prefillRows, reproducible } = this.config;
    const pages = this.config.pages ?? defaultPages(this.config, model.config.loops);
    this.#model = model;
    this.pool = new PagePool(pages, pageSize);
    this.#prefixes = new PrefixCache(this.pool);
    this.#memory = new KVMemory(model.config, { slots: pages * pageSize, dtype: model.dtype, device: model.device });
    this.#step = new Step(model, this.#memory, { places: maxLength, reproducible });
    this.#scheduler = new Scheduler({ maxSequences, prefillRows, admit: (sequence) => this.#admit(sequence) });
  }

  /** Bytes of keys and values. */
  get cacheBytes(): number {
    const { config, dtype } = this.#model;
    return this.#memory.slots * KVMemory.bytesPerSlot(config, elementBytes(dtype));
  }
  /** Pages that hold beginnings of prompts for requests to come; free for any other use. */
  get prefixPages(): number {
    return this.#prefixes.idlePages;
  }
  get waiting(): number {
    return this.#scheduler.waiting;
  }
  get running(): number {
    return this.#scheduler.running;
  }

  /** Puts a request in the queue. @throws UserError for one that can never run */
  add(request: DecodeRequest): Sequence {
    const { maxLength } = this.config;
    const sequence = new Sequence(request, this.#model.config);
    const length = sequence.size.capacity + 1;
    if (length > maxLength)
      throw new UserError(`prompt and max tokens come to ${length} tokens; this decoder takes ${maxLength} at most`);
    const need = this.#pageNeed(sequence);
    if (need > this.pool.pages)
      throw new UserError(
        `the request needs ${need} cache pages, the decoder has ${this.pool.pages}: ask for fewer tokens`,
      );
    this.#scheduler.add(sequence);
    return sequence;
  }

  /** Ends a sequence now and frees its pages; null if it had ended before. */
  cancel(sequence: Sequence): TokenEvent | null {
    if (sequence.finish !== null) return null;
    const event = sequence.cancel();
    this.#end(sequence);
    return event;
  }

  /** Runs one pass. @returns every token that it completed; null when there was nothing to run */
  pass(): { rows: number; events: [Sequence, TokenEvent][] } | null {
    const rows = this.#scheduler.plan();
    if (rows.length === 0) return null;
    const { stateNE, outcomes, tokens } = noGrad(() => scope(() => this.#compute(rows)));
    this.#stateNE?.dispose();
    this.#stateNE = stateNE;
    rows.forEach(({ job, position, loop }, n) => {
      if (outcomes[n]!.ends) job.slots!.leave(position, loop);
      if (outcomes[n]!.exits) this.#decisions.get(job)!.delete(position);
    });
    const settled = this.#scheduler.settle(rows, outcomes);
    for (const sequence of settled.prompts) this.#promptRead(sequence);
    const events = tokens.map(([sequence, choice]): [Sequence, TokenEvent] => [sequence, sequence.take(choice)]);
    for (const [sequence] of events) if (sequence.finish !== null) this.#end(sequence);
    return { rows: rows.length, events };
  }

  [Symbol.dispose](): void {
    this.#stateNE?.dispose();
    this.#step[Symbol.dispose]();
    this.#memory[Symbol.dispose]();
  }

  #admit(sequence: Sequence): boolean {
    const { cache } = this.config;
    // What was read before has left keys and values, but no states to score the tokens after it.
    const reuses = this.#reusesPrefixes && !sequence.scoresPrompt;
    const begun = reuses ? this.#prefixes.find(this.#prefixMode(sequence), promptOf(sequence)) : [];
    for (const { pages } of begun) this.pool.share(pages);
    this.#prefixes.makeRoom(this.#pageNeed(sequence) - begun.length * sequence.size.loops);
    sequence.slots = SequenceSlots.reserve(this.pool, cache, sequence.size, begun);
    if (sequence.slots) this.#decisions.set(sequence, new Map());
    else for (const { pages } of begun) this.pool.give(pages);
    return sequence.slots !== null;
  }

  #promptRead(sequence: Sequence): void {
    const slots = sequence.slots!;
    noGrad(() => this.#memory.copy(slots.endPrefill()));
    if (!this.#reusesPrefixes) return;
    this.#prefixes.add(this.#prefixMode(sequence), promptOf(sequence), (index) => slots.block(index));
  }

  get #reusesPrefixes(): boolean {
    return this.config.prefixReuse && this.config.cache.decode !== 'last';
  }

  /** Prompts are the same only if they were read in the same way. */
  #prefixMode({ size, exit }: Sequence): string {
    return `${size.loops} loops, ${this.config.cache.prefill === 'all' ? 'all' : JSON.stringify(exit)}`;
  }

  #pageNeed({ size }: Sequence): number {
    return pageNeed(this.config.cache, (tokens) => this.pool.pagesFor(tokens), size);
  }

  #end(sequence: Sequence): void {
    this.#scheduler.remove(sequence);
    this.#decisions.delete(sequence);
    sequence.slots?.release();
    sequence.slots = null;
  }

  #compute(rows: readonly PassRow<Sequence>[]) {
    const stepRows = rows.map(({ job, position, loop, source }) => {
      const slots = job.slots!;
      return { id: job.ids[position]!, position, source, slot: slots.slot(position, loop), line: slots.line(loop) };
    });
    const stateNE = this.#step.run(stepRows, this.#stateNE);
    const signals = this.#signals(rows, stateNE);
    const outcomes = rows.map((row, n) => this.#outcome(row, signals[n]!));
    this.#readPrompts(rows, outcomes, stateNE);
    const read = [...rows.keys()].filter((n) => outcomes[n]!.exits && !rows[n]!.isPrompt);
    if (read.length === 0) return { stateNE: stateNE.persist(), outcomes, tokens: [] };
    const readRows = read.map((n) => ({ sequence: rows[n]!.job, loop: rows[n]!.loop + 1 }));
    const choices = chooseTokens(readRows, this.#logits(stateNE, read));
    const tokens = readRows.map(({ sequence }, m) => [sequence, choices[m]!] as const);
    return { stateNE: stateNE.persist(), outcomes, tokens };
  }

  /** Scores the tokens that follow prompt tokens which leave, where that is wanted; within a prompt they leave in any order. */
  #readPrompts(rows: readonly PassRow<Sequence>[], outcomes: readonly Outcome[], stateNE: Tensor): void {
    const read = [...rows.keys()].filter((n) => outcomes[n]!.exits && rows[n]!.isPrompt && rows[n]!.job.scoresPrompt);
    if (read.length === 0) return;
    const wanted = read.map((n) => {
      const { job, position, loop } = rows[n]!;
      return { id: job.ids[position + 1]!, loop: loop + 1, top: job.request.promptLogProbs! };
    });
    const tokens = readTokens(wanted, this.#logits(stateNE, read));
    for (const [m, n] of read.entries()) rows[n]!.job.readPrompt(rows[n]!.position + 1, tokens[m]!);
  }

  #outcome(row: PassRow<Sequence>, signal: number): Outcome {
    const { job, loop, isOwed } = row;
    const isLast = loop + 1 === job.size.loops;
    if (isOwed || this.#runsAll(row)) return { exits: isLast && !isOwed, ends: isLast };
    const exits = this.#decision(row).leaves(loop + 1, signal);
    return { exits, ends: this.config.cache.decode === 'complete' ? isLast : exits };
  }

  #decision({ job, position }: PassRow<Sequence>): ExitDecision {
    const decisions = this.#decisions.get(job)!;
    let decision = decisions.get(position);
    if (!decision) {
      decision = job.decisionAt(position);
      decisions.set(position, decision);
    }
    return decision;
  }

  /** Whether the exit rule is not asked, because it is a token of a prompt whose tokens run all loops. */
  #runsAll({ isPrompt }: PassRow<Sequence>): boolean {
    return isPrompt && this.config.cache.prefill === 'all';
  }

  /** By row what its exit rule looks at, for the gate its logit; 0 where it looks at nothing. */
  #signals(rows: readonly PassRow<Sequence>[], stateNE: Tensor): Float64Array {
    const signals = new Float64Array(rows.length);
    const wanted = rows.map((row) => {
      const isSettled = row.isOwed || row.loop + 1 === row.job.size.loops || this.#runsAll(row);
      return isSettled ? null : signalOf(row.job.exit);
    });
    for (const rule of new Set(wanted)) {
      if (rule === null) continue;
      const which = [...wanted.keys()].filter((n) => wanted[n] === rule);
      const numbers = this.#signalsOf(rule, rows, which, stateNE);
      which.forEach((n, i) => {
        signals[n] = numbers[i]!;
      });
    }
    return signals;
  }

  #signalsOf(
    rule: SignalRule,
    rows: readonly PassRow<Sequence>[],
    which: readonly number[],
    stateNE: Tensor,
  ): ArrayLike<number> {
    switch (rule) {
      case 'gate': {
        // One number a row: to leave some out would cost more than to ask for all.
        const { gateWeight, gateBias } = this.#model.weights;
        const gateN = this.#step.product(stateNE, gateWeight).add(gateBias).toNumbers();
        return which.map((n) => gateN[n]!);
      }
      case 'hidden-change':
        return relativeChange(this.#rows(stateNE, which), this.#statesBefore(rows, which)).toNumbers();
      case 'confidence':
        return confidence(this.#logits(stateNE, which)).toNumbers();
      case 'entropy':
        return entropy(this.#logits(stateNE, which)).toNumbers();
      default:
        throw rule satisfies never;
    }
  }

  /** States before the loop, which at the first loop are embeddings. */
  #statesBefore(rows: readonly PassRow<Sequence>[], which: readonly number[]): Tensor {
    const stepRows = which.map((n) => {
      const { job, position, source } = rows[n]!;
      return { id: job.ids[position]!, source };
    });
    return this.#step.states(stepRows, this.#stateNE);
  }

  #logits(stateNE: Tensor, which: readonly number[]): Tensor {
    return this.#step.product(this.#rows(stateNE, which), this.#model.weights.head);
  }

  #rows(stateNE: Tensor, which: readonly number[]): Tensor {
    if (which.length === stateNE.size(0)) return stateNE;
    return stateNE.indexSelect(0, tensor([...which], { dtype: 'int64', device: stateNE.device }));
  }
}

function promptOf({ ids, size }: Sequence): number[] {
  return ids.slice(0, size.prompt);
}

/** One sequence of the greatest length always fits, also while its prompt is read. */
function defaultPages({ maxSequences, maxLength, pageSize, cache }: DecoderConfig, loops: number): number {
  const long = Math.ceil(maxLength / pageSize);
  const each = cache.decode === 'last' ? long : loops * long;
  return Math.max(Math.ceil((maxSequences * each) / 2), loops * long);
}
