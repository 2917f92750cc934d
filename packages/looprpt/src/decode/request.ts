/** What is asked of the decoder, and what it answers. */
import type { ExitRule } from '../model/exit-rule.js';
import type { Sampling } from './sampling.js';
import type { RequestedText } from './sequence-text.js';
import type { DraftCounts, Speculate } from './speculation.js';

/** What the decoder is asked for: a prompt of token ids, how tokens are chosen, when they leave, when the text ends. */
export interface DecodeRequest {
  /** Token ids, at least one. */
  prompt: ArrayLike<number>;
  /** Most tokens to make; 0 only with `promptLogProbs`, to score a text and make none. */
  maxTokens: number;
  /** Default: all loops. */
  exit?: ExitRule;
  /**
   * Starts tokens before the ones before them have run all their loops, and drops those that turn out wrong: the text of all loops,
   * token for token and log-probability for log-probability, in less time. Goes with an exit rule of a fixed number of loops only.
   * Default: no.
   */
  speculate?: true | Speculate;
  /** Default greedy. */
  sampling?: Sampling;
  /** Of this request's random numbers, which belong to places of the text; default 0. */
  seed?: number;
  /** Ids that end the text; the id itself is not part of it. */
  stopIds?: readonly number[];
  /** Before so many tokens are made no stop id is drawn, and no stop string counts. Default 0. */
  minTokens?: number;
  /** Added to the logits of these ids before sampling; −Infinity forbids one. */
  logitBias?: ReadonlyMap<number, number>;
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
  /** The loop after which it was started; only of tokens that were, and were kept. */
  drafted?: number;
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
  /** In the last event of a request that speculates. */
  speculation?: DraftCounts;
}
