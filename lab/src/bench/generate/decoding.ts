/**
 * One timed stretch of decoding: all sequences past their prompts, none finished, so the batch is full throughout. It ends
 * when the fastest sequence has made `tokens` tokens.
 */
import assert from 'node:assert/strict';
import { Rng } from 'looprpt/internal/base/rng.js';
import type { Decoder, DecoderCore } from 'looprpt/internal/decode/index.js';
import { type Sampling, samplingConfig } from 'looprpt/internal/decode/sampling.js';
import type { ExitRule } from 'looprpt/internal/model/exit-rule.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';

export interface DecodingShape {
  batch: number;
  prompt: number;
  tokens: number;
  temperature: number;
}

/** What was made in the stretch. */
export interface Stretch {
  seconds: number;
  /** Of the processor, all threads. */
  cpuSeconds: number;
  tokens: number;
  meanLoops: number;
  /** Mean over the tokens of the keys in their reach, themselves included. */
  meanContext: number;
}

/** The same prompts for every side. */
export function promptsOf({ batch, prompt }: DecodingShape, vocabSize: number): number[][] {
  const rng = Rng.fromSeed(7);
  return Array.from({ length: batch }, () => Array.from({ length: prompt }, () => rng.below(vocabSize)));
}

export interface DecoderShape extends DecodingShape {
  /** Sequences join in as many groups as there are loops, one before each pass, so that they stand at different loops. */
  staggered: boolean;
}

/** In the decoder, which must be at rest and is left so. */
export function decoderStretch(core: DecoderCore, model: LoopLM, shape: DecoderShape, exit: ExitRule): Stretch {
  const sampling = samplingOf(shape);
  const groups = shape.staggered ? model.config.loops : 1;
  const requests = promptsOf(shape, model.config.vocabSize).map((prompt, seed) => ({
    prompt,
    maxTokens: 2 * shape.tokens,
    exit,
    sampling,
    seed,
  }));
  const sequences = Array.from({ length: groups }, (_, group) => {
    const joined = requests.filter((_, r) => r % groups === group).map((request) => core.add(request));
    if (group < groups - 1) core.pass();
    return joined;
  }).flat();
  const made = (): number[] => sequences.map(({ ids }) => ids.length - shape.prompt);
  while (made().some((tokens) => tokens === 0)) core.pass();
  assert(Math.max(...made()) < shape.tokens, 'the stretch is too short for all sequences to be under way');
  const sums = { tokens: 0, loops: 0, context: 0 };
  const elapsed = stopwatch();
  for (let fastest = Math.max(...made()); fastest < shape.tokens; )
    for (const [{ ids }, { token }] of core.pass()!.events) {
      sums.tokens++;
      sums.loops += token!.loop;
      sums.context += ids.length - 1;
      fastest = Math.max(fastest, ids.length - shape.prompt);
    }
  const took = elapsed();
  for (const sequence of sequences) core.cancel(sequence);
  const { tokens, loops, context } = sums;
  return { ...took, tokens, meanLoops: loops / tokens, meanContext: context / tokens };
}

/** As programs decode: an asynchronous caller for each text, all at once. The decoder must be at rest and is left so. */
export async function callersStretch(decoder: Decoder, model: LoopLM, shape: DecodingShape): Promise<Stretch> {
  const { batch, prompt, tokens } = shape;
  const { loops, vocabSize } = model.config;
  const request = { maxTokens: tokens, sampling: samplingOf(shape) };
  const texts = promptsOf(shape, vocabSize).map((ids, seed) =>
    decoder.submit({ ...request, prompt: ids, seed })[Symbol.asyncIterator](),
  );
  await Promise.all(texts.map((text) => text.next()));
  const elapsed = stopwatch();
  await Promise.all(
    texts.map(async (text) => {
      while (!(await text.next()).done);
    }),
  );
  return { ...elapsed(), tokens: batch * (tokens - 1), meanLoops: loops, meanContext: prompt + tokens / 2 };
}

/** @returns what has passed since */
function stopwatch(): () => Pick<Stretch, 'seconds' | 'cpuSeconds'> {
  const before = process.cpuUsage();
  const start = performance.now();
  return () => {
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(before);
    return { seconds, cpuSeconds: (user + system) / 1e6 };
  };
}

function samplingOf({ temperature }: DecodingShape): Sampling {
  return samplingConfig.parse({ temperature });
}
