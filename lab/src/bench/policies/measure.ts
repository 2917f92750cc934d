/**
 * What a model knows when its tokens leave early, by document: teacher-forced, where every token is the text's own, and free, where
 * each builds on what the model wrote before.
 *
 * A cache policy is measured in the decoder itself. `complete` is what the others are held against: every loop of every token is
 * computed for those that follow, so that leaving early changes only where a token is read out.
 */
import { type CachePolicy, type DecodeRequest, DecoderCore, type TokenEvent } from 'looprpt/internal/decode/index.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import type { PolicyDocument, Question } from './documents.js';

/** Sums over the tokens of one document. */
export interface DocumentSums {
  tokens: number;
  correct: number;
  /** −log-probability, nats. */
  loss: number;
  loops: number;
}

/** Threshold of the gate's cdf; all loops where it is more than 1. */
export type Threshold = number;

/** Counted tokens of each document, given the document. */
export function teacherForced(
  model: LoopLM,
  policy: CachePolicy,
  threshold: Threshold,
  documents: readonly PolicyDocument[],
): DocumentSums[] {
  const requests = documents.map(({ prompt, rest }) => ({
    prompt,
    maxTokens: rest.length,
    follow: rest,
    topLogProbs: 1,
  }));
  return runDecoder(model, policy, threshold, requests).map((events, d) => {
    const tokens = events.flatMap(({ token }, t) => (token && documents[d]!.counts[t] ? [token] : []));
    return {
      tokens: tokens.length,
      correct: tokens.filter(({ id, top }) => top[0]!.id === id).length,
      loss: -tokens.reduce((sum, { logProb }) => sum + logProb, 0),
      loops: tokens.reduce((sum, { loop }) => sum + loop, 0),
    };
  });
}

/** Whether the greedy answer is the right one, to the last token; `tokens` counts answers. */
export function freelyWritten(
  model: LoopLM,
  policy: CachePolicy,
  threshold: Threshold,
  questions: readonly Question[],
): DocumentSums[] {
  const requests = questions.map(({ prompt, answer }) => ({ prompt, maxTokens: answer.length }));
  return runDecoder(model, policy, threshold, requests).map((events, q) => ({
    tokens: 1,
    correct: Number(questions[q]!.answer.every((id, t) => events[t]!.token!.id === id)),
    loss: 0,
    loops: events.reduce((sum, { token }) => sum + token!.loop, 0) / events.length,
  }));
}

const TOGETHER = 64;

/** By request, its events. */
function runDecoder(
  model: LoopLM,
  cache: CachePolicy,
  threshold: Threshold,
  requests: readonly Omit<DecodeRequest, 'exit'>[],
): TokenEvent[][] {
  const maxLength = Math.max(...requests.map(({ prompt, maxTokens }) => prompt.length + maxTokens));
  using core = new DecoderCore(model, { maxSequences: TOGETHER, maxLength, cache, prefillRows: 256 });
  const sequences = requests.map((request) => core.add({ ...request, exit: { rule: 'gate', threshold } }));
  const events = new Map(sequences.map((sequence) => [sequence, [] as TokenEvent[]]));
  for (let pass = core.pass(); pass; pass = core.pass())
    for (const [sequence, event] of pass.events) events.get(sequence)!.push(event);
  return [...events.values()];
}
