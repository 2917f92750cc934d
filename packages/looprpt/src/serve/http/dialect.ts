/**
 * How texts are written down: as completions or as chat completions, whole or in chunks. Pure functions of pieces of text.
 */
import type { LikelyToken } from '../worker/protocol.js';
import type { Piece, PlacedToken } from './choice-text.js';
import type { ChatChoice, ChatChunkChoice } from './schemas/chat.js';
import type { CompletionChoice } from './schemas/completions.js';

export interface Dialect<Whole = unknown, Chunk = unknown> {
  idPrefix: string;
  object: { whole: string; chunk: string };
  whole(piece: Piece, report: boolean): Whole;
  /** Sent once, before anything else of a choice. */
  opening(index: number): Chunk | null;
  /** A piece's text and tokens, without its end. */
  chunk(piece: Piece, report: boolean): Chunk;
  ending(index: number, finish: 'stop' | 'length'): Chunk;
}

export const COMPLETIONS: Dialect<CompletionChoice, CompletionChoice> = {
  idPrefix: 'cmpl',
  object: { whole: 'text_completion', chunk: 'text_completion' },
  whole: (piece, report) => completionChoice(piece, report, piece.finish),
  opening: () => null,
  chunk: (piece, report) => completionChoice(piece, report, null),
  ending: (index, finish) => ({ index, text: '', logprobs: null, finish_reason: finish }),
};

export const CHAT: Dialect<ChatChoice, ChatChunkChoice> = {
  idPrefix: 'chatcmpl',
  object: { whole: 'chat.completion', chunk: 'chat.completion.chunk' },
  whole: (piece, report) => ({
    index: piece.index,
    message: { role: 'assistant', content: piece.text, refusal: null },
    logprobs: chatLogProbs(piece.tokens),
    finish_reason: piece.finish,
    ...reported(piece, report),
  }),
  opening: (index) => ({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }),
  chunk: (piece, report) => ({
    index: piece.index,
    delta: { content: piece.text },
    logprobs: chatLogProbs(piece.tokens),
    finish_reason: null,
    ...reported(piece, report),
  }),
  ending: (index, finish) => ({ index, delta: {}, logprobs: null, finish_reason: finish }),
};

function completionChoice(piece: Piece, report: boolean, finish: Piece['finish']): CompletionChoice {
  const { index, text, tokens } = piece;
  return { index, text, logprobs: completionLogProbs(tokens), finish_reason: finish, ...reported(piece, report) };
}

type Report = Pick<CompletionChoice, 'loops' | 'token_texts' | 'drafted'>;

function reported({ loops, texts, drafted }: Piece, report: boolean): Report {
  if (!report) return {};
  return { loops, token_texts: texts, ...(drafted.some((loop) => loop !== null) ? { drafted } : {}) };
}

function completionLogProbs(tokens: PlacedToken[] | null): CompletionChoice['logprobs'] {
  if (tokens === null) return null;
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logProb }) => logProb),
    top_logprobs: tokens.every(({ top }) => top.length === 0) ? null : tokens.map(topByText),
    text_offset: tokens.map(({ offset }) => offset),
  };
}

/** The token itself is always among them. Tokens of the same text, as halves of characters are, share the larger number. */
function topByText({ text, logProb, top }: PlacedToken): Record<string, number> | null {
  if (logProb === null) return null;
  const byText = new Map<string, number>();
  for (const one of [...top, { text, logProb }])
    byText.set(one.text, Math.max(one.logProb, byText.get(one.text) ?? one.logProb));
  return Object.fromEntries(byText);
}

function chatLogProbs(tokens: PlacedToken[] | null): ChatChoice['logprobs'] {
  if (tokens === null) return null;
  const likely = ({ text, logProb }: Pick<LikelyToken, 'text' | 'logProb'>) => ({
    token: text,
    logprob: logProb,
    bytes: text.includes('\ufffd') ? null : [...Buffer.from(text)],
  });
  const content = tokens.map(({ text, logProb, top }) => ({
    ...likely({ text, logProb: logProb ?? 0 }),
    top_logprobs: top.map(likely),
  }));
  return { content, refusal: null };
}
