/**
 * The depth-adaptive batched decoder, pass by pass. A pass advances every active sequence by one loop, at whatever loop it
 * stands; those whose exit rule says so are read out and sampled, and start their next token in the next pass.
 *
 * Synchronous: decoder.ts drives it. It looks at a clock only to learn what rows cost where a sequence speculates, which decides on
 * the time that a text takes and never on the text. Between passes the states of tokens under way are its only tensors besides the
 * cache's. Invariants: a sequence holds its pages from admission to its last event; when all have ended, only beginnings of prompts
 * are left, for as long as nothing else wants their pages; each sequence has its own random numbers; with `reproducible` on the CPU
 * in float32 what a sequence yields has the same bits whatever else is in the passes.
 *
 * Shapes: N rows of a pass, E hidden, V vocabulary.
 */
import { elementBytes, noGrad, scope, type Tensor } from '@looprpt/engine';
import { z } from 'zod';
import { UserError } from '../base/user-error.js';
import type { LoopLM } from '../model/loop-lm.js';
import { hasPagedAttention } from '../model/operators.js';
import { cachePolicyConfig, pageNeed } from './cache-policy.js';
import { Drafts } from './drafts.js';
import { Exits } from './exits.js';
import { KeptStates } from './kept-states.js';
import { KVMemory } from './kv-memory.js';
import { PagePool } from './page-pool.js';
import { PrefixCache } from './prefix-cache.js';
import { choicesOf, scorePrompts, wantedFirst } from './read-off.js';
import type { DecodeRequest, TokenEvent } from './request.js';
import { type PassRow, type Plan, Scheduler } from './scheduler.js';
import { Sequence } from './sequence.js';
import { SequenceSlots, type SlotMoves } from './sequence-slots.js';
import { type DraftCounts, Speculation, speculateConfig } from './speculation.js';
import { Step, type StepRow } from './step.js';
import { beginDrafts, judged } from './verdicts.js';

