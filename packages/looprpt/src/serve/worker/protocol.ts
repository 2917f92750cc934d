/**
 * What the server's thread and the decoder's thread say to each other. Plain data, which `postMessage` can copy; token ids, texts
 * and numbers, never tensors.
 *
 * A job is one request of a client: every prompt times every choice is a text. The decoder's side answers `accepted` or `refused`
 * once, then the texts' tokens as they are made, each text's last with `finish`; or `broken`, after which nothing comes. What
 * happened in one pass travels together.
 */

import type { FinishReason } from '../../decode/index.js';
import type { Sampling } from '../../decode/sampling.js';
import type { DraftCounts, Speculate } from '../../decode/speculation.js';
import type { ExitWish } from '../../model/exit-rule.js';
import type { ChatMessage } from '../../text/chat-template.js';

export type PromptInput = { kind: 'text'; text: string } | { kind: 'ids'; ids: number[] } | ChatPrompt;

export interface ChatPrompt {
  kind: 'chat';
  messages: ChatMessage[];
  /** Further variables of the template. */
  variables: Record<string, unknown>;
  /** Whether the assistant's turn is opened at the end. */
  opensAnswer: boolean;
}

/** What a request says of loops. */
export interface LoopWish extends ExitWish {
  /** Missing: the server's default. */
  speculate?: boolean | Speculate | undefined;
}

export interface Job {
  prompts: PromptInput[];
  /** Texts for each prompt. */
  choices: number;
  /** null: as many as fit. */
  maxTokens: number | null;
  /** What it leaves open is the server's default. */
  loop: LoopWish;
  sampling: Sampling;
  /** 0 … 2^53 − 1; of the first choice, from which those of the others follow. */
  seed: number;
  stop: string[];
  stopIds: number[];
  /** Go on after the model's own end tokens. */
  ignoreEnd: boolean;
  /** Before so many tokens nothing ends a text. */
  minTokens: number;
  /** Leave special tokens out of the text. */
  skipSpecial: boolean;
  /** The stop string or stop token that ends a text is part of it. */
  keepStop: boolean;
  logitBias: [id: number, bias: number][];
  /** How many of the likeliest tokens are listed beside each one; null: no log-probabilities at all. */
  logProbs: number | null;
  /** Whether the prompt's own tokens are told, with their log-probabilities where those are wanted. */
  echo: boolean;
}

/** Numbered by the server's thread. */
export type JobId = number;

/** What is asked of the tokenizer alone. */
export type Question = { kind: 'tokenize'; prompt: PromptInput } | { kind: 'detokenize'; ids: number[] };

/** One number for jobs and questions. */
export type ToDecoder =
  | { kind: 'submit'; id: JobId; job: Job }
  | { kind: 'ask'; id: JobId; question: Question }
  | { kind: 'cancel'; id: JobId }
  /** Answered by news, as soon as the thread listens. */
  | { kind: 'ping' }
  | { kind: 'close' };

export interface LikelyToken {
  id: number;
  text: string;
  logProb: number;
}

/** A token as clients are told of it; its texts are empty where the job wants no log-probabilities. */
export interface TokenNews extends LikelyToken {
  /** What the token added to the decoding of all before it, whether or not that is handed out. */
  piece: string;
  /** The loop that it was read out at, from 1. */
  loop: number;
  /** The loop after which it was started; only of drafts that were kept. */
  drafted?: number;
  /** Likeliest first. */
  top: LikelyToken[];
}

/** A token of an echoed prompt, its `piece` the text that it made certain. */
export interface PromptToken {
  id: number;
  text: string;
  piece: string;
}

export interface PromptNews {
  tokens: number;
  /** Only for jobs with `echo`. */
  echo: { text: string; tokens: PromptToken[] } | null;
}

/** One step of one text. */
export interface TextNews {
  kind: 'text';
  id: JobId;
  /** Prompt · choices + choice. */
  index: number;
  /** Text that the token made certain. */
  text: string;
  token: TokenNews | null;
  /** The end token, where log-probabilities are wanted; it is no token of the text and its text is empty. */
  end: TokenNews | null;
  /** Tokens 1, 2, … of a prompt that is echoed with log-probabilities; in the text's first news. */
  prompt: TokenNews[] | null;
  finish: Exclude<FinishReason, 'failed'> | null;
  /** In the last news of a text that speculates. */
  speculation?: DraftCounts;
}

/** To a question: the ids with the text of each, or a text. */
export type Answer = { kind: 'tokens'; ids: number[]; texts: string[] } | { kind: 'text'; text: string };

export interface Refusal {
  message: string;
  /** The request's field at fault. */
  param: string | null;
  code: 'context_length_exceeded' | 'invalid_value';
}

export type JobNews =
  | { kind: 'answered'; id: JobId; answer: Answer }
  | { kind: 'accepted'; id: JobId; prompts: PromptNews[] }
  | { kind: 'refused'; id: JobId; refusal: Refusal }
  /** `isModel`: the model is at fault, and the message is for clients. */
  | { kind: 'broken'; id: JobId; message: string; isModel: boolean }
  | TextNews;

/** How things stand in the decoder. */
export interface DecoderState {
  waiting: number;
  running: number;
  pages: number;
  /** Held by texts under way. */
  pagesUsed: number;
  /** Hold beginnings of prompts for later; free for any other use. */
  pagesKept: number;
  /** Native tensors in the decoder's thread: weights, cache and what it keeps ready. */
  tensors: number;
}

export interface ServedTokenizer {
  vocabSize: number;
  /** As they stand in texts. */
  names: Record<'bos_token' | 'eos_token' | 'pad_token' | 'unk_token', string | null>;
  /** Jinja; null where there is none that can be used. */
  chatTemplate: string | null;
}

/** What is served. */
export interface ServedModel {
  /** As it was named to us. */
  name: string;
  parameters: number;
  dtype: string;
  device: string;
  loops: number;
  vocabSize: number;
  /** Most tokens of a text with its prompt. */
  maxLength: number;
  maxBatch: number;
  /** Tokens that the cache holds with all loops. */
  cacheTokens: number;
  cacheBytes: number;
  /** It would be larger if more memory were free. */
  cacheIsTight: boolean;
  hasChat: boolean;
  /** A text that the model can go on with, of the task that it was trained on; null where it names none. */
  example: string | null;
  tokenizer: ServedTokenizer;
  /** Exit rule of requests that name none. */
  exitThreshold: number | null;
  /** Requests that name no exit rule have drafts. */
  speculates: boolean;
  maxLoops: number;
}

export type FromDecoder =
  | { kind: 'ready'; model: ServedModel; state: DecoderState }
  /** Before `ready`: the model cannot be served. */
  | { kind: 'failed'; message: string; isUserError: boolean }
  | { kind: 'remark'; line: string }
  | { kind: 'news'; news: JobNews[]; state: DecoderState };
