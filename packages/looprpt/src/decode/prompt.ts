/** Between texts and the decoder's tokens: ids of a prompt, and what makes text of the tokens that come back. */
import { UserError } from '../base/user-error.js';
import type { LoopLMConfig } from '../model/config.js';
import type { LoopLM } from '../model/loop-lm.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { RequestedText } from './sequence-text.js';

/** Weights and the tokenizer of their texts; what `loadModel` opens is one. */
export interface TextModel {
  readonly lm: LoopLM;
  readonly tokenizer: Tokenizer;
}

/** Ids of a prompt. @throws UserError for an empty one where the model names no first token */
export async function promptTokens({ lm, tokenizer }: TextModel, text: string): Promise<ArrayLike<number>> {
  return orFirstToken(text === '' ? [] : await tokenizer.encode(text), lm.config);
}

/** The ids; of an empty prompt the model's first token. @throws UserError where the model names none */
export function orFirstToken(
  ids: ArrayLike<number>,
  { bosTokenId }: Pick<LoopLMConfig, 'bosTokenId'>,
): ArrayLike<number> {
  if (ids.length > 0) return ids;
  if (bosTokenId !== null) return [bosTokenId];
  throw new UserError('the prompt is empty and the model names no bos_token_id to begin with: give some text');
}

export interface ShownText {
  /** Strings before which the text ends. */
  stop?: readonly string[];
  /** What ends the text belongs to it (default false). */
  keepStop?: boolean;
  /** Special tokens are left out, and stop strings see them all the same (default true). */
  skipSpecial?: boolean;
}

/** Text as readers see it. */
export function shownText(
  tokenizer: Tokenizer,
  { stop = [], keepStop = false, skipSpecial = true }: ShownText,
): RequestedText {
  const hidden = (id: number): string | null => tokenizer.hiddenText(id);
  return { stream: tokenizer.stream({ skipSpecial }), stop, keepStop, ...(skipSpecial ? { hidden } : {}) };
}
