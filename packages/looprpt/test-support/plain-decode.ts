/**
 * Batched decoding by the model's own forward pass and the tensors' exit rules, in the plainest form that is not slow: the oracle of
 * the decoder with a complete cache. The prompts once, then one token at a time.
 *
 * All loops of the rule run for every token, whatever loop its prediction is read from, as upstream does: so the cache is
 * complete and early exit changes predictions only, not speed. Rows of different length are padded on the left. A row
 * that has finished is carried along until all have; what it computes is discarded.
 *
 * Invariants: what a row yields does not depend on the other rows of its batch (up to rounding), nor do its random
 * numbers. Between two steps only the cache's tensors are alive, and they go when the generator ends or is closed.
 *
 * Shapes: B rows, T positions of a pass, E hidden, V vocabulary.
 */
import assert from 'node:assert/strict';
import { embedding, noGrad, scope, type Tensor, tensor } from '@looprpt/engine';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { GREEDY, type Sampling } from 'looprpt/internal/decode/sampling.js';
import { type ExitRule, lastLoop } from 'looprpt/internal/model/exit-rule.js';
import { exitSteps } from 'looprpt/internal/model/exit-signal.js';
import { KVCache } from 'looprpt/internal/model/kv-cache.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { statesAtStep } from 'looprpt/internal/model/read-out.js';
import { isPlainGreedy, noiseOf, sampleToken } from './slow/slow-sampling.js';

export interface DecodeRequest {
  prompt: ArrayLike<number>;
  /** Most tokens to make. */
  maxTokens: number;
  /** Default greedy. */
  sampling?: Sampling;
  /** Of this row's random numbers; default 0. */
  seed?: number;
  /** Ids that end the row; the id itself is not part of the result. */
  stopIds?: readonly number[];
}

export interface DecodeOptions {
  exit: ExitRule;
  /** Prompt positions of a pass, which bounds its memory; default 512. */
  prefillChunk?: number;
}

export type FinishReason = 'stop' | 'length';

/** One row's news of one step. */
export interface TokenEvent {
  row: number;
  /** null when the step ended the row by a stop id. */
  token: { id: number; loop: number; logProb: number } | null;
  /** Set in the row's last event. */
  finish: FinishReason | null;
}

export interface Decoded {
  tokens: number[];
  /** The loop that each token was read out at, from 1. */
  loops: number[];
  /** Log-probability of each token at its loop, before temperature and cuts, nats. */
  logProbs: number[];
  finishReason: FinishReason;
}

/** Decodes to the end. @param onToken called for every token as it is made */
export function decode(
  model: LoopLM,
  requests: readonly DecodeRequest[],
  options: DecodeOptions,
  onToken?: (event: TokenEvent) => void,
): Decoded[] {
  const steps = decodeSteps(model, requests, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (onToken) step.value.forEach(onToken);
  }
}

/** The same step by step, so that a caller can do other things in between, or stop. */
export function* decodeSteps(
  model: LoopLM,
  requests: readonly DecodeRequest[],
  options: DecodeOptions,
): Generator<TokenEvent[], Decoded[], void> {
  if (requests.length === 0) return [];
  const rows = requests.map((request, r) => new Row(request, r, model.config.vocabSize));
  const length = Math.max(...requests.map(({ prompt }) => prompt.length));
  const longest = Math.max(...requests.map(({ maxTokens }) => maxTokens));
  const { config, dtype, device } = model;
  using cache = new KVCache(config, {
    batch: rows.length,
    capacity: length + longest - 1,
    dtype,
    device,
    loops: lastLoop(options.exit, config),
  });
  let choices = prefill(model, cache, rows, length, options);
  for (;;) {
    const events = rows.flatMap((row, r) => row.take(choices[r]!) ?? []);
    yield events;
    if (rows.every(({ finish }) => finish !== null)) return rows.map((row) => row.result());
    const idsBT = rows.map((row) => [row.lastId]);
    choices = pass(model, cache, rows, { idsBT, padding: rows.map((row) => length - row.promptLength) }, options);
  }
}

/** The next token of a row. */
interface Choice {
  loop: number;
  id: number;
  logProb: number;
}

/** One sequence of the batch. */
class Row {
  finish: FinishReason | null = null;
  lastId: number;
  private readonly decoded: Omit<Decoded, 'finishReason'> = { tokens: [], loops: [], logProbs: [] };
  private readonly sampling: Sampling;
  private readonly seed: number;

  constructor(
    readonly request: DecodeRequest,
    private readonly index: number,
    vocabSize: number,
  ) {
    const { prompt, maxTokens, sampling = GREEDY, seed = 0 } = request;
    if (prompt.length === 0) throw new UserError('the prompt is empty: give at least one token');
    const wrong = Array.from(prompt).find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (wrong !== undefined)
      throw new UserError(`prompt: token id ${wrong} is not in the vocabulary of ${vocabSize} ids`);
    if (!(Number.isInteger(maxTokens) && maxTokens >= 1))
      throw new UserError(`max tokens: ${maxTokens} is not a whole number from 1`);
    this.lastId = prompt[prompt.length - 1]!;
    this.sampling = sampling;
    this.seed = seed;
  }

  get promptLength(): number {
    return this.request.prompt.length;
  }

