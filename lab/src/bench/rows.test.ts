import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agreements } from './agreement.js';
import { type BenchCase, chooseCases, MODELS, MODES } from './cases.js';
import { groupsOf, type ModeMeasurement, type Series } from './measure.js';
import type { StepReply } from './protocol.js';
import { rowsOf } from './rows.js';
import { median } from './statistics.js';
import { caseTable, profileTables } from './tables.js';

const step = (seconds: number, change: Partial<StepReply> = {}): StepReply => ({
  seconds,
  cpu: 2 * seconds,
  others: 0.5,
  loss: 1,
  parts: {},
  rss: 100,
  rss_import: 50,
  parameters: 116_097,
  ...change,
});
const series = (...seconds: number[]): Series => ({ first: step(9), steps: seconds.map((time) => step(time)) });
const stage1 = MODES[0]!;
const of: BenchCase = { model: MODELS[0]!, shape: { B: 16, T: 128 }, modes: [stage1] };
const measurement = (change: Partial<ModeMeasurement> = {}): ModeMeasurement => ({
  mode: stage1,
  ours: series(1, 2, 4),
  peer: series(4, 3, 4),
  parts: [
    { part: 'clean pass', seconds: 0.6, native: 0.5 },
    { part: 'backward', seconds: 0.4, native: 0.4 },
  ],
  operators: {
    seconds: 1,
    operators: [{ operator: 'aten::mm', backward: true, calls: 3, milliseconds: 700 }],
  },
  ...change,
});
const matmul = [100, 300, 200].map((gflops) => ({
  gflops: [
    { shape: 'small', best: gflops / 2, median: gflops / 4 },
    { shape: 'large', best: gflops, median: gflops / 2 },
  ],
  libtorch: '1.2.3',
  threads: 2,
}));

describe('a row', () => {
  const [row] = rowsOf(of, { modes: [measurement()], matmul, skipped: [] });

  it('compares steps that were taken side by side', () => {
    expect(row!.speedup).toEqual({ median: 1.5, min: 1, max: 4 });
    expect(row!.ours).toMatchObject({ seconds: { median: 2, min: 1, max: 4 }, tokensPerSecond: 1024, cpuSeconds: 2 });
    expect(row!.peer).toMatchObject({ seconds: { median: 4, min: 3, max: 4 }, peakMB: 100, importMB: 50 });
  });

  it('holds the useful work against the rate of products in the same run', () => {
    expect(row!.matmul).toEqual({ best: 300, median: 100 });
    expect(row!.shareOfMatmul!.median).toBeCloseTo(row!.usefulGflop / 2 / 100, 12);
    expect(row!.shareOfMatmul!.best).toBeCloseTo(row!.usefulGflop / 1 / 300, 12);
    expect(row!.outsideNative).toBeCloseTo(0.1, 12);
    expect(row!.outsideOperators).toBeCloseTo(0.3, 12);
  });

  it('is there without a peer, and without ours', () => {
    const alone = [measurement({ peer: null }), measurement({ ours: null, parts: [], operators: null })];
    const rows = rowsOf(of, { modes: alone, matmul, skipped: [] });
    expect(rows.map(({ speedup }) => speedup)).toEqual([null, null]);
    const lines = caseTable(rows).split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[3]).toMatch(/stage1 +1024 +– +– +100 +–/);
    expect(lines[4]).toMatch(/stage1 +– +512 +– +– +100/);
    expect(profileTables(rows[1]!)).toBe('');
  });

  it('has a profile to read', () => {
    const text = profileTables(row!);
    expect(text).toMatch(/clean pass +600\.0 +60\.0 % +16\.7 %/);
    expect(text).toMatch(/aten::mm \(backward\) +3 +700\.0 +70\.0 %/);
    expect(text).toMatch(/outside operators +0 +300\.0 +30\.0 %/);
  });
});

describe('agreement of the first steps', () => {
  const firsts = (mode: string, ours: Partial<StepReply>, peer: Partial<StepReply>): ModeMeasurement => ({
    ...measurement(),
    mode: MODES.find(({ name }) => name === mode)!,
    ours: { first: step(1, ours), steps: [] },
    peer: { first: step(1, peer), steps: [] },
  });
  const apart = (of: ModeMeasurement): string[] => agreements(of).flatMap(({ what, agree }) => (agree ? [] : [what]));

  it('is about the loss where nothing is random', () => {
    expect(apart(firsts('stage1', { loss: 6.25 }, { loss: 6.2501 }))).toEqual([]);
    expect(apart(firsts('stage1', { loss: 6.25 }, { loss: 6.252 }))).toEqual(['loss']);
    expect(apart(firsts('stage1', { loss: Number.NaN }, { loss: 6.252 }))).toEqual(['loss']);
    expect(apart(firsts('uniform-ce', { parameters: 7 }, {}))).toEqual(['parameters']);
  });

  it('is about the parts that nothing random enters, for LoopRPT', () => {
    const ours = { loss: 1, parts: { policy: 3, representation: 9, exitEntropy: 1.2, klTeacher: 0 } };
    const peer = { loss: 2, parts: { pg: 5, rep: 9.01, ent: 1.2, kl: 0 } };
    expect(apart(firsts('looprpt-full-gate', ours, peer))).toEqual([]);
    expect(apart(firsts('looprpt-full-gate', ours, { parts: { ...peer.parts, rep: 9.1 } }))).toEqual([
      'representation',
    ]);
    expect(apart(firsts('looprpt-full-gate', ours, { parts: { rep: 9, ent: 1.2 } }))).toEqual(['klTeacher']);
  });

  it('is not asked for between different algorithms', () => {
    expect(agreements(firsts('looprpt', { loss: 1 }, { loss: 2 }))).toEqual([]);
  });
});

describe('cases', () => {
  it('are those that were asked for', () => {
    const chosen = chooseCases({ models: ['2M'], shapes: [{ B: 1, T: 8 }], modes: ['looprpt', 'stage1'], quick: true });
    expect(chosen.map(({ model, shape, modes }) => [model.name, shape.T, ...modes.map(({ name }) => name)])).toEqual([
      ['2M', 8, 'stage1', 'looprpt'],
    ]);
    expect(chooseCases({ quick: false }).map(({ model }) => model.name)).toEqual([
      '0.1M',
      '0.1M',
      '2M',
      '2M',
      '12M',
      '12M',
      '2M-vocab49k',
    ]);
    expect(chooseCases({ quick: true })).toHaveLength(2);
  });

  it('keep modes with one mode of the peer together', () => {
    const groups = groupsOf(MODES).map((group) => group.map(({ name }) => name));
    expect(groups.at(-1)).toEqual([
      'looprpt-full-backbone',
      'looprpt',
      'looprpt-closed',
      'looprpt-full-backbone-recompute',
      'looprpt-recompute',
    ]);
    expect(groups.flat().sort()).toEqual(MODES.map(({ name }) => name).sort());
  });
});

describe('the median', () => {
  it('has as many values below as above', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 }), (values) => {
        const middle = median(values);
        expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
    expect(median([3, 1, 2, 10])).toBe(2.5);
  });
});
