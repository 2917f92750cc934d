/** The answer to an accepted job in one of the dialects: the whole of it, or its chunks as they come. */
import { randomUUID } from 'node:crypto';
import type { DraftCounts } from '../../decode/speculation.js';
import type { AcceptedJob } from '../worker/client.js';
import type { Job, TextNews } from '../worker/protocol.js';
import { ChoiceText, type Piece } from './choice-text.js';
import type { Dialect } from './dialect.js';
import type { Wants } from './job.js';
import type { Metrics } from './metrics.js';
import type { Stopwatch } from './stopwatch.js';

export interface AnswerOptions {
  job: Job;
  dialect: Dialect;
  wants: Wants;
  /** The model's id for clients. */
  modelId: string;
  /** Loops of the model. */
  loops: number;
  metrics: Metrics;
  watch: Stopwatch;
}

export class Answer {
  readonly #accepted: AcceptedJob;
  readonly #options: AnswerOptions;
  readonly #texts: ChoiceText[];
  readonly #head: { id: string; created: number; model: string };

  constructor(accepted: AcceptedJob, options: AnswerOptions) {
    const { job, dialect, modelId, metrics } = options;
    this.#accepted = accepted;
    this.#options = options;
    this.#texts = accepted.prompts.flatMap((prompt, p) =>
      Array.from(
        { length: job.choices },
        (_, choice) => new ChoiceText(p * job.choices + choice, prompt, job.logProbs !== null),
      ),
    );
    this.#head = { id: `${dialect.idPrefix}-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: modelId };
    metrics.promptTokens.inc(this.#promptTokens);
  }

  async whole(): Promise<unknown> {
    for await (const news of this.#accepted.news) this.#take(news);
    const { dialect, wants } = this.#options;
    return {
      ...this.#head,
      object: dialect.object.whole,
      choices: this.#texts.map(({ whole }) => dialect.whole(whole, wants.report)),
      usage: this.#usage(),
    };
  }

  async *chunks(): AsyncGenerator<unknown, void> {
    const { dialect, wants } = this.#options;
    const opened = new Set<number>();
    for await (const news of this.#accepted.news) {
      const piece = this.#take(news);
      const opening = opened.has(piece.index) ? null : dialect.opening(piece.index);
      opened.add(piece.index);
      if (opening) yield this.#chunk([opening]);
      if (hasContent(piece, wants)) yield this.#chunk([dialect.chunk(piece, wants.report)]);
      if (piece.finish) yield this.#chunk([dialect.ending(piece.index, piece.finish)]);
    }
    if (wants.usageChunk) yield { ...this.#chunk([]), usage: this.#usage() };
  }

  #chunk(choices: readonly unknown[]): object {
    const { dialect, wants } = this.#options;
    return { ...this.#head, object: dialect.object.chunk, choices, ...(wants.usageChunk ? { usage: null } : {}) };
  }

  #take(news: TextNews): Piece {
    const { metrics, watch, loops } = this.#options;
    if (news.token) {
      metrics.token(news.token.loop, loops);
      watch.token(news.index);
    }
    if (news.speculation) metrics.speculated(news.speculation);
    if (news.finish) watch.textEnd(news.index);
    return this.#texts[news.index]!.take(news);
  }

  get #promptTokens(): number {
    return this.#accepted.prompts.reduce((sum, { tokens }) => sum + tokens, 0);
  }

  #usage() {
    const loops = this.#texts.flatMap(({ whole }) => whole.loops);
    const counts = this.#texts.flatMap(({ whole }) => whole.speculation ?? []);
    const sum = (of: keyof DraftCounts): number => counts.reduce((total, one) => total + one[of], 0);
    const speculation = { drafted: sum('drafted'), accepted: sum('accepted'), passes: sum('passes') };
    return {
      prompt_tokens: this.#promptTokens,
      completion_tokens: loops.length,
      total_tokens: this.#promptTokens + loops.length,
      loops: loops.reduce((total, used) => total + used, 0) / Math.max(1, loops.length),
      ...(counts.length > 0 ? { speculation } : {}),
    };
  }
}

/** A token may be half a character, or the beginning of what may become a stop string: nothing to send yet. */
function hasContent({ text, tokens, loops }: Piece, { report }: Wants): boolean {
  return text !== '' || (tokens !== null && tokens.length > 0) || (report && loops.length > 0);
}
