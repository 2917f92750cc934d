/**
 * What every loop knows about every token of a few short sequences, as `lens --json` prints it.
 *
 * Loops come last in every array and are counted from 1 where they are values. Vocabulary logits exist for a bounded
 * number of places of one loop at a time, unless they are asked for.
 *
 * Shapes: B rows, S places, E hidden, K loops, V vocabulary, n = `top`.
 */
import { cat, noGrad, scope, stack, type Tensor, tensor, zeros } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import { exitCdf, exitPdf, exitStep } from '../model/exit.js';
import type { LoopLM } from '../model/loop-lm.js';
import { atIds, entropyOf, inPieces, logProbsOf } from '../model/read-out.js';

export interface TopToken {
  id: number;
  /** The token's text; null without a tokenizer. */
  token: string | null;
  logprob: number;
}

/** What `lens` returns: by token and loop, what the model would say there and how near it is to leaving. */
export interface Lens {
  model: string;
  /** K */
  loops: number;
  /** B×S */
  ids: number[][];
  /** B×S×K */
  gateLogits: number[][][];
  /** B×S×K */
  exitPdf: number[][][];
  /** Per threshold, under the name that it was given by: B×S loops, from 1. */
  exitLoop: Record<string, number[][]>;
  /** B×S×K, nats. */
  entropy: number[][][];
  /** B×(S − 1)×K: log-probability of the true next token after each loop. */
  logprobs: number[][][];
  /** B×S×K×n: the likeliest next tokens, likeliest first. */
  top: TopToken[][][][];
  /** B×S×K×V */
  logits?: number[][][][];
}

/** What `lens` adds: thresholds, likeliest tokens, logits. */
export interface LensOptions {
  /** The name in the result. */
  name: string;
  /** Thresholds of the exit CDF, as the user wrote them, so that the result's keys are what was asked for. */
  taus: readonly (number | string)[];
  /** Default 5. */
  top?: number;
  /** Add all logits. */
  logits?: boolean;
  /** The text of one id. */
  tokenText?: (id: number) => string;
}

/**
 * What every loop knows about every token of a few short texts, as `looprpt lens --json` prints it.
 * @param ids B equally long rows of S ids
 * @throws UserError when they are not, or are no ids of the model
 * @example
 * const ids = Array.from(await model.tokenizer.encode('map ci gd'));
 * const { logprobs } = lens(model.lm, [ids], { name: model.name, taus: [0.5] });
 */
export function lens(model: LoopLM, ids: readonly (readonly number[])[], options: LensOptions): Lens {
  checkIds(ids, model.config.vocabSize);
  const { name, tokenText, top = 5 } = options;
  if (!(Number.isInteger(top) && top >= 0)) throw new UserError(`top: ${top} is not a whole number from 0`);
  const taus = options.taus.map((tau) => [String(tau), thresholdOf(tau)] as const);
  return noGrad(() =>
    scope(() => {
      const idsBS = tensor(ids, { dtype: 'int64', device: model.device });
      const statesBSE = model.states({ idsBT: idsBS });
      const gatesKBS = stack(statesBSE.map((xBSE) => model.gateLogits(xBSE)));
      const pdfKBS = exitPdf(gatesKBS);
      const cdfKBS = exitCdf(pdfKBS);
      const exits = taus.map(([label, tau]) => [label, exitStep(cdfKBS, tau).add(1).toArray<number[][]>()]);
      const loops = statesBSE.map((xBSE) =>
        scope(() => readLoop(model, xBSE, idsBS, { top, wantsLogits: options.logits ?? false, tokenText })),
      );
      return {
        model: name,
        loops: loops.length,
        ids: ids.map((row) => [...row]),
        gateLogits: loopsLast(gatesKBS),
        exitPdf: loopsLast(pdfKBS),
        exitLoop: Object.fromEntries(exits) as Record<string, number[][]>,
        entropy: transposed(loops.map((loop) => loop.entropy)),
        logprobs: transposed(loops.map((loop) => loop.logprobs)),
        top: transposed(loops.map((loop) => loop.top)),
        ...(options.logits ? { logits: transposed(loops.map((loop) => loop.logits!)) } : {}),
      };
    }),
  );
}

/** One loop's read-out as nested arrays. */
function readLoop(
  model: LoopLM,
  hiddenBSE: Tensor,
  idsBS: Tensor,
  options: { top: number; wantsLogits: boolean; tokenText: ((id: number) => string) | undefined },
) {
  const { wantsLogits, tokenText } = options;
  const [B, S, E] = hiddenBSE.shape as [number, number, number];
  // A row's last place has no next token; id 0 stands there and is left out again.
  const none = zeros([B, 1], { dtype: 'int64', device: model.device });
  const nextN = cat([idsBS.slice(1, 1, S), none], 1).view(B * S);
  const count = Math.min(options.top, model.config.vocabSize);
  const places = inPieces(model, hiddenBSE.reshape(B * S, E), (logitsCV, from) => {
    const logProbsCV = logProbsOf(logitsCV);
    const [topLogProbs, topIds] = logProbsCV.topk(count);
    const entropy = entropyOf(logProbsCV).toArray<number[]>();
    const logProb = atIds(logProbsCV, nextN.slice(0, from, from + entropy.length)).toArray<number[]>();
    const ids = topIds.toArray<number[][]>();
    const top = topLogProbs.toArray<number[][]>().map((ofPlace, c) =>
      ofPlace.map((logprob, i): TopToken => {
        const id = ids[c]![i]!;
        return { id, token: tokenText ? tokenText(id) : null, logprob };
      }),
    );
    const logits = wantsLogits ? logitsCV.toArray<number[][]>() : null;
    return entropy.map((_, c) => ({
      entropy: entropy[c]!,
      logprob: logProb[c]!,
      top: top[c]!,
      logits: logits ? logits[c]! : [],
    }));
  }).flat();
  const rows = Array.from({ length: B }, (_, b) => places.slice(b * S, (b + 1) * S));
  return {
    entropy: rows.map((row) => row.map((place) => place.entropy)),
    logprobs: rows.map((row) => row.slice(0, -1).map((place) => place.logprob)),
    top: rows.map((row) => row.map((place) => place.top)),
    logits: wantsLogits ? rows.map((row) => row.map((place) => place.logits)) : null,
  };
}

function checkIds(ids: readonly (readonly number[])[], vocabSize: number): void {
  const length = ids[0]?.length ?? 0;
  if (length === 0) throw new UserError('ids: give at least one row with at least one token id');
  ids.forEach((row, b) => {
    if (row.length !== length)
      throw new UserError(`ids: row ${b + 1} has ${row.length} ids and row 1 has ${length}; rows must be equally long`);
    const s = row.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (s >= 0)
      throw new UserError(
        `ids: row ${b + 1}, place ${s + 1}: ${row[s]} is not an id of the model's 0..${vocabSize - 1}`,
      );
  });
}

function thresholdOf(tau: number | string): number {
  const value = typeof tau === 'string' && tau.trim() === '' ? Number.NaN : Number(tau);
  if (Number.isNaN(value)) throw new UserError(`tau: '${tau}' is not a number; give a threshold such as 0.5`);
  return value;
}

/** [K, B, S] → B×S×K */
function loopsLast(xKBS: Tensor): number[][][] {
  return xKBS.permute(1, 2, 0).toArray<number[][][]>();
}

/** K×B×S×… → B×S×K×… */
function transposed<T>(perLoop: T[][][]): T[][][] {
  return perLoop[0]!.map((row, b) => row.map((_, s) => perLoop.map((loop) => loop[b]![s]!)));
}
