/** Text from a prompt: tokenizer, decoding and timing together, with the result as `generate --json` prints it. */
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import type { LoopLM } from '../../model/loop-lm.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import type { Sampling } from '../sampling.js';
import { decodeAsync } from './decode.js';
import type { ExitPolicy } from './exit-policy.js';

export const GenerationSchema = z.object({
  text: z.string(),
  /** Without the stop token. */
  tokens: z.array(z.int()),
  /** The loop that each token was read out at, from 1. */
  loops: z.array(z.int()),
  /** 0 for no tokens. */
  meanLoops: z.number(),
  finishReason: z.enum(['stop', 'length']),
  /** Wall-clock time of prompt and tokens. */
  seconds: z.number(),
  tokensPerSecond: z.number(),
});

export type Generation = z.infer<typeof GenerationSchema>;

export interface GenerateOptions {
  prompt: string;
  maxTokens: number;
  exit: ExitPolicy;
  sampling: Sampling;
  seed?: number;
  /** The prompt is a rendered chat: a turn's end stops too. */
  chat?: boolean;
  /** Called with every piece of text as it is complete, and the loop of the token that completed it. */
  onText?: (piece: string, loop: number) => void;
}

/**
 * @throws UserError when the prompt has no tokens and the model no token to begin with
 * @example
 * const { text, loops } = await generate(model, tokenizer, { prompt: 'Problem: …', maxTokens: 64, exit, sampling: GREEDY });
 */
export async function generate(model: LoopLM, tokenizer: Tokenizer, options: GenerateOptions): Promise<Generation> {
  const { maxTokens, exit, sampling, seed = 0, chat = false, onText } = options;
  const prompt = await promptIds(model, tokenizer, options.prompt);
  const stopIds = tokenizer.stopIds({ chat, ...model.config });
  const text = tokenizer.stream({ skipSpecial: true });
  const pieces: string[] = [];
  const say = (piece: string, loop: number): void => {
    if (piece === '') return;
    pieces.push(piece);
    onText?.(piece, loop);
  };
  const started = performance.now();
  let loop = 0;
  const request = { prompt, maxTokens, sampling, seed, stopIds };
  const [decoded] = await decodeAsync(model, [request], { exit }, ({ token }) => {
    if (token === null) return;
    loop = token.loop;
    say(text.push(token.id), loop);
  });
  say(text.end(), loop);
  const { tokens, loops, finishReason } = decoded!;
  const seconds = (performance.now() - started) / 1000;
  return {
    text: pieces.join(''),
    tokens,
    loops,
    meanLoops: loops.reduce((sum, used) => sum + used, 0) / Math.max(1, loops.length),
    finishReason,
    seconds,
    tokensPerSecond: tokens.length / seconds,
  };
}

async function promptIds(model: LoopLM, tokenizer: Tokenizer, text: string): Promise<ArrayLike<number>> {
  const ids = await tokenizer.encode(text);
  if (ids.length > 0) return ids;
  if (model.config.bosTokenId !== null) return [model.config.bosTokenId];
  throw new UserError('the prompt is empty and the model names no bos_token_id to begin with: give some text');
}
