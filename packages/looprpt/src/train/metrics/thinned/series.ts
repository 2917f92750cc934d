/**
 * The numbers of a run over its steps, thinned as they arrive: buckets of equally many steps, with the mean, the smallest and the
 * largest value of each column. When the buckets are used up, each takes in its neighbour, so that memory stays the same however long
 * the run is.
 *
 * Invariants: a bucket holds the steps of [i·width + 1, (i + 1)·width] and width is a power of two, so that what comes out depends on the
 * records alone, not on when they came; smallest and largest values are exact; steps strictly increase.
 */
import { eachNumber } from '../flat.js';

export const CAPACITY = 512;
/** Columns of a run; a file that has more is hardly ours, and the rest of them are not kept. */
const MOST_COLUMNS = 300;
const LONGEST_NAME = 100;

/** The numbers of one name, a place for each bucket. */
export interface Column {
  readonly sum: Float64Array;
  readonly count: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
}

/** One column over buckets; null where a bucket has no value of it. */
export interface ThinColumn {
  mean: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
}

export interface ThinSeries {
  /** Steps of a bucket. */
  width: number;
  /** The last step of each bucket that there is a record of. */
  steps: number[];
  columns: Record<string, ThinColumn>;
}

export class Series {
  readonly #columns = new Map<string, Column>();
  readonly #index = new Float64Array(CAPACITY);
  readonly #last = new Float64Array(CAPACITY);
  readonly #offset = new Float64Array(CAPACITY);
  #buckets = 0;
  #width = 1;

  get width(): number {
    return this.#width;
  }

  get lastStep(): number {
    return this.#buckets === 0 ? 0 : this.#last[this.#buckets - 1]!;
  }

