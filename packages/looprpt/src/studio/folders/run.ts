/** One run folder as the studio sees it: what it has read of the metrics so far, what the run is doing, what is wrong with it. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { METRICS_FILE } from '../../train/metrics/metrics-log.js';
import { DIGEST_FILE, type Digest, digestFrom, readDigest } from '../../train/metrics/thinned/digest.js';
import { MetricsReading } from '../../train/metrics/thinned/reading.js';
import { numberOf } from '../../train/metrics/thinned/record-line.js';
import { Series, type ThinRange, type ThinSeries } from '../../train/metrics/thinned/series.js';
import { MetricsTail, opened, readLines } from '../../train/metrics/thinned/tail.js';
import { LOCK_FILE } from '../../train/state/run-lock.js';
import { Checkpoints } from './checkpoints.js';
import { sampled } from './sample.js';
import { planOf, type RunPlan, type RunState, stateOf } from './status.js';

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
const MOST_LINES = 10;
/** Between two full looks at a run that rests. */
const RESTING_MS = 5000;

export class WatchedRun {
  readonly id: string;
  readonly path: string;
  readonly #checkpoints: Checkpoints;
  #tail: MetricsTail;
  #reading = new MetricsReading();
  /** What a first look at a long file gave, until the file has been read. */
  #preview: Series | null = null;
  #ends: Series | null = null;
  #plan: RunPlan;
  #left = Number.POSITIVE_INFINITY;
  #state: RunState = 'stopped';
  #locked = false;
  /** When it was looked at in full, and how far it was then: what others have read (`adopt`) moves that too. */
  #refreshed = 0;
  #stepThen = 0;

  /** @param kept finds a digest of its metrics, where the run keeps none itself */
  constructor(path: string, kept: (path: string) => Digest | null = () => null) {
    this.path = resolve(path);
    this.id = createHash('sha256').update(this.path).digest('base64url').slice(0, 12);
    const metrics = join(this.path, METRICS_FILE);
    const digest = readDigest(join(this.path, DIGEST_FILE), metrics) ?? kept(metrics);
    this.#reading = digest?.reading ?? this.#reading;
    this.#tail = new MetricsTail(metrics, digest?.covers);
    this.#checkpoints = new Checkpoints(this.path);
    this.#plan = planOf(this.path);
    if (this.unread === 0) this.read(0);
    this.refresh();
  }

  get isRead(): boolean {
    return this.#left === 0;
  }

  get metrics(): string {
    return this.#tail.path;
  }

  /** Bytes of the metrics that have not been read. */
  get unread(): number {
    return Math.max(0, (statSync(this.metrics, { throwIfNoEntry: false })?.size ?? 0) - this.#tail.offset);
  }

  /** What has been read so far. */
  get digest(): Digest {
    return { reading: this.#reading, covers: this.#tail.offset };
  }

  /** Takes what somebody else has read, where it is more. @param bytes of a digest @returns false where it is none of this run */
  adopt(bytes: Buffer): boolean {
    const digest = digestFrom(bytes, this.metrics);
    if (!digest || digest.covers <= this.#tail.offset) return false;
    this.#reading = digest.reading;
    this.#tail = new MetricsTail(this.metrics, digest.covers);
    return true;
  }

  /** Takes in at most so many bytes. @returns whether there was something new */
  read(most: number): boolean {
    const before = this.#tail.offset;
    const news = this.#tail.read(
      (lines, offset) => this.#reading.take(lines, offset),
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

  /**
   * Looks at everything but the metrics. One that rests is looked at in full now and then: thousands of them would keep a core busy.
   * @param options.news whether its metrics have something new @returns whether something changed
   */
  refresh({ news: hasNews = true } = {}): boolean {
    const locked = existsSync(join(this.path, LOCK_FILE));
    const rests = this.#state !== 'running' && locked === this.#locked && !hasNews && this.#step === this.#stepThen;
    if (rests && Date.now() - this.#refreshed < RESTING_MS) return false;
    this.#locked = locked;
    this.#refreshed = Date.now();
    this.#stepThen = this.#step;
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
    return {
      id: this.id,
      exact: series === this.#reading.series && this.isRead,
      ...(zoomed ?? series).read(columns, range),
    };
  }

  get summary(): RunSummary {
    const { steps, objective, from } = this.#plan;
    const { last } = this.#reading;
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
      secondsLeft: this.#state === 'running' ? this.#reading.secondsLeft(steps) : null,
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
    if (this.isRead) return this.#reading.series;
    this.#preview ??= sampled(this.#tail.path) ?? new Series();
    return this.#preview.lastStep > this.#reading.series.lastStep ? this.#preview : this.#reading.series;
  }

  /** What the list says of a file that has not been read: from its first and last lines. */
  get #glance(): Series {
    if (this.isRead || this.#reading.series.lastStep > 0) return this.#reading.series;
    this.#ends ??= sampled(this.#tail.path, { lines: 1 }) ?? this.#reading.series;
    return this.#ends;
  }

  get #step(): number {
    return Math.max(this.#reading.series.lastStep, this.isRead ? 0 : (this.#ends?.lastStep ?? this.#glance.lastStep));
  }

  get #changed(): number {
    return statSync(this.#tail.path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  get #lines(): string[] {
    const damaged = this.#checkpoints.all.flatMap(({ step, damage }) =>
      damage === null ? [] : [`checkpoint of step ${step} is damaged and skipped: ${damage}`],
    );
    return [...damaged, ...this.#reading.lines].slice(0, MOST_LINES);
  }

  #restart(): void {
    this.#reading = new MetricsReading();
    this.#preview = null;
    this.#ends = null;
  }

  /** The steps of a range, read again from the file, where the thinned ones are too coarse for it. */
  #zoomed(series: Series, { from, to, points }: ThinRange): Series | null {
    if ((from === undefined && to === undefined) || series !== this.#reading.series || series.width === 1) return null;
    const bytes = series.bytesOf(from ?? 1, to ?? Number.POSITIVE_INFINITY);
    const end = bytes?.end ?? this.#tail.offset;
    const [first, last] = [from ?? 1, Math.min(to ?? series.lastStep, series.lastStep)];
    if (!bytes || end - bytes.begin > MOST_ZOOMED || (last - first) / series.width >= points) return null;
    const descriptor = opened(this.#tail.path);
    if (descriptor === null) return null;
    const fine = new MetricsReading(undefined, { first, last });
    try {
      const whole = { begin: bytes.begin, end, most: end - bytes.begin };
      readLines(descriptor, whole, (lines, offset) => fine.take(lines, offset));
    } finally {
      closeSync(descriptor);
    }
    return fine.series;
  }
}
