/** One sequence's own state: its tokens, how it leaves its loops, its sampler and its text. */
import { UserError } from '../base/user-error.js';
import type { LoopLMConfig } from '../model/config.js';
import { ExitDecision, type ExitRule, lastLoop } from '../model/exit-rule.js';
import type { Drafts } from './drafts.js';
import type { DecodeRequest, FinishReason, ReadToken, TokenEvent } from './request.js';
import { Sampler } from './sampler.js';
import { GREEDY } from './sampling.js';
import type { Job } from './scheduler.js';
import type { SequenceSize, SequenceSlots } from './sequence-slots.js';
import { SequenceText } from './sequence-text.js';

export class Sequence implements Job {
  readonly request: DecodeRequest;
  readonly size: SequenceSize;
  readonly exit: ExitRule;
  /** Prompt and text so far; entry n is token n. */
  readonly ids: number[];
  /** Tokens that were started ahead of these; null where it does not speculate. */
  drafts: Drafts | null = null;
  /** Set while it is admitted. */
  slots: SequenceSlots | null = null;
  finish: FinishReason | null = null;
  readonly sampler: Sampler;
  readonly #text: SequenceText;
  /** Of the prompt, as far as it has been read; null once handed out, or not wanted. */
  #promptRead: ReadToken[] | null;

  /** @throws UserError for a request that cannot be met */
  constructor(request: DecodeRequest, config: LoopLMConfig) {
    const { prompt, maxTokens, sampling = GREEDY, seed = 0, exit = { rule: 'loops', loops: config.loops } } = request;
    this.request = request;
    this.exit = exit;
    this.ids = Array.from(prompt);
    if (this.ids.length === 0) throw new UserError('the prompt is empty: give at least one token');
    const wrong = [...this.ids, ...Array.from(request.follow ?? [])].find((id) => !isTokenId(id, config));
    if (wrong !== undefined)
      throw new UserError(`prompt: token id ${wrong} is not in the vocabulary of ${config.vocabSize} ids`);
    const { topLogProbs = 0, promptLogProbs } = request;
    const least = promptLogProbs === undefined ? 1 : 0;
    if (!isCount(maxTokens, least)) throw new UserError(`max tokens: ${maxTokens} is not a whole number from ${least}`);
    if (!isCount(topLogProbs))
      throw new UserError(`top log-probabilities: ${topLogProbs} is not a whole number from 0`);
    if (!isCount(promptLogProbs ?? 0))
      throw new UserError(`prompt log-probabilities: ${promptLogProbs} is not a whole number from 0`);
    const biased = [...(request.logitBias?.keys() ?? [])].find((id) => !isTokenId(id, config));
    if (biased !== undefined)
      throw new UserError(`logit bias: token id ${biased} is not in the vocabulary of ${config.vocabSize} ids`);
    if (!isCount(request.minTokens ?? 0))
      throw new UserError(`min tokens: ${request.minTokens} is not a whole number from 0`);
    if ((request.minTokens ?? 0) > maxTokens)
      throw new UserError(`min tokens: ${request.minTokens} are more than max tokens, ${maxTokens}`);
    if (request.text?.stop?.includes('')) throw new UserError('stop: an empty string would end every text at once');
    this.size = {
      loops: lastLoop(exit, config),
      prompt: this.ids.length - 1,
      // The prompt's last token runs even where nothing is to be made of it.
      capacity: this.ids.length + Math.max(maxTokens, 1) - 1,
    };
    const { logitBias, stopIds, minTokens } = request;
    this.sampler = new Sampler(sampling, {
      seed,
      promptTokens: this.ids.length,
      logitBias,
      late: { ids: stopIds ?? [], from: minTokens ?? 0 },
    });
    this.#text = new SequenceText(request.text);
    this.#promptRead = promptLogProbs === undefined ? null : [];
  }

  get promptTokens(): number {
    return this.size.prompt;
  }

