/**
 * What a model knows when its tokens leave early, by document: teacher-forced, where every token is the text's own, and free, where
 * each builds on what the model wrote before.
 *
 * A cache policy is measured in the decoder itself. `complete` is what it is held against: every loop of every token is computed for
 * those that follow, so that leaving early changes only where a token is read out; it saves no work.
 */
import { noGrad, scope, tensor } from '@looprpt/engine';
import { type CachePolicy, type DecodeRequest, DecoderCore, type TokenEvent } from 'looprpt/internal/decode/index.js';
import { decode } from 'looprpt/internal/decode/plain/decode.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { exitLogits } from '../../../../packages/looprpt/test-support/dist/upstream-exit.js';
import type { PolicyDocument, Question } from './documents.js';

export type Policy = CachePolicy | 'complete';

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
  policy: Policy,
  threshold: Threshold,
  documents: readonly PolicyDocument[],
): DocumentSums[] {
  if (policy === 'complete') return documents.map((document) => completeSums(model, threshold, document));
  const requests = documents.map(({ prompt, rest }) => ({
    prompt,
    maxTokens: rest.length,
    follow: rest,
    topLogProbs: 1,
  }));
  return runEngine(model, policy, threshold, requests).map((events, d) => {
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
  policy: Policy,
  threshold: Threshold,
  questions: readonly Question[],
): DocumentSums[] {
  const requests = questions.map(({ prompt, answer }) => ({ prompt, maxTokens: answer.length }));
  const written =
    policy === 'complete'
      ? decodeAll(model, threshold, requests)
      : runEngine(model, policy, threshold, requests).map((events) => ({
          tokens: events.map(({ token }) => token!.id),
          loops: events.map(({ token }) => token!.loop),
        }));
  return written.map(({ tokens, loops }, q) => ({
    tokens: 1,
    correct: Number(questions[q]!.answer.every((id, t) => tokens[t] === id)),
    loss: 0,
    loops: loops.reduce((sum, loop) => sum + loop, 0) / loops.length,
  }));
}

const TOGETHER = 64;

/** By request, its events. */
function runEngine(
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

function decodeAll(model: LoopLM, threshold: Threshold, requests: { prompt: number[]; maxTokens: number }[]) {
  const exit = { threshold, maxLoops: model.config.loops };
  return Array.from({ length: Math.ceil(requests.length / TOGETHER) }, (_, b) =>
    decode(model, requests.slice(b * TOGETHER, (b + 1) * TOGETHER), { exit }),
  ).flat();
}

function completeSums(model: LoopLM, threshold: Threshold, { prompt, rest, counts }: PolicyDocument): DocumentSums {
  return noGrad(() =>
    scope(() => {
      const ids = [...prompt, ...rest.slice(0, -1)];
      const states = model.states({ idsBT: tensor([ids], { dtype: 'int64' }) });
      const { logitsBTV, stepBT } = exitLogits(model, states, { rule: 'threshold', threshold });
      const logProbsTV = logitsBTV
        .select(0, 0)
        .slice(0, prompt.length - 1, ids.length)
        .logSoftmax(-1);
      const restT1 = tensor(
        rest.map((id) => [id]),
        { dtype: 'int64' },
      );
      const logProbs = logProbsTV.gather(-1, restT1).toNumbers();
      const best = logProbsTV.argmax(-1).toNumbers();
      const steps = stepBT!
        .select(0, 0)
        .slice(0, prompt.length - 1, ids.length)
        .toNumbers();
      const which = [...rest.keys()].filter((t) => counts[t]);
      const sum = (value: (t: number) => number): number => which.reduce((total, t) => total + value(t), 0);
      return {
        tokens: which.length,
        correct: sum((t) => Number(best[t] === rest[t])),
        loss: -sum((t) => logProbs[t]!),
        loops: sum((t) => steps[t]! + 1),
      };
    }),
  );
}
