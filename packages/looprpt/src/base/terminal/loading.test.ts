import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { loadingLine, loadRemarks } from './loading.js';
import type { TerminalOptions } from './output.js';

const GB = 1e9;

/** What a line says while tensors of `steps` GB are read, a step a second. */
function lines(steps: readonly number[], options: Partial<TerminalOptions> & { isTTY?: boolean } = {}): string {
  const stream = Object.assign(new PassThrough(), { isTTY: options.isTTY ?? false });
  let seconds = 0;
  const onLoad = loadingLine({ quiet: options.quiet ?? false, stream, now: () => 1000 * seconds });
  const all = steps.reduce((sum, step) => sum + step, 0);
  let read = 0;
  for (const step of steps) {
    read += step;
    onLoad(read * GB, all * GB);
    seconds++;
  }
  return String(stream.read() ?? '');
}

test('nothing for weights that are there within a second, and with quiet nothing at all', () => {
  expect(lines([5])).toBe('');
  expect(lines([1, 1])).toBe('');
  expect(lines(Array(30).fill(1), { quiet: true })).toBe('');
});

test('bytes, and the time left at the pace so far: a line at once, then one now and then', () => {
  expect(lines([1, 1, 1, 1]).split('\n')).toEqual([
    'weights: 2.0 of 4.0 GB, 2.0 s left',
    'weights: 4.0 of 4.0 GB, in 3.0 s',
    '',
  ]);
  expect(lines(Array(14).fill(0.5)).split('\n')).toEqual([
    'weights: 1.0 of 7.0 GB, 12 s left',
    'weights: 6.0 of 7.0 GB, 2.0 s left',
    'weights: 7.0 of 7.0 GB, in 13 s',
    '',
  ]);
});

test('on a terminal one line, rewritten', () => {
  expect(lines([1, 1, 1], { isTTY: true })).toBe(
    '\r\x1b[Kweights: 2.0 of 3.0 GB, 1.0 s left\r\x1b[Kweights: 3.0 of 3.0 GB, in 2.0 s\n',
  );
});

test('remarks: one after a second, then at each quarter', () => {
  const said: string[] = [];
  let seconds = 0;
  const onLoad = loadRemarks(
    (line) => said.push(line),
    () => 1000 * seconds,
  );
  for (; seconds < 8; seconds++) onLoad((seconds + 1) * GB, 8 * GB);
  expect(said.map((line) => line.split(' of ')[0])).toEqual([
    'weights: 2.0',
    'weights: 4.0',
    'weights: 6.0',
    'weights: 8.0',
  ]);
});
