/** What is asked of the decoder, what it answers, and one sequence's own state: its tokens, random stream and text. */
import assert from 'node:assert/strict';
import { Rng } from '../base/rng.js';
import { UserError } from '../base/user-error.js';
import type { LoopLMConfig } from '../model/config.js';
import { ExitDecision, type ExitRule, lastLoop } from '../model/exit-rule.js';
import { drawToken, type Weighed, weigh } from './draw.js';
import { GREEDY, isPlainGreedy, type Sampling, sampleToken } from './sampling.js';
import type { Job } from './scheduler.js';
import type { SequenceSize, SequenceSlots } from './sequence-slots.js';
import { type RequestedText, SequenceText } from './sequence-text.js';

/** What the decoder is asked for: a prompt of token ids, how tokens are chosen, when they leave, when the text ends. */
export interface DecodeRequest {
  /** Token ids, at least one. */
  prompt: ArrayLike<number>;
  /** Most tokens to make; 0 only with `promptLogProbs`, to score a text and make none. */
  maxTokens: number;
  /** Default: all loops. */
  exit?: ExitRule;
  /** Default greedy. */
  sampling?: Sampling;
  /** Of this request's random stream; default 0. */
  seed?: number;
  /** Ids that end the text; the id itself is not part of it. */
  stopIds?: readonly number[];
  /** Before so many tokens are made no stop id is drawn, and no stop string counts. Default 0. */
  minTokens?: number;
  /** Added to the logits of these ids before sampling; −Infinity forbids one. */
  logitBias?: ReadonlyMap<number, number>;
  /** Taken off the logit of an id that the text so far has, once; the prompt does not count. Default 0. */
  presencePenalty?: number;
  /** Taken off the logit of an id for each time that the text so far has it; the prompt does not count. Default 0. */
  frequencyPenalty?: number;
  /** The likeliest ids that every token event lists; default none. */
  topLogProbs?: number;
  /**
   * Asks for the log-probability of every token of the prompt but the first, with so many of the likeliest beside it; 0 for the
   * tokens' own alone. They are read out where the token before leaves: with prefill `all` at the last loop of the exit rule (all
   * loops, or its `maxLoops`), with prefill `adaptive` at that token's own exit. Such a request reads its whole prompt itself.
   */
  promptLogProbs?: number;
  /** Taken instead of what would be drawn, one after the other as far as they reach: teacher forcing, for measurements. */
  follow?: ArrayLike<number>;
  /** Makes text of the tokens. */
  text?: RequestedText;
}

/** Why a text ended: a stop token or string, its length, because it was cancelled, or for want of numbers to draw from. */
export type FinishReason = 'stop' | 'length' | 'cancelled' | 'failed';

export interface LogProb {
  id: number;
  logProb: number;
}

/** A token with what the model thought of it. */
export interface ReadToken {
  id: number;
  /** The loop that it was read out at, from 1. */
  loop: number;
  /** At that loop, before bias, penalties, temperature and cuts; nats. */
  logProb: number;
  /** As many as were asked for, likeliest first. */
  top: LogProb[];
}

/** One step of one request. */
export interface TokenEvent {
  /** null where the step ended the text by a stop id, nothing was to be made, or the request was cancelled. */
  token: ReadToken | null;
  /** The stop id that ended the text, which is no token of it. */
  end?: ReadToken;
  /** Tokens 1, 2, … of the prompt; in the first event of a request that asks for them, and cancelled ones may have none. */
  prompt?: ReadToken[];
  /** Text that the token made certain; empty without a decoder. */
  text: string;
  /** Set in the last event. */
  finish: FinishReason | null;
}

