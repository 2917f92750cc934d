/**
 * An answer task on a model: greedy generation, once for every fixed loop and once for every threshold, because the tokens
 * made before decide the next ones.
 *
 * One decoder makes them all, so what prompts have in common, such as solved examples, is read once for all thresholds. Its cache is
 * complete: an early exit changes where a prediction is read and nothing else, as upstream has it.
 */
import { Decoder } from '../../decode/decoder.js';
import type { ReadToken } from '../../decode/request.js';
import type { ExitRule } from '../../model/exit-rule.js';
import type { LoopLM } from '../../model/loop-lm.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { type AnswerItem, judgeAnswer, NEXT_PROBLEM, readAnswerItems } from './answer-items.js';
import type { AnswerTask, TaskConfig } from './task-config.js';
import type { AnswerResult } from './task-result.js';

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
  using solver = await Solver.of(model, tokenizer, config, items, () => onProgress?.(++done, total));
  const run = async (exit: ExitRule) => scoreAnswers(config.task, tokenizer, items, await solver.solve(exit));
  const perLoop: AnswerResult['perLoop'] = [];
  for (const loop of loops) {
    const { meanLoops: _, ...score } = await run({ rule: 'loops', loops: loop });
    perLoop.push({ loop, ...score });
  }
  const adaptive: AnswerResult['adaptive'] = [];
  for (const tau of config.taus) adaptive.push({ tau, ...(await run({ rule: 'gate', threshold: tau })) });
  const shots = config.examples === undefined ? 0 : config.shots;
  const about = { kind: 'answer', task: config.task, path: config.path, headline: 'flexible' } as const;
  return { ...about, items: items.length, shots, perLoop, adaptive };
}

const PAGE_SIZE = 16;

/** The items' prompts and the decoder that continues them. */
class Solver implements Disposable {
  readonly #decoder: Decoder;
  readonly #tokenizer: Tokenizer;
  readonly #prompts: readonly ArrayLike<number>[];
  readonly #maxTokens: number;
  readonly #stopIds: number[];
  readonly #onSolved: () => void;

  static async of(
    model: LoopLM,
    tokenizer: Tokenizer,
    config: TaskConfig,
    items: readonly AnswerItem[],
    onSolved: () => void,
  ): Promise<Solver> {
    const prompts = await tokenizer.encodeBatch(items.map(({ prompt }) => prompt));
    return new Solver(model, tokenizer, config, prompts, onSolved);
  }

  private constructor(
    model: LoopLM,
    tokenizer: Tokenizer,
    { maxTokens, batchSize }: TaskConfig,
    prompts: readonly ArrayLike<number>[],
    onSolved: () => void,
  ) {
    const maxLength = Math.max(...prompts.map(({ length }) => length)) + maxTokens;
    const pages = batchSize * model.config.loops * Math.ceil(maxLength / PAGE_SIZE);
    this.#decoder = new Decoder(model, {
      maxSequences: batchSize,
      maxLength,
      pageSize: PAGE_SIZE,
      pages,
      prefillRows: 256,
      cache: { decode: 'complete' },
    });
    this.#tokenizer = tokenizer;
    this.#prompts = prompts;
    this.#maxTokens = maxTokens;
    this.#stopIds = tokenizer.stopIds({ chat: false, ...model.config });
    this.#onSolved = onSolved;
  }

  /** A solution's tokens per item, in the items' order. */
  async solve(exit: ExitRule): Promise<ReadToken[][]> {
    return Promise.all(
      this.#prompts.map(async (prompt) => {
        const tokens: ReadToken[] = [];
        const text = { stream: this.#tokenizer.stream(), stop: [NEXT_PROBLEM] };
        const request = { prompt, exit, maxTokens: this.#maxTokens, stopIds: this.#stopIds, text };
        for await (const { token } of this.#decoder.submit(request)) if (token) tokens.push(token);
        this.#onSolved();
        return tokens;
      }),
    );
  }

  [Symbol.dispose](): void {
    this.#decoder[Symbol.dispose]();
  }
}

function scoreAnswers(
  task: AnswerTask,
  tokenizer: Tokenizer,
  items: readonly AnswerItem[],
  solutions: readonly (readonly ReadToken[])[],
): Omit<AnswerResult['adaptive'][number], 'tau'> {
  const judged = items.map(({ answer }, i) => {
    const ids = solutions[i]!.map(({ id }) => id);
    return judgeAnswer(task, tokenizer.decode(ids, { skipSpecial: true }), answer);
  });
  const loops = solutions.flatMap((tokens) => tokens.map(({ loop }) => loop));
  return {
    accuracy: judged.filter(({ flexible }) => flexible).length / items.length,
    accuracyStrict: judged.filter(({ strict }) => strict).length / items.length,
    meanTokens: loops.length / items.length,
    meanLoops: loops.reduce((sum, loop) => sum + loop, 0) / Math.max(1, loops.length),
  };
}
