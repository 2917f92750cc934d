/** One run folder as the studio sees it: what it has read of the metrics so far, what the run is doing, what is wrong with it. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { METRICS_FILE } from '../../train/metrics/metrics-log.js';
import { Checkpoints } from './checkpoints.js';
import { MetricsTail, opened, readLines } from './metrics-tail.js';
import { type LooseRecord, numberOf, parseLine } from './record-line.js';
import { sampled } from './sample.js';
import { Series, type ThinRange, type ThinSeries } from './series.js';
import { Pace, planOf, type RunPlan, type RunState, stateOf } from './status.js';

/** A run in the list, as `GET /api/runs` has it. */
export interface RunSummary {
  id: string;
  name: string;
  path: string;
  state: RunState;
  step: number;
  steps: number | null;
  tokens: number | null;
  seconds: number | null;
  secondsLeft: number | null;
  loss: number | null;
  meanLoops: number | null;
  objective: string | null;
  /** The model that it began from. */
  from: string | null;
  /** Newest first. */
  checkpoints: { step: number; damage: string | null }[];
  /** Whether `eval.json` lies in it. */
  evaluated: boolean;
  /** Share of the metrics that has been read. */
  read: number;
  columns: string[];
  /** What a reader should know: damage, a collapsing gate, files that are not ours. */
  lines: string[];
}

export interface RunCurves extends ThinSeries {
  id: string;
  /** False while the file is still being read: single steps in place of means. */
  exact: boolean;
}

/** A zoomed part of the file larger than this is shown as it was thinned. */
const MOST_ZOOMED = 64 << 20;
const MOST_LINES = 5;

export class WatchedRun {
  readonly id: string;
  readonly path: string;
  readonly #tail: MetricsTail;
  readonly #checkpoints: Checkpoints;
  readonly #pace = new Pace();
  #series = new Series();
  /** What a first look at a long file gave, until the file has been read. */
  #preview: Series | null = null;
  #ends: Series | null = null;
  #plan: RunPlan;
  #last: LooseRecord | null = null;
  #left = Number.POSITIVE_INFINITY;
  #state: RunState = 'stopped';
  #badLines: string[] = [];
  #warnings: string[] = [];

  constructor(path: string) {
    this.path = resolve(path);
    this.id = createHash('sha256').update(this.path).digest('base64url').slice(0, 12);
    this.#tail = new MetricsTail(join(this.path, METRICS_FILE));
    this.#checkpoints = new Checkpoints(this.path);
    this.#plan = planOf(this.path);
    this.refresh();
  }

  get isRead(): boolean {
    return this.#left === 0;
  }