export class Sequence implements Job {
  readonly request: DecodeRequest;
  readonly size: SequenceSize;
  readonly exit: ExitRule;
  /** Prompt and text so far; entry n is token n. */
  readonly ids: number[];
  /** Set while it is admitted. */
  slots: SequenceSlots | null = null;
  finish: FinishReason | null = null;
  readonly #sampling: Sampling;
  readonly #rng: Rng;
  readonly #text: SequenceText;
  /** How often the text has an id. */
  readonly #counts = new Map<number, number>();
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
    this.#sampling = sampling;
    this.#rng = Rng.fromSeed(seed);
    this.#text = new SequenceText(request.text);
    this.#promptRead = promptLogProbs === undefined ? null : [];
  }

  get promptTokens(): number {
    return this.size.prompt;
  }

  get promptBegun(): number {
    return this.slots?.begun ?? 0;
  }

  get scoresPrompt(): boolean {
    return this.request.promptLogProbs !== undefined;
  }

  /** Whether its next token is the arg-max of the logits as they are, or drawn from all of them by the temperature alone. */
  get drawsPlainly(): boolean {
    const { topK, topP, minP } = this.#sampling;
    if (this.#adjusts) return false;
    return isPlainGreedy(this.#sampling) || (topK === 0 && topP === 1 && minP === 0);
  }

  /** How its next token is drawn, if plainly; takes a random number from its stream unless the likeliest is taken. */
  plainDraw(): { temperature: number; uniform: number } {
    assert(this.drawsPlainly);
    if (isPlainGreedy(this.#sampling)) return { temperature: 0, uniform: 0 };
    return { temperature: this.#sampling.temperature, uniform: this.#uniform() };
  }

  /** Whether bias, penalties or a minimum of tokens change the logits. */
  get #adjusts(): boolean {
    const { logitBias, presencePenalty, frequencyPenalty, stopIds } = this.request;
    const isHeld = !this.#mayStop && Boolean(stopIds?.length);
    const { repetitionPenalty } = this.#sampling;
    return Boolean(logitBias?.size || presencePenalty || frequencyPenalty || repetitionPenalty !== 1 || isHeld);
  }

  /** Tokens made so far. */
  get #made(): number {
    return this.ids.length - this.size.prompt - 1;
  }

  get #mayStop(): boolean {
    return this.#made >= (this.request.minTokens ?? 0);
  }

  #uniform(): number {
    return this.#rng.uint32() / 2 ** 32;
  }

  /** The next id where that is settled beforehand. */
  get settled(): number | undefined {
    return this.request.follow?.[this.#made];
  }

  /** What divides the logits before the exponential; 1 where nothing is drawn. */
  get temperature(): number {
    return this.#sampling.temperature || 1;
  }

  /** How the token at `position` will leave. */
  decisionAt(position: number): ExitDecision {
    return new ExitDecision(this.exit, this.size.loops, position);
  }

  /** Draws the next id; the logits and weights of all ids are not changed. */
  draw(weighed: Weighed): number {
    const { temperature, topK } = this.#sampling;
    const uniform = this.#uniform();
    const logitsV = this.#adjust(weighed.logitsV);
    if (temperature === 0 || topK === 1) return sampleToken(logitsV, GREEDY, [], uniform);
    return drawToken(logitsV === weighed.logitsV ? weighed : weigh(logitsV, temperature), this.#sampling, uniform);
  }

  /** Bias and penalties; the same array where there are none. */
  #adjust(logitsV: Float32Array): Float32Array {
    const { logitBias, presencePenalty = 0, frequencyPenalty = 0 } = this.request;
    const { repetitionPenalty } = this.#sampling;
    if (!this.#adjusts) return logitsV;
    const changed = logitsV.slice();
    for (const [id, bias] of logitBias ?? []) changed[id]! += bias;
    for (const [id, count] of this.#counts) changed[id]! -= presencePenalty + count * frequencyPenalty;
    if (repetitionPenalty !== 1)
      for (const id of new Set(this.ids)) {
        const logit = changed[id]!;
        changed[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    if (!this.#mayStop) for (const id of this.request.stopIds ?? []) changed[id] = Number.NEGATIVE_INFINITY;
    return changed;
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
    this.#counts.set(id, 1 + (this.#counts.get(id) ?? 0));
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
    return { token, text, finish };
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
