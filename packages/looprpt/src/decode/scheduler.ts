/**
 * Who runs in the next pass of the stack, and at which loop. Knows nothing of tensors, tokens or pages, so that it can be
 * tested by replaying invented exits.
 *
 * A pass advances every sequence that is decoding by one loop, at whatever loop it stands, and up to `prefillRows` tokens of
 * prompts beside them, which run in chunks: the tokens of a chunk start together and each goes on until it ends. A job's last
 * prompt token is its first decoding step; it starts with the last chunk where the job allows that, else after it. Jobs start in
 * the order in which they came; one that does not fit makes the later ones wait, so none starves.
 *
 * A token may go on after the next one has started: it owes loops, for the keys and values that those after it will look for.
 * A job's owed loops run in one of two ways.
 * - At once, beside the tokens after it: drafts, which its deeper loops may drop and replace.
 * - Deferred, until a later token goes on to a loop that is owed; then all tokens that owe it run it in that token's pass, or in
 *   several before it where there are more than `prefillRows`. What no token looks for is never run.
 *
 * Jobs whose tokens all take the same number of passes are kept in step: one that would start a token waits until those that are
 * within theirs have ended it. So all are read off in one pass, and the head's weights are read once a token instead of in every
 * pass; a job waits once, for less than a token.
 *
 * Loops count from 0. Invariants: within a job a token is never at a later loop than those before it, and at the same one only
 * where those owe it or are of the prompt; a job's newest token moves in every pass, unless it waits for its step or more loops are
 * owed to it than a pass takes; neither rows of prompts nor deferred ones ever exceed the limit.
 */
import assert from 'node:assert/strict';

/** What the scheduler needs to know of a sequence. */
export interface Job {
  /** Tokens to be read before decoding starts; may be 0. */
  readonly promptTokens: number;
  /** Those of them that need not be read, once the job has been admitted. */
  readonly promptBegun: number;
  /** What its tokens owe waits until it is looked for. */
  readonly defers: boolean;
  /** Decoding starts with the last tokens of the prompt, once the job has been admitted: what it looks for is there, loop by loop. */
  readonly joinsPrompt: boolean;
  /** Passes from one of its tokens to the next, where all take as many; null where that is found out. May change. */
  readonly stride: number | null;
}

export interface PassRow<J> {
  job: J;
  position: number;
  loop: number;
  isPrompt: boolean;
  /** Where the state before the loop is: a row of the pass before, kept aside (`Plan.kept`), or null for a token at its first loop. */
  source: number | 'kept' | null;
  /** The token after it has started. */
  isOwed: boolean;
}

/** The rows of a pass. */
export interface Plan<J> {
  rows: PassRow<J>[];
  /** Tokens that sit this pass out, with the row of the pass before that is their state: to be kept until a row's source asks for it. */
  kept: { job: J; position: number; row: number }[];
  /** Decoding jobs that wait for their step. */
  held: number;
}

/** What became of a row's token in a pass. */
export interface Outcome {
  /** The token after it starts. */
  next: boolean;
  /** All tokens after it that have started are dropped, before another one starts. */
  drops: boolean;
  /** It ran its last loop. */
  ends: boolean;
}

export interface SchedulerOptions<J> {
  maxSequences: number;
  /** Most rows of prompts in a pass, and most deferred ones. */
  prefillRows: number;
  /** Asked for the job that has waited longest; takes what the job needs, or says no and takes nothing. */
  admit: (job: J) => boolean;
}

type Token = Pick<PassRow<unknown>, 'position' | 'loop' | 'source' | 'isOwed'>;

const starting = (position: number): Token => ({ position, loop: 0, source: null, isOwed: false });

interface Running {
  /** Prompt tokens that have been started. */
  started: number;
  /** Tokens under way, by position: those of a chunk, or those that owe and last the one that is decoded. */
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