export const decoderConfig = z.strictObject({
  maxSequences: z.int().min(1).default(32).describe('sequences that run at once; more wait'),
  maxLength: z.int().min(1).default(2048).describe('most tokens of a sequence, prompt and text together'),
  pageSize: z.int().min(1).default(16).describe('tokens of a cache page, which holds one loop of them'),
  pages: z.int().min(1).optional().describe('cache pages; by default enough for all sequences at half of maxLength'),
  prefillRows: z
    .int()
    .min(1)
    .default(64)
    .describe(
      'most prompt tokens that share a pass with decoding, and with the cache `complete` most owed loops of earlier tokens',
    ),
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
  /** The model's bfloat16 weights as they lie, with float32 beside them; ours to free. */
  readonly #view: LoopLM | null;
  readonly #memory: KVMemory;
  readonly #step: Step;
  readonly #exits: Exits;
  readonly #scheduler: Scheduler<Sequence>;
  readonly #prefixes: PrefixCache;
  readonly #speculation: Speculation;
  readonly #kept: KeptStates;
  /** By position, where the states of a sequence's tokens that sit passes out are kept. */
  readonly #places = new Map<Sequence, Map<number, number>>();
  #stateNE: Tensor | null = null;

  constructor(of: LoopLM, options: z.input<typeof decoderConfig> = {}) {
    this.config = decoderConfig.parse(options);
    const { maxSequences, maxLength, pageSize, prefillRows, reproducible, cache } = this.config;
    this.#view = reproducible && readsItsOwnBfloat(of) ? of.readOnly() : null;
    const model = this.#view ?? of;
    const { config, dtype, device, cacheDType } = model;
    const pages = this.config.pages ?? defaultPages(this.config, config.loops);
    this.#model = model;
    this.pool = new PagePool(pages, pageSize);
    this.#prefixes = new PrefixCache(this.pool);
    const paged = hasPagedAttention(model.kernels, model.weights.finalNorm);
    this.#memory = new KVMemory(config, { slots: pages * pageSize, dtype: cacheDType, device, paged });
    this.#step = new Step(model, this.#memory, { places: maxLength, reproducible });
    this.#exits = new Exits(model, this.#step, cache);
    this.#scheduler = new Scheduler({ maxSequences, prefillRows, admit: (sequence) => this.#admit(sequence) });
    this.#speculation = new Speculation(config.loops, () => performance.now());
    this.#kept = new KeptStates({ hidden: config.hiddenSize, dtype, device });
  }

  /** Bytes of keys and values. */
  get cacheBytes(): number {
    const { config, cacheDType } = this.#model;
    return this.#memory.slots * KVMemory.bytesPerSlot(config, elementBytes(cacheDType));
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
  /** Tokens whose states wait for their next loop. */
  get keptStates(): number {
    return this.#kept.size;
  }
  /** Of all requests that speculated. */
  get speculation(): DraftCounts {
    return this.#speculation.counts;
  }

  /** Puts a request in the queue. @throws UserError for one that can never run */
  add(request: DecodeRequest): Sequence {
    const { maxLength } = this.config;
    const sequence = new Sequence(request, this.#model.config);
    if (request.speculate !== undefined) sequence.drafts = this.#draftsOf(sequence);
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
    const plan = this.#scheduler.plan();
    const { kept } = plan;
    if (plan.rows.length === 0) return null;
    const { rows, wanted } = wantedFirst(plan.rows);
    if (kept.length > 0) this.#keep(kept);
    const counts = beginDrafts(plan, this.#speculation);
    const { stateNE, exits, outcomes, tokens } = noGrad(() => scope(() => this.#compute(rows, wanted)));
    this.#stateNE?.dispose();
    this.#stateNE = stateNE;
    rows.forEach(({ job, position, loop, source }, n) => {
      if (exits[n]!.ends) job.slots!.leave(position, loop);
      if (source === 'kept') this.#drop(job, position);
    });
    for (const sequence of this.#scheduler.settle(rows, outcomes)) this.#promptRead(sequence);
    const events = tokens.map(([sequence, choice]): [Sequence, TokenEvent] => [sequence, sequence.take(choice)]);
    for (const [sequence] of events) if (sequence.finish !== null) this.#end(sequence);
    if (counts) this.#speculation.end(events.length);
    return { rows: rows.length, events };
  }

  [Symbol.dispose](): void {
    this.#stateNE?.dispose();
    this.#kept[Symbol.dispose]();
    this.#step[Symbol.dispose]();
    this.#memory[Symbol.dispose]();
    this.#view?.dispose();
  }

  #admit(sequence: Sequence): boolean {
    const { cache } = this.config;
    // What was read before has left keys and values, but no states to score the tokens after it.
    const reuses = this.#reusesPrefixes && !sequence.scoresPrompt;
    const begun = reuses ? this.#prefixes.find(this.#prefixMode(sequence), promptOf(sequence)) : [];
    for (const { pages } of begun) this.pool.share(pages);
    this.#prefixes.makeRoom(this.#pageNeed(sequence) - begun.length * sequence.size.loops);
    sequence.slots = SequenceSlots.reserve(this.pool, cache, sequence.size, begun);
    if (!sequence.slots) for (const { pages } of begun) this.pool.give(pages);
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
    this.#exits.forget(sequence);
    for (const position of [...(this.#places.get(sequence)?.keys() ?? [])]) this.#drop(sequence, position);
    this.#places.delete(sequence);
    sequence.slots?.release();
    sequence.slots = null;
    // What the process does meanwhile is nobody's cost.
    if (this.running === 0) this.#speculation.pause();
  }

  /** @throws UserError where the text of all loops cannot be had by speculation */
  #draftsOf({ request, exit, ids, size }: Sequence): Drafts {
    if (this.config.cache.decode === 'last')
      throw new UserError("speculation needs every loop's keys and values, and the cache `last` keeps those of one");
    if (exit.rule !== 'loops')
      throw new UserError(
        `speculation makes the text of a fixed number of loops: leave out the exit rule "${exit.rule}", or speculation`,
      );
    const settings = speculateConfig.safeParse(request.speculate === true ? {} : request.speculate);
    if (!settings.success) throw new UserError(`speculate: ${settings.error.issues[0]!.message}`);
    const { draftLoops } = settings.data;
    if (draftLoops !== undefined && draftLoops >= size.loops)
      throw new UserError(
        `speculate: draft loops: ${draftLoops} are none before the last, this text runs ${size.loops} loops`,
      );
    return new Drafts(settings.data, this.#speculation, ids.length);
  }

  #keep(kept: Plan<Sequence>['kept']): void {
    const rows = kept.map(({ row }) => row);
    for (const [k, place] of this.#kept.keep(this.#stateNE!, rows).entries()) {
      const { job, position } = kept[k]!;
      const places = this.#places.get(job);
      if (places) places.set(position, place);
      else this.#places.set(job, new Map([[position, place]]));
    }
  }

  #drop(sequence: Sequence, position: number): void {
    const places = this.#places.get(sequence);
    const place = places?.get(position);
    if (place === undefined) return;
    this.#kept.drop(place);
    places!.delete(position);
  }

  /** @param moves gets the keys and values that are copied before the pass writes any */
  #stepRow({ job, position, loop, source }: PassRow<Sequence>, moves: SlotMoves): StepRow {
    const slots = job.slots!;
    slots.fill(position, loop, moves);
    const from =
      source === 'kept' ? { kept: this.#places.get(job)!.get(position)! } : source === null ? null : { row: source };
    return { id: job.idAt(position), position, source: from, slot: slots.slot(position, loop), line: slots.line(loop) };
  }

  #compute(rows: readonly PassRow<Sequence>[], wanted: number) {
    const moves: SlotMoves = { from: [], to: [] };
    const stepRows = rows.map((row) => this.#stepRow(row, moves));
    const sources = { stateNE: this.#stateNE, kept: this.#kept };
    const stateNE = this.#step.run(stepRows, sources, moves, wanted);
    const before = (which: readonly number[]): Tensor =>
      this.#step.states(
        which.map((n) => stepRows[n]!),
        sources,
      );
    const exits = this.#exits.of(rows, { stateNE, before });
    const logitsOf = (read: readonly number[]): Tensor => this.#exits.logits(stateNE, read);
    scorePrompts(rows, exits, logitsOf);
    const choices = choicesOf(rows, exits, logitsOf);
    const { outcomes, tokens } = judged(rows, exits, choices);
    return { stateNE: stateNE.persist(), exits, outcomes, tokens };
  }
}

/** bfloat16 on the CPU, for which there are products row by row. */
function readsItsOwnBfloat({ dtype, device, kernels, stored }: LoopLM): boolean {
  return dtype === 'bfloat16' && device === 'cpu' && kernels === 'fused' && stored === null;
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
