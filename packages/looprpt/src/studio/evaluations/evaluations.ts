/**
 * The evaluations that pages asked for: one runs at a time, in a process of its own, the others wait. Results are kept while the studio is
 * open and written nowhere.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { UserError } from '../../base/user-error.js';
import type { Judgement } from '../../eval/judge.js';
import type { EvaluationJob, EvaluationSummary, FromEvaluation } from './protocol.js';

const PROCESS = new URL('../../../dist/studio/evaluations/process.js', import.meta.url);
/** Waiting, running and kept, together. */
const MOST = 50;

interface Entry {
  job: EvaluationJob;
  summary: EvaluationSummary;
  result: Judgement | null;
}

export class Evaluations implements AsyncDisposable {
  readonly #entries = new Map<string, Entry>();
  readonly #onChange: (summary: EvaluationSummary) => void;
  #running: { id: string; child: ChildProcess } | null = null;
  #nextId = 1;

  constructor(onChange: (summary: EvaluationSummary) => void) {
    this.#onChange = onChange;
  }

  get all(): EvaluationSummary[] {
    return [...this.#entries.values()].map(({ summary }) => summary);
  }

  /** Null where there is none, or none yet. */
  result(id: string): Judgement | null {
    return this.#entries.get(id)?.result ?? null;
  }

  /** @throws UserError where there are too many that have not ended */
  start(job: EvaluationJob): EvaluationSummary {
    this.#makeRoom();
    const id = `e${this.#nextId++}`;
    const models = job.base === null ? 1 : 2;
    const summary: EvaluationSummary = {
      ...{ id, model: job.model.name, base: job.base?.name ?? null, data: job.data },
      ...{ state: 'waiting', tokens: 0, mostTokens: models * job.maxTokens, message: null },
    };
    this.#entries.set(id, { job, summary, result: null });
    this.#onChange(summary);
    this.#next();
    return this.#entries.get(id)!.summary;
  }

  /** Without effect on one that has ended. @returns false where there is none of this name */
  stop(id: string): boolean {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    const { state } = entry.summary;
    if (state === 'waiting' || state === 'running') this.#change(id, { state: 'stopped' });
    if (this.#running?.id === id) this.#running.child.kill('SIGKILL');
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#entries.keys()) this.stop(id);
    const child = this.#running?.child;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  #next(): void {
    const waiting = [...this.#entries.values()].find(({ summary }) => summary.state === 'waiting');
    if (this.#running || !waiting) return;
    const { id } = waiting.summary;
    const child = fork(PROCESS, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#running = { id, child };
    this.#change(id, { state: 'running' });
    child.on('message', (message: FromEvaluation) => this.#hear(id, message));
    child.on('error', (error) => this.#change(id, { state: 'failed', message: error.message }));
    child.on('exit', (code, signal) => {
      this.#running = null;
      const { state } = this.#entries.get(id)!.summary;
      if (state === 'running')
        this.#change(id, { state: 'failed', message: `its process ended (${signal ?? `code ${code}`})` });
      this.#next();
    });
    child.send(waiting.job);
  }

  #hear(id: string, message: FromEvaluation): void {
    const entry = this.#entries.get(id)!;
    if (entry.summary.state !== 'running') return;
    if (message.kind === 'progress') this.#change(id, { tokens: message.tokens });
    else if (message.kind === 'failed') this.#change(id, { state: 'failed', message: message.message });
    else {
      entry.result = renamed(message.result, entry.job);
      this.#change(id, { state: 'done' });
    }
  }

  #change(id: string, change: Partial<EvaluationSummary>): void {
    const entry = this.#entries.get(id)!;
    entry.summary = { ...entry.summary, ...change };
    this.#onChange(entry.summary);
  }

  #makeRoom(): void {
    if (this.#entries.size < MOST) return;
    const ended = [...this.#entries].find(
      ([, { summary }]) => summary.state !== 'waiting' && summary.state !== 'running',
    );
    if (!ended) throw new UserError(`${MOST} evaluations wait already; stop some of them first`);
    this.#entries.delete(ended[0]);
  }
}

/** Under the names that the page has for the models. */
function renamed(result: Judgement, { model, base }: EvaluationJob): Judgement {
  const names = new Map([[model.path, model.name], ...(base ? [[base.path, base.name] as const] : [])]);
  const name = (path: string): string => names.get(path) ?? path;
  const { comparisons, ...rest } = result;
  return {
    ...rest,
    model: name(result.model),
    reference: name(result.reference),
    ...(comparisons && { comparisons: comparisons.map((one) => ({ ...one, a: name(one.a), b: name(one.b) })) }),
  };
}
