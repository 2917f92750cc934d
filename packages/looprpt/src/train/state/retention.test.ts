/** Which checkpoints stay. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { damageOf } from './folder.js';
import { applyRetention, type Candidate, expendable, keepBestSchema, type RetentionPolicy } from './retention.js';

const policy = (changes: Partial<RetentionPolicy> = {}): RetentionPolicy => ({
  every: 10,
  keep: 2,
  keepEvery: null,
  keepBest: null,
  ...changes,
});
const loss = (value: number): Candidate['score'] => ({ metric: 'loss', value });
const best = (goal: 'min' | 'max', count = 1) => keepBestSchema.parse({ goal, count });

const steps = (...all: number[]): Candidate[] => all.map((step) => ({ step, score: null }));

describe('what may go', () => {
  it('is all but the newest N', () => {
    expect(expendable(steps(10, 20, 30, 40), policy())).toEqual([20, 10]);
    expect(expendable(steps(40, 10, 30, 20), policy({ keep: 3 }))).toEqual([10]);
    expect(expendable(steps(10), policy())).toEqual([]);
  });

  it('is no multiple of M × every, wherever the run was interrupted; step 0 is none', () => {
    expect(expendable(steps(0, 10, 13, 20, 30, 40, 50, 60), policy({ keepEvery: 2 }))).toEqual([30, 13, 10, 0]);
  });

  it('is not the best by the metric, small or large; older than the newest of equals; of another metric not counted', () => {
    const scored: Candidate[] = [
      { step: 10, score: loss(1) },
      { step: 20, score: loss(3) },
      { step: 30, score: loss(1) },
      { step: 40, score: { metric: 'parts.ce', value: -9 } },
      { step: 50, score: null },
      { step: 60, score: loss(2) },
    ];
    expect(expendable(scored, policy({ keep: 1, keepBest: best('min') }))).toEqual([50, 40, 20, 10]);
    expect(expendable(scored, policy({ keep: 1, keepBest: best('max') }))).toEqual([50, 40, 30, 10]);
    expect(expendable(scored, policy({ keep: 1, keepBest: best('min', 2) }))).toEqual([50, 40, 20]);
  });

  it('never is the newest, and what stays is stable under a second look', () => {
    const candidates = fc.uniqueArray(
      fc.record({
        step: fc.nat(200),
        score: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map(loss)),
      }),
      { selector: ({ step }) => step, maxLength: 20 },
    );
    const policies = fc.record({
      every: fc.integer({ min: 1, max: 20 }),
      keep: fc.integer({ min: 1, max: 4 }),
      keepEvery: fc.option(fc.integer({ min: 1, max: 4 })),
      keepBest: fc.option(fc.constantFrom(best('min'), best('max', 3))),
    });
    fc.assert(
      fc.property(candidates, policies, (all, chosen) => {
        const gone = new Set(expendable(all, chosen));
        const left = all.filter(({ step }) => !gone.has(step));
        expect(left.length).toBeGreaterThanOrEqual(Math.min(all.length, chosen.keep));
        if (all.length > 0) expect(gone.has(Math.max(...all.map(({ step }) => step)))).toBe(false);
        expect(expendable(left, chosen)).toEqual([]);
      }),
    );
  });
});

/** The smallest folder that counts as a whole checkpoint. */
function makeCheckpoint(runFolder: string, step: number): string {
  const folder = join(runFolder, 'checkpoints', `step-${step}`);
  mkdirSync(folder, { recursive: true });
  const sums: Record<string, string> = {};
  for (const name of ['trainer.json', 'trainer.safetensors']) {
    const text = `{"step":${step}}`;
    writeFileSync(join(folder, name), text);
    sums[name] = createHash('sha256').update(text).digest('hex');
  }
  writeFileSync(join(folder, 'checksums.json'), JSON.stringify(sums));
  return folder;
}

describe('on the disk', () => {
  it('damaged checkpoints stay and do not count, known ones are looked at again before they go', async () => {
    const { path } = temporaryFolder();
    const [first, second, third, , fifth] = [10, 20, 30, 40, 50].map((step) => makeCheckpoint(path, step));
    const known = new Set([third!]);
    writeFileSync(join(fifth!, 'trainer.safetensors'), 'x');
    writeFileSync(join(second!, 'checksums.json'), 'x');
    // Known to be whole, and damaged since.
    known.add(first!);
    writeFileSync(join(first!, 'trainer.json'), 'x');
    makeCheckpoint(path, 60);
    await applyRetention(path, policy(), known);
    // 60 and 40 are the newest whole ones; 30 went.
    expect(readdirSync(join(path, 'checkpoints')).sort()).toEqual([
      'step-10',
      'step-20',
      'step-40',
      'step-50',
      'step-60',
    ]);
    expect(await damageOf(second!)).not.toBeNull();
  });

  it('a folder is gone at once', async () => {
    const { path } = temporaryFolder();
    const [old] = [10, 20, 30].map((step) => makeCheckpoint(path, step));
    await applyRetention(path, policy(), new Set());
    expect(existsSync(old!)).toBe(false);
    expect(readdirSync(join(path, 'checkpoints')).sort()).toEqual(['step-20', 'step-30']);
  });
});
