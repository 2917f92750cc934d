/**
 * What the lines of one file have in common: the same text with other numbers in it. A line that fits is read by its numbers alone, an
 * order of magnitude faster than by `JSON.parse`, and means the same: its keys are those of the line that the shape was made from.
 */

import { eachNumber } from '../flat.js';
import { DecimalReader } from './decimal.js';

const [NEWLINE, SMALL_N] = [10, 110];
const NULL = Uint8Array.from([110, 117, 108, 108]);
/** As JSON writes the text of one NUL character. */
const MARK = '"\\u0000"';

export class LineShape {
  /** Numbers of the line that fitted last, NaN where it has null. */
  readonly values: Float64Array;
  /** What each of them measures; null where nothing that a curve is of. */
  readonly names: readonly (string | null)[];
  /** Which of them is the step. */
  readonly step: number;
  /** The texts around the numbers, one behind the other, and where each begins. */
  readonly #text: Buffer;
  readonly #begins: Int32Array;
  readonly #decimal = new DecimalReader();

  private constructor(pieces: readonly string[], names: readonly (string | null)[], step: number) {
    const texts = pieces.map((piece) => Buffer.from(piece));
    this.#text = Buffer.concat([...texts, Buffer.of(NEWLINE)]);
    this.#begins = new Int32Array(texts.length + 1);
    for (const [i, text] of texts.entries()) this.#begins[i + 1] = this.#begins[i]! + text.length;
    this.#begins[texts.length]!++;
    this.values = new Float64Array(names.length);
    this.names = names;
    this.step = step;
  }

  /** @param record what `line` means @returns null for a line that is not written as `JSON.stringify` writes it */
  static of(line: string, record: Readonly<Record<string, unknown>>): LineShape | null {
    const found: (number | null)[] = [];
    /** The record with the place of each number in its stead. */
    const places = JSON.parse(line, (_, value) =>
      typeof value === 'number' || value === null ? found.push(value) : value,
    ) as Record<string, unknown>;
    const pieces = JSON.stringify(places, (_, value) => (typeof value === 'number' ? '\0' : value)).split(MARK);
    const whole = pieces.map((piece, i) => (i === 0 ? '' : JSON.stringify(found[i - 1])) + piece).join('');
    if (pieces.length !== found.length + 1 || whole !== line || typeof record.step !== 'number') return null;
    const names: (string | null)[] = found.map(() => null);
    eachNumber(places, (name, place) => {
      names[place - 1] = name;
    });
    return new LineShape(pieces, names, (places.step as number) - 1);
  }

  /** Where the line that begins at `at` ends, its newline included, with its numbers in `values`; -1 where it does not fit. */
  fit(bytes: Uint8Array, at: number): number {
    const { values } = this;
    const text = this.#text;
    const begins = this.#begins;
    const decimal = this.#decimal;
    let i = at;
    for (let slot = 0; ; slot++) {
      const end = begins[slot + 1]!;
      for (let t = begins[slot]!; t < end; t++) if (bytes[i++] !== text[t]) return -1;
      if (slot === values.length) return i;
      if (bytes[i] === SMALL_N) {
        for (const letter of NULL) if (bytes[i++] !== letter) return -1;
        values[slot] = Number.NaN;
        continue;
      }
      values[slot] = decimal.read(bytes, i);
      i = decimal.end;
      if (i < 0) return -1;
    }
  }
}