  /** The rows of the next pass, decoding ones first, of these and of prompts within a job by position; none when there is nothing to do. */
  plan(): Plan<J> {
    this.#admit();
    const plan: Plan<J> = { rows: [], kept: [], held: 0 };
    const prompts: PassRow<J>[] = [];
    const push = (job: J, token: Token): void => {
      const isPrompt = token.position < job.promptTokens;
      (isPrompt ? prompts : plan.rows).push({ job, isPrompt, ...token });
    };
    const strides = this.#stridesUnderWay();
    let room = this.#options.prefillRows;
    for (const [job, { started, tokens }] of this.#running) {
      if (isReading(job, tokens)) for (const token of tokens) push(job, token);
      else if (started === job.promptTokens) room -= this.#planDecoding(plan, job, tokens, { room, strides });
    }
    for (const [job, running] of this.#running) {
      const free = this.#options.prefillRows - prompts.length;
      const size = running.tokens.length === 0 ? Math.min(free, job.promptTokens - running.started) : 0;
      for (let i = 0; i < size; i++) running.tokens.push(starting(running.started++));
      if (size > 0 && running.started === job.promptTokens && job.joinsPrompt)
        running.tokens.push(starting(job.promptTokens));
      if (size > 0) for (const token of running.tokens) push(job, token);
    }
    plan.rows.push(...prompts);
    return plan;
  }

  /** Takes a pass's outcomes. @param rows what `plan` gave @returns jobs whose prompt has been read; they decode from the next pass on, if they did not before */
  settle(rows: readonly PassRow<J>[], outcomes: readonly Outcome[]): J[] {
    const ran = new Map<J, Map<number, number>>();
    for (const [n, { job, position }] of rows.entries()) {
      const ofJob = ran.get(job);
      if (ofJob) ofJob.set(position, n);
      else ran.set(job, new Map([[position, n]]));
    }
    const read: J[] = [];
    for (const [job, ofJob] of ran) {
      const running = this.#running.get(job);
      assert(running, 'a job of the pass is not running');
      const before = running.tokens;
      running.tokens = settled(job, before, ofJob, outcomes);
      if (!isReading(job, before) || isReading(job, running.tokens) || running.started < job.promptTokens) continue;
      read.push(job);
      if (running.tokens.length === 0) running.tokens = [starting(job.promptTokens)];
    }
    return read;
  }

  /** Of jobs that stand within a token. */
  #stridesUnderWay(): Set<number> {
    const strides = new Set<number>();
    for (const [job, { tokens }] of this.#running)
      if (job.stride !== null && tokens.length > 0 && !isReading(job, tokens) && tokens.at(-1)!.loop > 0)
        strides.add(job.stride);
    return strides;
  }

  /**
   * @param pass how many deferred rows it still takes, and the strides of jobs that stand within a token
   * @returns deferred rows that it took
   */
  #planDecoding(plan: Plan<J>, job: J, tokens: readonly Token[], pass: { room: number; strides: Set<number> }): number {
    const newest = tokens.at(-1)!;
    const isDue = ({ loop }: Token): boolean => !job.defers || loop === newest.loop;
    const due = tokens.slice(0, -1).filter(isDue);
    const isHeld = newest.loop === 0 && due.length === 0 && job.stride !== null && pass.strides.has(job.stride);
    if (isHeld) plan.held++;
    const most = job.defers ? pass.room : due.length;
    const running = new Set(due.slice(0, most));
    if (due.length <= most && !isHeld) running.add(newest);
    for (const token of tokens) {
      if (running.has(token)) plan.rows.push({ job, isPrompt: false, ...token });
      else if (typeof token.source === 'number') {
        plan.kept.push({ job, position: token.position, row: token.source });
        token.source = 'kept';
      }
    }
    return job.defers ? Math.min(due.length, most) : 0;
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

function isReading({ promptTokens }: Job, tokens: readonly Token[]): boolean {
  return tokens.length > 0 && tokens[0]!.position < promptTokens;
}

/** The tokens of a job after a pass. @param rows by position, of those that ran */
function settled(
  { promptTokens }: Job,
  tokens: readonly Token[],
  rows: ReadonlyMap<number, number>,
  outcomes: readonly Outcome[],
): Token[] {
  const left: Token[] = [];
  for (const token of tokens) {
    const row = rows.get(token.position);
    if (row === undefined) {
      left.push(token);
      continue;
    }
    const { next, drops, ends } = outcomes[row]!;
    const { position, loop, isOwed } = token;
    const isPrompt = position < promptTokens;
    const isFollowed = isOwed && !drops;
    if (!ends) left.push({ position, loop: loop + 1, source: row, isOwed: !isPrompt && (isFollowed || next) });
    if (isPrompt) continue;
    if (next) left.push(starting(position + 1));
    if (drops) break;
  }
  return left;
}