  get isGreedy(): boolean {
    return isPlainGreedy(this.sampling);
  }

  /** The id drawn from this row's logits. */
  draw(logitsV: Float32Array): number {
    const seen = [...Array.from(this.request.prompt), ...this.decoded.tokens];
    return sampleToken(logitsV, this.sampling, seen, noiseOf(this.seed, seen.length, logitsV.length));
  }

  /** Takes the step's choice; null for a row that had finished before. */
  take({ id, loop, logProb }: Choice): TokenEvent | null {
    if (this.finish !== null) return null;
    const { stopIds, maxTokens } = this.request;
    const { tokens, loops, logProbs } = this.decoded;
    if (stopIds?.includes(id)) {
      this.finish = 'stop';
      return { row: this.index, token: null, finish: 'stop' };
    }
    tokens.push(id);
    loops.push(loop);
    logProbs.push(logProb);
    this.lastId = id;
    if (tokens.length >= maxTokens) this.finish = 'length';
    return { row: this.index, token: { id, loop, logProb }, finish: this.finish };
  }

  result(): Decoded {
    assert(this.finish);
    return { ...this.decoded, finishReason: this.finish };
  }
}

/** The prompts in chunks; choices after the last position. */
function prefill(
  model: LoopLM,
  cache: KVCache,
  rows: readonly Row[],
  length: number,
  options: DecodeOptions,
): Choice[] {
  const { prefillChunk = 512 } = options;
  const padding = rows.map((row) => length - row.promptLength);
  const ids = rows.map(({ request }, r) => [...new Array<number>(padding[r]!).fill(0), ...Array.from(request.prompt)]);
  for (let start = 0; ; start += prefillChunk) {
    const idsBT = ids.map((row) => row.slice(start, start + prefillChunk));
    if (start + prefillChunk >= length) return pass(model, cache, rows, { idsBT, padding }, options);
    noGrad(() => scope(() => void states(model, cache, { idsBT, padding }, options)));
  }
}

interface Positions {
  idsBT: number[][];
  /** Places of padding before each row's prompt. */
  padding: readonly number[];
}

/** Runs T positions through the model; the cache grows by them. @returns the states after each loop, [B, T, E] */
function states(model: LoopLM, cache: KVCache, { idsBT, padding }: Positions, { exit }: DecodeOptions): Tensor[] {
  const { device } = model;
  const int64 = (data: readonly (readonly number[])[]): Tensor => tensor(data, { dtype: 'int64', device });
  const start = cache.length;
  const isRagged = padding.some((places) => places > 0);
  return model.states(
    {
      idsBT: int64(idsBT),
      positionsBT: isRagged
        ? int64(idsBT.map((row, b) => row.map((_, t) => Math.max(0, start + t - padding[b]!))))
        : null,
      firstKeyBT: isRagged ? int64(idsBT.map((row, b) => row.map(() => padding[b]!))) : null,
    },
    { cache, loops: lastLoop(exit, model.config) },
  );
}

/** Runs T positions and chooses each row's next token after the last of them. */
function pass(
  model: LoopLM,
  cache: KVCache,
  rows: readonly Row[],
  positions: Positions,
  options: DecodeOptions,
): Choice[] {
  return noGrad(() =>
    scope(() => {
      const lastB = positions.idsBT.map((row) => row.at(-1)!);
      const statesBE = states(model, cache, positions, options).map((xBTE) => xBTE.select(1, xBTE.size(1) - 1));
      const numbersB = positions.padding.map((padding) => cache.length - 1 - padding);
      return choose(model, rows, readOut(model, statesBE, options.exit, { lastB, numbersB }));
    }),
  );
}

/** A state for the LM head per row, and the loop that it comes from. */
export interface ReadOut {
  /** [B, E] */
  hiddenBE: Tensor;
  /** B loops, from 1. */
  loops: number[];
}

/** @param of the ids that the states are of, and their numbers in their rows */
export function readOut(
  model: LoopLM,
  statesBE: readonly Tensor[],
  exit: ExitRule,
  { lastB, numbersB }: { lastB: readonly number[]; numbersB: readonly number[] },
): ReadOut {
  const idsB = tensor([...lastB], { dtype: 'int64', device: model.device });
  const stepB = exitSteps(exit, model, statesBE, embedding(model.weights.embedding, idsB), numbersB);
  const hiddenBE = statesAtStep(statesBE, stepB);
  return { hiddenBE, loops: stepB.toArray<number[]>().map((step) => step + 1) };
}

function choose(model: LoopLM, rows: readonly Row[], { hiddenBE, loops }: ReadOut): Choice[] {
  const { device } = model;
  const logitsBV = model.logits(hiddenBE).to({ dtype: 'float32' });
  const greedyB = logitsBV.argmax(-1).toNumbers();
  const chosen = rows.map((row, r) =>
    row.isGreedy || row.finish !== null ? greedyB[r]! : row.draw(logitsBV.select(0, r).toTyped() as Float32Array),
  );
  const idsB1 = tensor(chosen, { dtype: 'int64', device }).unsqueeze(-1);
  const logProbsB = logitsBV.logSoftmax(-1).gather(-1, idsB1).toNumbers();
  return rows.map((_, r) => ({ id: chosen[r]!, loop: loops[r]!, logProb: logProbsB[r]! }));
}
