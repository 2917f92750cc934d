/**
 * A multiple-choice task on a model: every choice is a row of one pass, which gives the log-likelihoods at all loops and the
 * exits at all thresholds together.
 */
import { UserError } from '../../base/user-error.js';
import { BatchRow, emptyBatch, type PackedBatch } from '../../data/loader/batch.js';
import type { TokenDocument } from '../../data/shards/token-document.js';
import type { LoopLM } from '../../model/loop-lm.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { exitsAt, scoreAt } from '../score.js';
import { tableFromModel } from '../table-from-model.js';
import { exitsBySignal } from '../thresholds.js';
import { type ChoiceItem, readChoiceItems } from './choice-items.js';
import { type ChoiceRow, scoreChoices } from './choice-scores.js';
import type { ChoiceTask, TaskConfig } from './task-config.js';
import type { ChoiceResult } from './task-result.js';

/** @param onProgress told the choices scored so far and their number */
export async function runChoices(
  model: LoopLM,
  tokenizer: Tokenizer,
  config: TaskConfig & { task: ChoiceTask },
  onProgress?: (done: number, total: number) => void,
): Promise<ChoiceResult> {
  const items = await readChoiceItems(config.task, config);
  const rows = await tokenizedRows(tokenizer, items);
  const packed = batchesOf(rows, config.batchTokens, tokenizer.padId);
  let done = 0;
  const counting = function* (): Generator<PackedBatch> {
    for (const batch of packed) {
      yield batch;
      done += batch.B;
      onProgress?.(done, rows.length);
    }
  };
  const table = await tableFromModel(model, counting());
  const answers = items.map(({ answer }) => answer);
  const score = (exits: Uint8Array) => scoreChoices(table, rows, answers, exits);
  return {
    kind: 'choice',
    task: config.task,
    path: config.path,
    items: items.length,
    shots: config.examples === undefined ? 0 : config.shots,
    perLoop: Array.from({ length: table.loops }, (_, k) => ({ loop: k + 1, ...score(exitsAt(table, k + 1)) })),
    adaptive: config.taus.map((tau) => {
      const exits = exitsBySignal(table.exitCdf, tau);
      const { meanLoops, exitShare } = scoreAt(table, exits);
      return { tau, ...score(exits), meanLoops, exitShare };
    }),
  };
}

interface TokenizedRow extends ChoiceRow {
  document: TokenDocument;
}

/** Every choice of every item, shortest first, so that a batch has little padding. */
async function tokenizedRows(tokenizer: Tokenizer, items: readonly ChoiceItem[]): Promise<TokenizedRow[]> {
  const choices = items.flatMap((item, i) => item.choices.map((choice, c) => ({ item: i, choice: c, ...choice })));
  const contexts = await tokenizer.encodeBatch(choices.map(({ context }) => context.trimEnd()));
  const wholes = await tokenizer.encodeBatch(choices.map(({ context, continuation }) => context + continuation));
  return choices
    .map(({ item, choice, context, continuation }, i): TokenizedRow => {
      const document = scoredBehind(contexts[i]!, wholes[i]!);
      if (document === null)
        throw new UserError(`this tokenizer has no token for "${continuation}" behind "${context.slice(-40)}"`);
      // As the benchmark gives it, white space of its own included.
      const length = [...continuation].length - 1;
      return { item, choice, length, document };
    })
    .sort((a, b) => a.document.ids.length - b.document.ids.length);
}

/**
 * The tokens that are scored are those of the whole text from the number on that the context has by itself, white space at its end
 * left out: that goes with the continuation. So does lm-evaluation-harness, and so its scores are met to the digit.
 * @returns null where none is left
 */
function scoredBehind(context: Int32Array, whole: Int32Array): TokenDocument | null {
  if (whole.length <= context.length) return null;
  const ids = Int32Array.from([...context, ...whole.subarray(context.length)]);
  const loss = new Uint8Array(ids.length).fill(1, context.length);
  return { ids, loss };
}

/** One row per choice, in order; as many to a batch as its longest allows. */
function* batchesOf(rows: readonly TokenizedRow[], batchTokens: number, padId: number): Generator<PackedBatch> {
  for (let start = 0; start < rows.length; ) {
    let end = start + 1;
    while (end < rows.length && rows[end]!.document.ids.length * (end + 1 - start) <= batchTokens) end++;
    const some = rows.slice(start, end);
    const batch = emptyBatch(some.length, some.at(-1)!.document.ids.length - 1);
    some.forEach(({ document, item }, b) => {
      const row = new BatchRow(batch, b);
      row.place(document, 0, document.ids.length - 1, item);
      row.finish(padId);
    });
    yield batch;
    start = end;
  }
}
