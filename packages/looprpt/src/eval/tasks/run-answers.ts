/**
 * An answer task on a model: greedy generation, once for every fixed loop and once for every threshold, because the tokens
 * made before decide the next ones.
 */

import { type Decoded, decodeAsync } from '../../decode/plain/decode.js';
import { type ExitPolicy, exitPolicy } from '../../decode/plain/exit-policy.js';
import type { LoopLM } from '../../model/loop-lm.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { type AnswerItem, judgeAnswer, NEXT_PROBLEM, readAnswerItems } from './answer-items.js';
import type { AnswerTask, TaskConfig } from './task-config.js';
import type { AnswerResult } from './task-result.js';

/** Tokens that are surely enough to hold `NEXT_PROBLEM`. */
const TAIL = 16;

/** @param onProgress told the solutions generated so far and their number, over all loops and thresholds */
export async function runAnswers(
  model: LoopLM,
  tokenizer: Tokenizer,
  config: TaskConfig & { task: AnswerTask },
  onProgress?: (done: number, total: number) => void,
): Promise<AnswerResult> {
  const items = await readAnswerItems(config.task, config);
  const loops = config.loops ?? Array.from({ length: model.config.loops }, (_, k) => k + 1);
  const total = items.length * (loops.length + config.taus.length);
  let done = 0;
  const run = async (exit: ExitPolicy) => {
    const decoded = await solve(model, tokenizer, config, items, exit, (rows) => {
      done += rows;
      onProgress?.(done, total);
    });
    return scoreAnswers(config.task, tokenizer, items, decoded);
  };
  const perLoop: AnswerResult['perLoop'] = [];
  for (const loop of loops) {
    const { meanLoops: _, ...score } = await run(exitPolicy(model.config, { threshold: null, maxLoops: loop }));
    perLoop.push({ loop, ...score });
  }
  const adaptive: AnswerResult['adaptive'] = [];
  for (const tau of config.taus) adaptive.push({ tau, ...(await run(exitPolicy(model.config, { threshold: tau }))) });
  const shots = config.examples === undefined ? 0 : config.shots;
  const about = { kind: 'answer', task: config.task, path: config.path, headline: 'flexible' } as const;
  return { ...about, items: items.length, shots, perLoop, adaptive };
}

/** A solution per item, in the items' order; similar lengths are generated together. */
async function solve(
  model: LoopLM,
  tokenizer: Tokenizer,
  { maxTokens, batchSize }: TaskConfig,
  items: readonly AnswerItem[],
  exit: ExitPolicy,
  onRows: (rows: number) => void,
): Promise<Decoded[]> {
  const prompts = await tokenizer.encodeBatch(items.map(({ prompt }) => prompt));
  const order = [...prompts.keys()].sort((a, b) => prompts[a]!.length - prompts[b]!.length);
  const stopIds = tokenizer.stopIds({ chat: false, ...model.config });
  const stopWhen = (tokens: readonly number[]): boolean => tokenizer.decode(tokens.slice(-TAIL)).includes(NEXT_PROBLEM);
  const solutions = new Array<Decoded>(items.length);
  for (let start = 0; start < order.length; start += batchSize) {
    const some = order.slice(start, start + batchSize);
    const requests = some.map((item) => ({ prompt: prompts[item]!, maxTokens, stopIds, stopWhen }));
    const decoded = await decodeAsync(model, requests, { exit });
    some.forEach((item, r) => {
      solutions[item] = decoded[r]!;
    });
    onRows(some.length);
  }
  return solutions;
}

function scoreAnswers(
  task: AnswerTask,
  tokenizer: Tokenizer,
  items: readonly AnswerItem[],
  decoded: readonly Decoded[],
): Omit<AnswerResult['adaptive'][number], 'tau'> {
  const judged = items.map(({ answer }, i) =>
    judgeAnswer(task, tokenizer.decode(decoded[i]!.tokens, { skipSpecial: true }), answer),
  );
  const loops = decoded.flatMap((row) => row.loops);
  return {
    accuracy: judged.filter(({ flexible }) => flexible).length / items.length,
    accuracyStrict: judged.filter(({ strict }) => strict).length / items.length,
    meanTokens: loops.length / items.length,
    meanLoops: loops.reduce((sum, loop) => sum + loop, 0) / Math.max(1, loops.length),
  };
}
