/**
 * One streaming pass of a model over batches, into a token table.
 *
 * Vocabulary logits exist for a bounded number of (token, loop) pairs at a time, never for B·S·K. Nothing is recorded for
 * gradients, and no tensor outlives the call.
 *
 * Shapes: B rows, S places, E hidden, K loops, V vocabulary, N counted tokens of a batch, C tokens of a chunk.
 */
import { noGrad, scope, stack, type Tensor } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import type { PackedBatch } from '../data/loader/batch.js';
import { exitCdf, exitPdf } from '../model/exit.js';
import { relativeChange } from '../model/exit-signal.js';
import type { LoopLM } from '../model/loop-lm.js';
import { atIds, atPlaces, confidenceOf, entropyOf, inPieces, logProbsOf, MAX_LOGITS } from '../model/read-out.js';
import { type TrainingBatch, trainingBatch } from '../objectives/batch.js';
import { concatTables, type TokenTable } from './token-table.js';

export interface TableOptions {
  /** Most vocabulary logits in memory at once. */
  maxLogits?: number;
  /** Stop after the batch in which this many tokens are reached. */
  maxTokens?: number;
  /** Called after every batch with the tokens counted so far. */
  onProgress?: (tokens: number) => void;
}

/** @throws UserError when no token of the batches counts */
export async function tableFromModel(
  model: LoopLM,
  batches: AsyncIterable<PackedBatch> | Iterable<PackedBatch>,
  { maxLogits = MAX_LOGITS, maxTokens = Number.POSITIVE_INFINITY, onProgress }: TableOptions = {},
): Promise<TokenTable> {
  const tables: TokenTable[] = [];
  let tokens = 0;
  for await (const batch of batches) {
    const table = tableOfBatch(model, batch, maxLogits);
    if (table) tables.push(table);
    tokens += table?.tokens ?? 0;
    onProgress?.(tokens);
    if (tokens >= maxTokens) break;
  }
  if (tokens === 0) throw new UserError('nothing to evaluate: no token of the data counts in the loss');
  return concatTables(tables);
}

/** The table of one batch; null when none of its tokens counts. */
export function tableOfBatch(model: LoopLM, packed: PackedBatch, maxLogits: number): TokenTable | null {
  return noGrad(() =>
    scope(() => {
      const batch = trainingBatch(packed, model.device);
      const tokens = batch.counted.length;
      if (tokens === 0) return null;
      return { tokens, ...columnsOf(model, batch, maxLogits), ...placesOf(packed, batch.counted) };
    }),
  );
}

type Columns = Omit<TokenTable, 'tokens' | 'sequence' | 'document' | 'context'>;

function columnsOf(model: LoopLM, batch: TrainingBatch, maxLogits: number): Columns {
  const { countedN, targetsN } = batch;
  const N = batch.counted.length;
  const hiddenKNE = scope(() =>
    [model.embed(batch.idsBT), ...model.states(batch)].map((xBSE) => atPlaces(xBSE, countedN)),
  );
  const hiddenNE = hiddenKNE.slice(1);
  const gateKN = stack(hiddenNE.map((xNE) => model.gateLogits(xNE)));
  const readouts = hiddenNE.map((xNE) => readOut(model, xNE, targetsN, maxLogits));
  return {
    loops: hiddenNE.length,
    logProb: readouts.map((r) => r.logProb),
    correct: readouts.map((r) => r.correct),
    prediction: readouts.map((r) => r.prediction),
    entropy: readouts.map((r) => r.entropy),
    confidence: readouts.map((r) => r.confidence),
    hiddenChange: hiddenNE.map((xNE, k) => float32(relativeChange(xNE, hiddenKNE[k]!))),
    gateLogit: rowsOf(float32(gateKN), N),
    exitCdf: rowsOf(float32(exitCdf(exitPdf(gateKN))), N),
  };
}

/** Everything that needs the next-token distribution after one loop. */
function readOut(model: LoopLM, hiddenNE: Tensor, targetsN: Tensor, maxLogits: number) {
  const N = hiddenNE.size(0);
  const logProb = new Float32Array(N);
  const entropy = new Float32Array(N);
  const confidence = new Float32Array(N);
  const prediction = new Int32Array(N);
  const correct = new Uint8Array(N);
  const read = (logitsCV: Tensor, from: number): void => {
    const targetsC = targetsN.slice(0, from, from + logitsCV.size(0));
    const predictedC = logitsCV.argmax(-1);
    const logProbsCV = logProbsOf(logitsCV);
    logProb.set(float32(atIds(logProbsCV, targetsC)), from);
    confidence.set(float32(confidenceOf(logProbsCV)), from);
    entropy.set(float32(entropyOf(logProbsCV)), from);
    prediction.set(predictedC.to({ dtype: 'int32' }).toTyped() as Int32Array, from);
    correct.set(predictedC.eq(targetsC).to({ dtype: 'uint8' }).toTyped() as Uint8Array, from);
  };
  inPieces(model, hiddenNE, read, maxLogits);
  return { logProb, entropy, confidence, prediction, correct };
}

function float32(x: Tensor): Float32Array {
  return x.to({ dtype: 'float32' }).toTyped() as Float32Array;
}

function rowsOf(flat: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: flat.length / length }, (_, k) => flat.slice(k * length, (k + 1) * length));
}

/** Sequence numbers, counted over the segments that have counted tokens, documents, and lengths of context. */
function placesOf(
  { S, segmentIds, documentIds }: PackedBatch,
  places: Int32Array,
): Pick<TokenTable, 'sequence' | 'document' | 'context'> {
  const sequence = new Int32Array(places.length);
  const context = new Int32Array(places.length);
  let start = 0;
  let before = -1;
  let number = -1;
  for (let at = 0, n = 0; n < places.length; at++) {
    if (at % S === 0 || segmentIds[at] !== segmentIds[at - 1]) start = at;
    if (at !== places[n]) continue;
    if (start !== before) number++;
    before = start;
    sequence[n] = number;
    context[n++] = at - start + 1;
  }
  return { sequence, document: places.map((at) => documentIds[at]!), context };
}
