/**
 * A text under way, token by token.
 *
 * A token comes out when its text is certain, so that the texts of all tokens, joined, are the whole text: one that ends within a
 * character waits for the next, and with stop strings each waits until it is known not to begin one.
 */
import type { LoopLMConfig } from '../model/config.js';
import { type ExitOption, type ExitRule, exitRule, exitRuleOf } from '../model/exit-rule.js';
import { promptTokens, shownText, type TextModel } from './prompt.js';
import type { DecodeRequest, FinishReason, ReadToken, TokenEvent } from './request.js';
import { GREEDY, type SamplingOptions, samplingConfig } from './sampling.js';
import type { DraftCounts, Speculate } from './speculation.js';

/** How a text is generated; everything may be left out. Checked before anything runs: a `UserError` names what cannot be done. */
export interface GenerateOptions {
  /** Most tokens to make; default 128. */
  maxTokens?: number;
  /** When a token stops looping; default: as the model's configuration says. */
  exit?: ExitOption;
  /** Starts tokens before those before them are sure: the text of all loops in less time. Goes without `exit`, or with `{ loops }`. */
  speculate?: boolean | Speculate;
  /** How a token is chosen; default greedy. What is left out of it is at 1 or off. */
  sampling?: SamplingOptions;
  /** Of the random numbers, which belong to places of the text; default 0. */
  seed?: number;
  /** Strings that end the text and are no part of it. */
  stop?: readonly string[];
  /** The prompt is a rendered chat: the end of a turn ends the text, too. */
  chat?: boolean;
  /** The likeliest ids beside every token; default none. */
  topLogProbs?: number;
}

/** A token of a text. */
export interface GeneratedToken extends ReadToken {
  /** Its part of the text; joined over all tokens, the text. Often empty for emoji and for special tokens. */
  text: string;
}

/**
 * A text on its way, token by token; nothing runs before it is iterated.
 * @throws UserError while iterating, for a prompt without tokens or an option that the model cannot follow
 */
export class Generation implements AsyncIterable<GeneratedToken> {
  readonly #model: TextModel;
  readonly #prompt: string | ArrayLike<number>;
  readonly #options: GenerateOptions;
  readonly #submit: (request: DecodeRequest) => AsyncIterable<TokenEvent>;
  #finish: FinishReason | null = null;
  #speculation: DraftCounts | null = null;

  constructor(
    model: TextModel,
    prompt: string | ArrayLike<number>,
    options: GenerateOptions,
    submit: (request: DecodeRequest) => AsyncIterable<TokenEvent>,
  ) {
    this.#model = model;
    this.#prompt = prompt;
    this.#options = options;
    this.#submit = submit;
  }

  /** Why the text ended; null before the last token has come out. */
  get finish(): FinishReason | null {
    return this.#finish;
  }

  /** What speculation did; null before the last token has come out, and without it. */
  get speculation(): DraftCounts | null {
    return this.#speculation;
  }

  /** Runs the request; every call runs it anew. To leave the loop early cancels it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken, void> {
    const { stop = [] } = this.#options;
    this.#finish = null;
    this.#speculation = null;
    let held: GeneratedToken | null = null;
    for await (const { token, text, finish, speculation } of this.#submit(await this.#request())) {
      if (finish !== null) this.#finish = finish;
      if (speculation) this.#speculation = speculation;
      if (token) {
        if (held) yield held;
        held = { ...token, text };
      } else if (held) held.text += text;
      const isCertain = finish !== null || (text !== '' && stop.length === 0);
      if (!held || !isCertain) continue;
      yield held;
      held = null;
    }
  }

  async #request(): Promise<DecodeRequest> {
    const {
      maxTokens = 128,
      exit,
      speculate = false,
      sampling,
      seed = 0,
      stop,
      chat = false,
      topLogProbs = 0,
    } = this.#options;
    const { lm, tokenizer } = this.#model;
    const { config } = lm;
    return {
      prompt: typeof this.#prompt === 'string' ? await promptTokens(this.#model, this.#prompt) : this.#prompt,
      exit: depthOf(config, exit, speculate !== false),
      ...(speculate === false ? {} : { speculate }),
      sampling: sampling === undefined ? GREEDY : samplingConfig.parse(sampling),
      stopIds: tokenizer.stopIds({ chat, ...config }),
      text: shownText(tokenizer, stop === undefined ? {} : { stop }),
      ...{ maxTokens, seed, topLogProbs },
    };
  }
}

/** Drafts are of the text of all loops, whatever exit the model's configuration names. */
function depthOf(config: LoopLMConfig, exit: ExitOption | undefined, speculates: boolean): ExitRule {
  if (exit !== undefined) return exitRule(exit);
  return speculates ? { rule: 'loops', loops: config.loops } : exitRuleOf(config);
}
