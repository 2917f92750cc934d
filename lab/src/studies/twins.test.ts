/** An arm in another dtype: it starts from the same weights, ends elsewhere, and is held against its twin. */
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { aggregate } from './aggregate.js';
import { conduct } from './conduct.js';
import { differenceOf, rowOf } from './result.js';
import { unitRunner } from './run-unit.js';
import { select } from './select.js';
import { Store } from './store.js';
import { studyMarkdown } from './study-markdown.js';
import { tinyStudy } from './tiny-study.js';
import { twinsInWords, twinTable } from './twins.js';

const { arms } = tinyStudy();
const method = arms.find(({ name }) => name === 'looprpt')!;
const half = { ...method, name: 'looprpt-bfloat16', role: 'variant', dtype: 'bfloat16', against: 'looprpt' } as const;
const study = tinyStudy({
  arms: [
    arms.find(({ role }) => role === 'base')!,
    { ...method, title: 'LoopRPT' },
    { ...half, title: 'LoopRPT, half' },
  ],
  claims: false,
});

describe('an arm in bfloat16', () => {
  it('is held against the same arm in float32', async () => {
    const store = new Store(temporaryFolder().path);
    const run = unitRunner(store);
    const how = { threads: 1, inputs: {}, budgets: ['tokens'], tune: false, quiet: true } as const;
    const conducted = await conduct({ ...how, study, store, run });
    const [, full, other] = conducted.runs;
    for (const seed of [0, 1]) {
      expect(other!.results[seed]!.start).toBe(full!.results[seed]!.start);
      expect(other!.results[seed]!.sums).not.toEqual(full!.results[seed]!.sums);
    }
    const result = aggregate(conducted, { command: 'tiny', whole: true, resamples: 50 });
    const found = differenceOf(result, { a: 'looprpt-bfloat16', b: 'looprpt', budget: 'tokens', part: 'all' })!;
    const [area, twin] = ['looprpt-bfloat16', 'looprpt'].map(
      (arm) => rowOf(result, arm, 'tokens')!.summary.all.area.gate!.mean,
    );
    expect(found.measures.area![0]).toBeCloseTo(area! - twin!, 10);
    const [cells] = twinTable(result)!.rows;
    expect(cells!.slice(0, 2)).toEqual(['LoopRPT, half', 'LoopRPT']);
    expect(twinsInWords(result)).toMatch(
      /^“LoopRPT, half” against “LoopRPT”, by area: .* the spread of seeds \(± [\d.]+\)\.$/,
    );
    expect(studyMarkdown(result)).toContain(`**Verdict.** ${twinsInWords(result)}`);
  });

  it('takes its twin with it where arms are chosen', () => {
    const part = select(study, { arms: ['looprpt-bfloat16'], quick: false });
    expect(part.arms.map(({ name }) => name)).toEqual(['base', 'looprpt', 'looprpt-bfloat16']);
  });
});

it('a twin that is no other arm is refused', () => {
  expect(() => tinyStudy({ arms: [...arms, { ...half, against: 'nobody' }] })).toThrow(
    'against nobody, which is no other arm',
  );
  expect(() => tinyStudy({ arms: [...arms, { ...half, against: half.name }] })).toThrow('which is no other arm');
});
