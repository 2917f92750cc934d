/** A run's metrics as comma-separated values, as they are read: a line of names, then one line a step. Numbers are written in full. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { eachNumber } from '../../train/metrics/flat.js';
import { parseLine } from '../../train/metrics/thinned/record-line.js';

/** A stretch of lines that is sent together. */
const PIECE = 1 << 16;

/** @param columns in the order that they are written in; a step without a value has an empty field */
export function csvLines(bytes: Readable, columns: readonly string[]): ReadableStream<Uint8Array> {
  return Readable.toWeb(Readable.from(pieces(bytes, columns))) as ReadableStream<Uint8Array>;
}

async function* pieces(bytes: Readable, columns: readonly string[]): AsyncGenerator<Buffer, void> {
  let piece = `${['step', ...columns].map(field).join(',')}\n`;
  for await (const line of createInterface({ input: bytes, crlfDelay: Number.POSITIVE_INFINITY })) {
    const record = parseLine(line);
    if (record === null) continue;
    const values = new Map<string, number>();
    eachNumber(record, (name, value) => values.set(name, value));
    piece += `${[record.step, ...columns.map((name) => values.get(name) ?? '')].join(',')}\n`;
    if (piece.length < PIECE) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  yield Buffer.from(piece);
}

/** A name that a spreadsheet might take for a formula, or that holds a comma, is quoted. */
function field(name: string): string {
  const safe = /^[=+\-@\t\r]/.test(name) ? `'${name}` : name;
  return /^[\w.]+$/.test(safe) ? safe : `"${safe.replaceAll('"', '""')}"`;
}
