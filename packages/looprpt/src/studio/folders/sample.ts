/**
 * A first look at a long `metrics.jsonl` that has not been read yet: single lines at even distances, and the last ones. Good for a curve
 * that is replaced within seconds by what the whole file says.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { parseLine } from '../../train/metrics/thinned/record-line.js';
import { Series } from '../../train/metrics/thinned/series.js';
import { opened } from '../../train/metrics/thinned/tail.js';

const LINES = 200;
/** Enough for the rest of one record and the whole of the next. */
const PIECE = 4096;

/** @param options.lines beside the last one @returns null where the file is short enough to be read at once, or cannot be read */
export function sampled(path: string, { lines = LINES, shortest = LINES * PIECE } = {}): Series | null {
  const descriptor = opened(path);
  if (descriptor === null) return null;
  try {
    const { size } = fstatSync(descriptor);
    if (size <= shortest) return null;
    const series = new Series();
    const piece = Buffer.allocUnsafe(PIECE);
    for (let i = 0; i <= lines; i++) {
      const offset = Math.floor(((size - PIECE) * i) / lines);
      const length = readSync(descriptor, piece, 0, PIECE, offset);
      const record = lineWithin(piece.toString('utf8', 0, length), i === 0, i === lines);
      if (record) series.add(record, 0);
    }
    return series;
  } finally {
    closeSync(descriptor);
  }
}

function lineWithin(text: string, isFirst: boolean, isLast: boolean) {
  const lines = text.split('\n');
  // The pieces at both ends are cut off, but for the one at the file's start.
  const whole = lines.slice(isFirst ? 0 : 1, -1);
  const line = isLast ? whole.at(-1) : whole[0];
  return line === undefined ? null : parseLine(line);
}