  get promptBegun(): number {
    return this.slots?.begun ?? 0;
  }

  get defers(): boolean {
    return this.drafts === null;
  }

  /** Never where the first token could be certain before the prompt's own log-probabilities, or owe loops beside it. */
  get joinsPrompt(): boolean {
    if (this.drafts !== null || this.slots === null || this.slots.kind === 'last') return false;
    return this.exit.rule === 'loops' || (this.slots.kind === 'per-loop' && !this.scoresPrompt);
  }

  get stride(): number | null {
    return this.exit.rule === 'loops' && (this.drafts?.rests ?? true) ? this.size.loops : null;
  }

  get scoresPrompt(): boolean {
    return this.request.promptLogProbs !== undefined;
  }

  /** Tokens made so far. */
  get #made(): number {
    return this.ids.length - this.size.prompt - 1;
  }

  /** The id of token `place` where that is settled beforehand. */
  settledAt(place: number): number | undefined {
    return this.request.follow?.[place - this.size.prompt - 1];
  }

  /** The token at this position, which may be a draft. */
  idAt(position: number): number {
    return this.ids[position] ?? this.drafts!.idAt(position);
  }

  /** The first `count` tokens, drafts included. */
  idsBefore(count: number): readonly number[] {
    return count === this.ids.length ? this.ids : [...this.ids, ...this.drafts!.ids].slice(0, count);
  }

  /** Whether a token of this id at `place` leaves the text going on, as far as its id says. */
  goesOn(place: number, id: number): boolean {
    return place < this.size.capacity && !this.request.stopIds?.includes(id);
  }

  /** How the token at `position` will leave. */
  decisionAt(position: number): ExitDecision {
    return new ExitDecision(this.exit, this.size.loops, position);
  }

  /** Keeps a token of the prompt for the first event; they may come in any order. */
  readPrompt(position: number, token: ReadToken): void {
    this.#promptRead![position - 1] = token;
  }

  /** Takes a token as the sequence's next. */
  take(choice: ReadToken): TokenEvent {
    const event = this.#take(choice);
    const prompt = this.#promptRead;
    this.#promptRead = null;
    return prompt ? { ...event, prompt } : event;
  }

  #take(choice: ReadToken): TokenEvent {
    const { stopIds, maxTokens } = this.request;
    if (!isNumber(choice) || this.#promptRead?.some((token) => !isNumber(token))) return this.#end('failed', null, '');
    if (maxTokens === 0) return this.#end('length', null, '');
    const { id } = choice;
    if (stopIds?.includes(id)) return { ...this.#last('stop', null, this.#text.endWith(id)), end: choice };
    const piece = this.#text.push(id, this.#made + 1 > (this.request.minTokens ?? 0));
    this.ids.push(id);
    if (this.#text.stopped) return this.#last('stop', choice, piece);
    if (this.#made === maxTokens) return this.#end('length', choice, piece);
    return { token: choice, text: piece, finish: null };
  }

  cancel(): TokenEvent {
    return this.#end('cancelled', null, '');
  }

  #end(finish: FinishReason, token: ReadToken | null, piece: string): TokenEvent {
    const rest = this.#text.end();
    return this.#last(this.#text.stopped ? 'stop' : finish, token, piece + rest);
  }

  #last(finish: FinishReason, token: ReadToken | null, text: string): TokenEvent {
    this.finish = finish;
    return { token, text, finish, ...(this.drafts ? { speculation: { ...this.drafts.counts } } : {}) };
  }
}

/** One logit that is no number makes every log-probability none. */
function isNumber({ logProb }: ReadToken): boolean {
  return !Number.isNaN(logProb);
}

function isCount(value: number, least = 0): boolean {
  return Number.isInteger(value) && value >= least;
}

function isTokenId(id: number, { vocabSize }: LoopLMConfig): boolean {
  return Number.isInteger(id) && id >= 0 && id < vocabSize;
}