  /** Takes in at most so many bytes. @returns whether there was something new */
  read(most: number): boolean {
    const before = this.#tail.offset;
    const news = this.#tail.read(
      (line, offset) => this.#take(line, offset),
      most,
      () => this.#restart(),
    );
    const left = news?.left ?? 0;
    const changed = this.#tail.offset !== before || left !== this.#left || news?.restarted === true;
    this.#left = left;
    if (this.isRead) {
      this.#preview = null;
      this.#ends = null;
    }
    return changed;
  }

  /** Looks at everything but the metrics. @returns whether something changed */
  refresh(): boolean {
    const before = this.#state;
    const plan = planOf(this.path);
    const samePlan = JSON.stringify(plan) === JSON.stringify(this.#plan);
    this.#plan = plan;
    const checkpoints = this.#checkpoints.refresh();
    this.#state = stateOf(this.path, { step: this.#step, steps: plan.steps, changed: this.#changed });
    return checkpoints || !samePlan || this.#state !== before;
  }

  /** Looks whether one more checkpoint is whole. @returns false where all have been looked at */
  check(): Promise<boolean> {
    return this.#checkpoints.check();
  }

  curves(columns: readonly string[], range: ThinRange): RunCurves {
    const series = this.#shown;
    const zoomed = this.#zoomed(series, range);
    return { id: this.id, exact: series === this.#series && this.isRead, ...(zoomed ?? series).read(columns, range) };
  }

  get summary(): RunSummary {
    const { steps, objective, from } = this.#plan;
    const last = this.#last;
    const step = this.#step;
    return {
      id: this.id,
      name: basename(this.path),
      path: this.path,
      state: this.#state,
      step,
      steps,
      tokens: numberOf(last, 'tokens'),
      seconds: numberOf(last, 'seconds'),
      secondsLeft: this.#state === 'running' ? this.#pace.left(steps) : null,
      loss: numberOf(last, 'loss'),
      meanLoops: numberOf(last, 'meanLoops'),
      objective,
      from,
      checkpoints: this.#checkpoints.all.map(({ step: at, damage }) => ({ step: at, damage })),
      evaluated: existsSync(join(this.path, 'eval.json')),
      read: this.isRead ? 1 : this.#tail.offset / Math.max(1, this.#tail.size),
      columns: this.#glance.columnNames,
      lines: this.#lines,
    };
  }

  /** A first look while the file is being read: the better of the two. */
  get #shown(): Series {
    if (this.isRead) return this.#series;
    this.#preview ??= sampled(this.#tail.path) ?? new Series();
    return this.#preview.lastStep > this.#series.lastStep ? this.#preview : this.#series;
  }

  /** What the list says of a file that has not been read: from its first and last lines. */
  get #glance(): Series {
    if (this.isRead || this.#series.lastStep > 0) return this.#series;
    this.#ends ??= sampled(this.#tail.path, { lines: 1 }) ?? this.#series;
    return this.#ends;
  }

  get #step(): number {
    return Math.max(this.#series.lastStep, this.isRead ? 0 : (this.#ends?.lastStep ?? this.#glance.lastStep));
  }

  get #changed(): number {
    return statSync(this.#tail.path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  get #lines(): string[] {
    const damaged = this.#checkpoints.all.flatMap(({ step, damage }) =>
      damage === null ? [] : [`checkpoint of step ${step} is damaged and skipped: ${damage}`],
    );
    return [...damaged, ...this.#badLines, ...this.#warnings].slice(0, 2 * MOST_LINES);
  }

  #take(line: string, offset: number): void {
    const record = parseLine(line);
    if (record === null) {
      if (this.#badLines.length < MOST_LINES)
        this.#badLines.push(`${METRICS_FILE}, byte ${offset}: not a record of a run`);
      return;
    }
    if (!this.#series.add(record, offset)) return;
    this.#last = record;
    this.#pace.add(record.step, numberOf(record, 'seconds'));
    if (Array.isArray(record.warnings))
      for (const warning of record.warnings) {
        this.#warnings.push(`step ${record.step}: ${String(warning).slice(0, 300)}`);
        if (this.#warnings.length > MOST_LINES) this.#warnings.shift();
      }
  }

  #restart(): void {
    this.#series = new Series();
    this.#pace.clear();
    this.#last = null;
    this.#badLines = [];
    this.#warnings = [];
    this.#preview = null;
    this.#ends = null;
  }

  /** The steps of a range, read again from the file, where the thinned ones are too coarse for it. */
  #zoomed(series: Series, { from, to, points }: ThinRange): Series | null {
    if ((from === undefined && to === undefined) || series !== this.#series || series.width === 1) return null;
    const bytes = series.bytesOf(from ?? 1, to ?? Number.POSITIVE_INFINITY);
    const end = bytes?.end ?? this.#tail.offset;
    const [first, last] = [from ?? 1, Math.min(to ?? series.lastStep, series.lastStep)];
    if (!bytes || end - bytes.begin > MOST_ZOOMED || (last - first) / series.width >= points) return null;
    const descriptor = opened(this.#tail.path);
    if (descriptor === null) return null;
    const fine = new Series();
    try {
      readLines(descriptor, { begin: bytes.begin, end, most: end - bytes.begin }, (line, offset) => {
        const record = parseLine(line);
        if (record && record.step >= first && record.step <= last) fine.add(record, offset);
      });
    } finally {
      closeSync(descriptor);
    }
    return fine;
  }
}
