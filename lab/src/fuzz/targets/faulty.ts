/** Readers with faults on purpose, one of each kind: what the fuzzer must find. For its tests. */
import { readFileSync, statSync } from 'node:fs';
import { empty } from '@looprpt/engine';
import fc from 'fast-check';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { LINK, OUTSIDE } from '../mutate/hostile.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

/** Goes wrong where the one byte of the file is at least 200. */
function whereLarge(goWrong: (folder: string, value: number) => void): () => FuzzTarget {
  return () => ({
    cases: fc.integer({ min: 0, max: 255 }).map((value): CaseFiles => [['byte', Uint8Array.of(value)]]),
    read(folder, [file]) {
      delete (Object.prototype as Record<string, unknown>).polluted;
      const value = file![1][0]!;
      if (value >= 200) goWrong(folder, value);
    },
  });
}

const kept: Buffer[] = [];

export const faulty = {
  'plain-error': whereLarge((_, value) => {
    throw new TypeError(`a fault at ${value}`);
  }),
  'endless-message': whereLarge(() => {
    throw Object.assign(new UserError(''), { message: 'word '.repeat(1000) });
  }),
  'looks-outside': whereLarge((folder) => void statSync(`${folder}/../${OUTSIDE}`)),
  'follows-a-link': whereLarge((folder) => void readFileSync(`${folder}/${LINK}`)),
  'leaks-a-tensor': whereLarge(() => void empty([2])),
  'changes-a-prototype': whereLarge(() => {
    (Object.prototype as Record<string, unknown>).polluted = 1;
  }),
  'takes-memory': whereLarge((_, value) => {
    kept[0] = Buffer.alloc(2e8, value);
  }),
  dies: whereLarge(() => process.abort()),
  'stands-still': whereLarge(() => {
    for (;;);
  }),
} as const;

export type FaultyName = keyof typeof faulty;
