/**
 * What has been read of a `metrics.jsonl`: its numbers over steps, the last record, the speed, what is wrong with it. Lines come in as
 * bytes, in their order. Knows no files.
 */
import { METRICS_FILE } from '../metrics-log.js';
import { LineShape } from './line-shape.js';
import { Pace } from './pace.js';
import { type LooseRecord, numberOf, parseLine } from './record-line.js';
import { type Column, Series } from './series.js';

const NEWLINE = 10;
const MOST_LINES = 5;
/** Of a run: without and with what is not measured in every step. */
const MOST_SHAPES = 4;
/** Lines of a file that fit no shape, behind which it is not tried any more. */
const MOST_MISFITS = 200;

interface Shaped {
  shape: LineShape;
  /** Where the numbers go: undefined until one came, null where they are not kept. */
  columns: (Column | null | undefined)[];
  /** Which number is the time. */
  seconds: number;
}

export interface ReadingState {
  series: Series;
  last: LooseRecord | null;
  recent: [step: number, seconds: number][];
  badLines: string[];
  warnings: string[];
}

export class MetricsReading {
  readonly series: Series;
  readonly #within: { first: number; last: number };
  readonly #pace = new Pace();
  readonly #shapes: Shaped[] = [];
  #last: LooseRecord | null;
  /** The last line that a shape fitted, until somebody asks for it. */
  #lastLine: Buffer | null = null;
  #misfits = 0;
  #badLines: string[];
  #warnings: string[];

  /** @param within steps that are taken */
  constructor(state?: ReadingState, within = { first: 1, last: Number.POSITIVE_INFINITY }) {
    const { series = new Series(), last = null, recent = [], badLines = [], warnings = [] } = state ?? {};
    this.series = series;
    this.#within = within;
    this.#last = last;
    for (const [step, seconds] of recent) this.#pace.add(step, seconds);
    this.#badLines = [...badLines];
    this.#warnings = [...warnings];
  }

  get state(): ReadingState {
    const [series, badLines, warnings] = [this.series, this.#badLines, this.#warnings];
    return { series, last: this.last, recent: this.#pace.recent, badLines, warnings };
  }

  get last(): LooseRecord | null {
    if (this.#lastLine !== null) this.#last = parseLine(this.#lastLine.toString('utf8'));
    this.#lastLine = null;
    return this.#last;
  }

  /** What a reader of the run should know, a sentence each. */
  get lines(): string[] {
    return [...this.#badLines, ...this.#warnings];
  }

  secondsLeft(steps: number | null): number | null {
    return this.#pace.left(steps);
  }

  /** @param bytes whole lines; none for a stretch without any @param offset where they begin in the file */
  take(bytes: Buffer, offset: number): void {
    if (bytes.length === 0) this.#reject(offset);
    let last: [begin: number, end: number] | null = null;
    for (let at = 0; at < bytes.length; ) {
      const end = this.#takeShaped(bytes, at, offset);
      if (end > 0) {
        last = [at, end];
        at = end;
        continue;
      }
      const newline = bytes.indexOf(NEWLINE, at);
      if (this.#takeAny(bytes.toString('utf8', at, newline), offset + at)) last = null;
      at = newline + 1;
    }
    if (last) this.#lastLine = Buffer.from(bytes.subarray(...last));
  }

  /** @returns where the line ends; -1 where it is to be read in another way, and nothing was taken */
  #takeShaped(bytes: Buffer, at: number, offset: number): number {
    for (const { shape, columns, seconds } of this.#shapes) {
      const end = shape.fit(bytes, at);
      if (end < 0) continue;
      const { values, names } = shape;
      const step = values[shape.step]!;
      if (!this.#isWithin(step) || !this.series.begin(step, offset + at)) return -1;
      for (let slot = 0; slot < values.length; slot++) {
        const value = values[slot]!;
        if (names[slot] === null || !Number.isFinite(value)) continue;
        let column = columns[slot];
        if (column === undefined) {
          column = this.series.column(names[slot]!);
          columns[slot] = column;
        }
        if (column) this.series.put(column, value);
      }
      this.#pace.add(step, seconds < 0 ? Number.NaN : values[seconds]!);
      return end;
    }
    return -1;
  }

  /** @returns whether it is the last record now */
  #takeAny(line: string, offset: number): boolean {
    const record = parseLine(line);
    if (record === null) {
      this.#reject(offset);
      return false;
    }
    if (!this.#isWithin(record.step) || !this.series.add(record, offset)) return false;
    this.#last = record;
    this.#lastLine = null;
    this.#pace.add(record.step, numberOf(record, 'seconds') ?? Number.NaN);
    if (!Array.isArray(record.warnings)) this.#learn(line, record);
    else
      for (const warning of record.warnings) {
        this.#warnings.push(`step ${record.step}: ${String(warning).slice(0, 300)}`);
        if (this.#warnings.length > MOST_LINES) this.#warnings.shift();
      }
    return true;
  }

  #reject(offset: number): void {
    if (this.#badLines.length < MOST_LINES)
      this.#badLines.push(`${METRICS_FILE}, byte ${offset}: not a record of a run`);
  }

  #learn(line: string, record: LooseRecord): void {
    if (this.#misfits++ > MOST_MISFITS) return;
    const shape = LineShape.of(line, record);
    if (!shape) return;
    this.#shapes.unshift({ shape, columns: [], seconds: shape.names.indexOf('seconds') });
    if (this.#shapes.length > MOST_SHAPES) this.#shapes.pop();
  }

  #isWithin(step: number): boolean {
    return Number.isSafeInteger(step) && step >= this.#within.first && step <= this.#within.last;
  }
}