  get columnNames(): string[] {
    return [...this.#columns.keys()];
  }

  /** @param offset where the record's line begins in the file @returns false where its step does not lie behind the last one */
  add(record: Readonly<Record<string, unknown>>, offset: number): boolean {
    if (!this.begin(record.step, offset)) return false;
    eachNumber(record, (name, value) => {
      const column = this.column(name);
      if (column) this.put(column, value);
    });
    return true;
  }

  /** The step that the next values are of. @returns false where it does not lie behind the last one */
  begin(step: unknown, offset: number): boolean {
    if (typeof step !== 'number' || !Number.isSafeInteger(step) || step <= this.lastStep) return false;
    let index = Math.floor((step - 1) / this.#width);
    if (this.#buckets === 0 || this.#index[this.#buckets - 1] !== index) {
      while (this.#buckets === CAPACITY) this.#halve();
      index = Math.floor((step - 1) / this.#width);
      if (this.#buckets === 0 || this.#index[this.#buckets - 1] !== index) this.#open(index, offset);
    }
    this.#last[this.#buckets - 1] = step;
    return true;
  }

  /** Null where there are too many already. */
  column(name: string): Column | null {
    return this.#columns.get(name) ?? this.#newColumn(name);
  }

  /** @param value finite, of the step that was begun */
  put({ sum, count, min, max }: Column, value: number): void {
    const at = this.#buckets - 1;
    sum[at]! += value;
    count[at]!++;
    if (value < min[at]!) min[at] = value;
    if (value > max[at]!) max[at] = value;
  }

  /**
   * The columns that there are of those asked for, over steps [from, to], in at most `points` buckets.
   * @param points at least 1
   */
  read(columns: readonly string[], { points, from = 1, to = Number.POSITIVE_INFINITY }: ThinRange): ThinSeries {
    const [first, end] = this.#between(from, to);
    let factor = 1;
    while (this.#groups(first, end, factor).length - 1 > points) factor *= 2;
    const groups = this.#groups(first, end, factor);
    const pairs = groups.slice(1).map((stop, g) => [groups[g]!, stop] as const);
    const known = columns.flatMap((name) => {
      const column = this.#columns.get(name);
      return column ? [[name, thinned(column, pairs)] as const] : [];
    });
    return {
      width: this.#width * factor,
      steps: pairs.map(([, stop]) => this.#last[stop - 1]!),
      columns: Object.fromEntries(known),
    };
  }

  /** Bytes of the file that hold the steps of [from, to], up to the bounds of buckets; `end` null: to the end of the file. */
  bytesOf(from: number, to: number): { begin: number; end: number | null } | null {
    const [first, end] = this.#between(from, to);
    if (first === end) return null;
    return { begin: this.#offset[first]!, end: end === this.#buckets ? null : this.#offset[end]! };
  }

  /** Buckets with steps of [from, to]: the first, and the one behind the last. */
  #between(from: number, to: number): [number, number] {
    let first = 0;
    while (first < this.#buckets && this.#last[first]! < from) first++;
    let end = first;
    while (end < this.#buckets && this.#index[end]! * this.#width + 1 <= to) end++;
    return [first, end];
  }

  /** Where groups of buckets begin that become one of `factor` times the width, and where the last one ends. */
  #groups(first: number, end: number, factor: number): number[] {
    const begins: number[] = [];
    for (let at = first; at < end; at++)
      if (at === first || Math.floor(this.#index[at]! / factor) !== Math.floor(this.#index[at - 1]! / factor))
        begins.push(at);
    return [...begins, end];
  }

  /** All of it, for a file: what `restored` takes. */
  get stored(): StoredSeries {
    const parts = [this.#index, this.#last, this.#offset, ...[...this.#columns.values()].flatMap(arraysOf)];
    const numbers = new Float64Array(parts.length * this.#buckets);
    for (const [i, part] of parts.entries()) numbers.set(part.subarray(0, this.#buckets), i * this.#buckets);
    return { width: this.#width, buckets: this.#buckets, columns: this.columnNames, numbers };
  }

  /** @returns null for what no series is stored as */
  static restored({ width, buckets, columns, numbers }: StoredSeries): Series | null {
    const series = new Series();
    const made = columns.map((name) => series.column(name));
    const parts = [series.#index, series.#last, series.#offset, ...made.flatMap((one) => (one ? arraysOf(one) : []))];
    const isWhole = buckets <= CAPACITY && series.#columns.size === columns.length;
    if (!isWhole || !Number.isInteger(Math.log2(width)) || numbers.length !== parts.length * buckets) return null;
    for (const [i, part] of parts.entries()) part.set(numbers.subarray(i * buckets, (i + 1) * buckets));
    series.#width = width;
    series.#buckets = buckets;
    return series;
  }

  #open(index: number, offset: number): void {
    const at = this.#buckets++;
    this.#index[at] = index;
    this.#offset[at] = offset;
    for (const column of this.#columns.values()) clear(column, at);
  }

  #halve(): void {
    const groups = this.#groups(0, this.#buckets, 2);
    for (let at = 0; at < groups.length - 1; at++) {
      const [from, end] = [groups[at]!, groups[at + 1]!];
      this.#index[at] = Math.floor(this.#index[from]! / 2);
      this.#offset[at] = this.#offset[from]!;
      this.#last[at] = this.#last[end - 1]!;
      for (const column of this.#columns.values()) {
        const { sum, count, min, max } = merged(column, from, end);
        column.sum[at] = sum;
        column.count[at] = count;
        column.min[at] = min;
        column.max[at] = max;
      }
    }
    this.#buckets = groups.length - 1;
    this.#width *= 2;
  }

  #newColumn(name: string): Column | null {
    if (this.#columns.size >= MOST_COLUMNS || name.length > LONGEST_NAME) return null;
    const column: Column = {
      sum: new Float64Array(CAPACITY),
      count: new Float64Array(CAPACITY),
      min: new Float64Array(CAPACITY).fill(Number.POSITIVE_INFINITY),
      max: new Float64Array(CAPACITY).fill(Number.NEGATIVE_INFINITY),
    };
    this.#columns.set(name, column);
    return column;
  }
}

export interface StoredSeries {
  width: number;
  buckets: number;
  columns: string[];
  /** A number for each bucket of: place, last step, offset; then sum, count, smallest and largest of each column. */
  numbers: Float64Array;
}

function arraysOf({ sum, count, min, max }: Column): Float64Array[] {
  return [sum, count, min, max];
}

export interface ThinRange {
  points: number;
  from?: number | undefined;
  to?: number | undefined;
}

function clear({ sum, count, min, max }: Column, at: number): void {
  sum[at] = 0;
  count[at] = 0;
  min[at] = Number.POSITIVE_INFINITY;
  max[at] = Number.NEGATIVE_INFINITY;
}

function merged(column: Column, from: number, end: number) {
  let [sum, count, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = from; at < end; at++) {
    sum += column.sum[at]!;
    count += column.count[at]!;
    min = Math.min(min, column.min[at]!);
    max = Math.max(max, column.max[at]!);
  }
  return { sum, count, min, max };
}

function thinned(column: Column, groups: readonly (readonly [number, number])[]): ThinColumn {
  const thin: ThinColumn = { mean: [], min: [], max: [] };
  for (const [from, end] of groups) {
    const { sum, count, min, max } = merged(column, from, end);
    thin.mean.push(count === 0 ? null : sum / count);
    thin.min.push(count === 0 ? null : min);
    thin.max.push(count === 0 ? null : max);
  }
  return thin;
}
