/** What is asked of the engine, what it answers, and one sequence's own state: its tokens, random stream and text. */
import { Rng } from '../../data/tasks/rng.js';
import { GREEDY, isPlainGreedy, type Sampling, sampleToken } from '../../generate/sampling.js';
import type { LoopLMConfig } from '../../model/config.js';
import { UserError } from '../../user-error.js';
import { drawToken, type Weighed, weigh } from './draw.js';
import { ExitDecision, type ExitRule, lastLoop } from './exit-rule.js';
import type { Job } from './scheduler.js';
import type { SequenceSize, SequenceSlots } from './sequence-slots.js';
import { StopStrings } from './stop-strings.js';

export interface EngineRequest {
  /** Token ids, at least one. */
  prompt: ArrayLike<number>;
  /** Most tokens to make. */
  maxTokens: number;
  /** Default: all loops. */
  exit?: ExitRule;
  /** Default greedy. */
  sampling?: Sampling;
  /** Of this request's random stream; default 0. */
  seed?: number;
  /** Ids that end the text; the id itself is not part of it. */
  stopIds?: readonly number[];
  /** Added to the logits of these ids before sampling; −Infinity forbids one. */
  logitBias?: ReadonlyMap<number, number>;
  /** The likeliest ids that every token event lists; default none. */
  topLogProbs?: number;
  /** Makes text of the tokens, and ends it before the first of these strings. */
  text?: { decoder: { push(id: number): string; end(): string }; stop?: readonly string[] };
}

export type FinishReason = 'stop' | 'length' | 'cancelled';

export interface LogProb {
  id: number;
  logProb: number;
}

/** One step of one request. */
export interface TokenEvent {
  /** null where the step ended the text by a stop id, or the request was cancelled. */
  token: {
    id: number;
    /** The loop that it was read out at, from 1. */
    loop: number;
    /** At that loop, before bias, penalty, temperature and cuts; nats. */
    logProb: number;
    /** As many as were asked for, likeliest first. */
    top: LogProb[];
  } | null;
  /** Text that the token made certain; empty without a decoder. */
  text: string;
  /** Set in the last event. */
  finish: FinishReason | null;
}

/** The next token of a sequence, not yet taken. */
export interface Choice {
  id: number;
  loop: number;
  logProb: number;
  top: LogProb[];
}

export class Sequence implements Job {
  readonly request: EngineRequest;
  readonly size: SequenceSize;
  readonly exit: ExitRule;
  /** Prompt and text so far; entry n is token n. */
  readonly ids: number[];
  /** Set while it is admitted. */
  slots: SequenceSlots | null = null;
  finish: FinishReason | null = null;
  readonly #sampling: Sampling;
  readonly #rng: Rng;
  readonly #stops: StopStrings;

  /** @throws UserError for a request that cannot be met */
  constructor(request: EngineRequest, config: LoopLMConfig) {
    const { prompt, maxTokens, sampling = GREEDY, seed = 0, exit = { rule: 'loops', loops: config.loops } } = request;
    this.request = request;
    this.exit = exit;
    this.ids = Array.from(prompt);
    if (this.ids.length === 0) throw new UserError('the prompt is empty: give at least one token');
    const wrong = this.ids.find((id) => !isTokenId(id, config));
    if (wrong !== undefined)
      throw new UserError(`prompt: token id ${wrong} is not in the vocabulary of ${config.vocabSize} ids`);
    if (!(Number.isInteger(maxTokens) && maxTokens >= 1))
      throw new UserError(`max tokens: ${maxTokens} is not a whole number from 1`);
    const biased = [...(request.logitBias?.keys() ?? [])].find((id) => !isTokenId(id, config));
    if (biased !== undefined)
      throw new UserError(`logit bias: token id ${biased} is not in the vocabulary of ${config.vocabSize} ids`);
    if (request.text?.stop?.includes('')) throw new UserError('stop: an empty string would end every text at once');
    this.size = {
      loops: lastLoop(exit, config),
      prompt: this.ids.length - 1,
      capacity: this.ids.length + maxTokens - 1,
    };
    this.#sampling = sampling;
    this.#rng = Rng.fromSeed(seed);
    this.#stops = new StopStrings(request.text?.stop ?? []);
  }

  get promptTokens(): number {
    return this.size.prompt;
  }

  get promptBegun(): number {
    return this.slots?.begun ?? 0;
  }

  /** Whether its next token is the arg-max of the logits as they are. */
  get isGreedy(): boolean {
    return isPlainGreedy(this.#sampling) && !this.request.logitBias?.size;
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
    const uniform = this.#rng.uint32() / 2 ** 32;
    const logitsV = this.#adjust(weighed.logitsV);
    if (temperature === 0 || topK === 1) return sampleToken(logitsV, GREEDY, [], uniform);
    return drawToken(logitsV === weighed.logitsV ? weighed : weigh(logitsV, temperature), this.#sampling, uniform);
  }

  /** Bias and repetition penalty; the same array where there is neither. */
  #adjust(logitsV: Float32Array): Float32Array {
    const { logitBias } = this.request;
    const { repetitionPenalty } = this.#sampling;
    if (!logitBias?.size && repetitionPenalty === 1) return logitsV;
    const changed = logitsV.slice();
    for (const [id, bias] of logitBias ?? []) changed[id]! += bias;
    if (repetitionPenalty !== 1)
      for (const id of new Set(this.ids)) {
        const logit = changed[id]!;
        changed[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    return changed;
  }

  /** Takes a token as the sequence's next. */
  take(choice: Choice): TokenEvent {
    const { stopIds, maxTokens, text } = this.request;
    if (stopIds?.includes(choice.id)) return this.#end('stop', null, '');
    this.ids.push(choice.id);
    const piece = text ? this.#stops.push(text.decoder.push(choice.id)) : '';
    if (this.#stops.stopped) return this.#last('stop', choice, piece);
    if (this.ids.length === this.size.prompt + 1 + maxTokens) return this.#end('length', choice, piece);
    return { token: choice, text: piece, finish: null };
  }

  cancel(): TokenEvent {
    return this.#end('cancelled', null, '');
  }

  /** What the decoder still holds belongs to the text, unless it completes a stop string. */
  #end(finish: FinishReason, token: Choice | null, piece: string): TokenEvent {
    const rest = this.request.text ? this.#stops.push(this.request.text.decoder.end()) + this.#stops.end() : '';
    return this.#last(this.#stops.stopped ? 'stop' : finish, token, piece + rest);
  }

  #last(finish: FinishReason, token: Choice | null, text: string): TokenEvent {
    this.finish = finish;
    return { token, text, finish };
  }
}

function isTokenId(id: number, { vocabSize }: LoopLMConfig): boolean {
  return Number.isInteger(id) && id >= 0 && id < vocabSize;
}
