/**
 * Who runs in the next pass of the stack, and at which loop. Knows nothing of tensors, tokens or pages, so that it can be
 * tested by replaying invented exits.
 *
 * A pass advances every sequence that is decoding by one loop, at whatever loop it stands, and up to `prefillRows` tokens of
 * prompts beside them, which run in chunks: the tokens of a chunk start together and each goes on until it ends. A job's last
 * prompt token is its first decoding step. Jobs start in the order in which they came; one that does not fit makes the later
 * ones wait, so none starves.
 *
 * A token's exit, at which the next token is read off, and its end, after its last loop, may differ. Between the two it owes
 * loops: it runs on beside its successors, for the keys and values that they will look for.
 *
 * Loops count from 0. Invariants: a decoding job has exactly one token that owes nothing in every pass, so it never waits for
 * another's loop; rows of prompts never exceed the limit; within a job, token n + 1 starts in the pass after token n's exit, so a
 * token is always at an earlier loop than those before it.
 */
import assert from 'node:assert/strict';

/** What the scheduler needs to know of a sequence. */
export interface Job {
  /** Tokens to be read before decoding starts; may be 0. */
  readonly promptTokens: number;
  /** Those of them that need not be read, once the job has been admitted. */
  readonly promptBegun: number;
}

export interface PassRow<J> {
  job: J;
  position: number;
  loop: number;
  isPrompt: boolean;
  /** Row of the pass before that this one continues; null for a token at its first loop. */
  source: number | null;
  /** The token after it has been read off. */
  isOwed: boolean;
}

/** What became of a row's token in a pass. */
export interface Outcome {
  /** The token after it is read off here; never for one that owes. */
  exits: boolean;
  /** It ran its last loop. */
  ends: boolean;
}

/** What a pass completed. */
export interface Settled<J> {
  /** Jobs whose prompt has been read; they decode from the next pass on. */
  prompts: J[];
  /** Rows of decoding jobs whose token exited, as indices into the pass. */
  tokens: number[];
}

export interface SchedulerOptions<J> {
  maxSequences: number;
  /** Most rows of prompts in a pass. */
  prefillRows: number;
  /** Asked for the job that has waited longest; takes what the job needs, or says no and takes nothing. */
  admit: (job: J) => boolean;
}

type Token = Pick<PassRow<unknown>, 'position' | 'loop' | 'source' | 'isOwed'>;

const starting = (position: number): Token => ({ position, loop: 0, source: null, isOwed: false });

interface Running {
  /** Prompt tokens that have been started. */
  started: number;
  /** Tokens under way: those of a chunk, or the one that is decoded and those that owe. */
  tokens: Token[];
}

export class Scheduler<J extends Job> {
  readonly #options: SchedulerOptions<J>;
  readonly #waiting: J[] = [];
  readonly #running = new Map<J, Running>();

  constructor(options: SchedulerOptions<J>) {
    assert(options.maxSequences >= 1 && options.prefillRows >= 1);
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }
  get running(): number {
    return this.#running.size;
  }

  add(job: J): void {
    this.#waiting.push(job);
  }

  /** The job is done or not wanted any more. @returns whether it had been admitted */
  remove(job: J): boolean {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) this.#waiting.splice(at, 1);
    return this.#running.delete(job);
  }

  /** The rows of the next pass, decoding ones first; none when there is nothing to do. */
  plan(): PassRow<J>[] {
    this.#admit();
    const decoding: PassRow<J>[] = [];
    const prompts: PassRow<J>[] = [];
    for (const [job, { tokens }] of this.#running)
      for (const token of tokens) {
        const isPrompt = token.position < job.promptTokens;
        (isPrompt ? prompts : decoding).push({ job, isPrompt, ...token });
      }
    for (const [job, running] of this.#running) {
      const room = this.#options.prefillRows - prompts.length;
      const size = running.tokens.length === 0 ? Math.min(room, job.promptTokens - running.started) : 0;
      for (let i = 0; i < size; i++) {
        const token = starting(running.started++);
        running.tokens.push(token);
        prompts.push({ job, isPrompt: true, ...token });
      }
    }
    return [...decoding, ...prompts];
  }

  /** Takes a pass's outcomes. @param rows what `plan` gave */
  settle(rows: readonly PassRow<J>[], outcomes: readonly Outcome[]): Settled<J> {
    const settled: Settled<J> = { prompts: [], tokens: [] };
    const byJob = new Map<J, Token[]>();
    rows.forEach(({ job, position, loop, isPrompt, isOwed }, source) => {
      const { exits, ends } = outcomes[source]!;
      const tokens = byJob.get(job) ?? [];
      byJob.set(job, tokens);
      if (!ends) tokens.push({ position, loop: loop + 1, source, isOwed: isOwed || exits });
      if (isPrompt || !exits) return;
      settled.tokens.push(source);
      tokens.push(starting(position + 1));
    });
    for (const [job, tokens] of byJob) {
      const running = this.#running.get(job);
      assert(running, 'a job of the pass is not running');
      running.tokens = tokens;
      if (tokens.length > 0 || running.started < job.promptTokens) continue;
      settled.prompts.push(job);
      running.tokens = [starting(job.promptTokens)];
    }
    return settled;
  }

  #admit(): void {
    while (this.#running.size < this.#options.maxSequences) {
      const job = this.#waiting[0];
      if (job === undefined || !this.#options.admit(job)) return;
      this.#waiting.shift();
      const { promptTokens, promptBegun: started } = job;
      this.#running.set(job, { started, tokens: started === promptTokens ? [starting(promptTokens)] : [] });
    }
  }
}
