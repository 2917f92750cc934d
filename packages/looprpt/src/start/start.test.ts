/** The first-contact job around its training runs: where it lies, what its arms share, what its table says. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { madeUpEvaluation } from '../../test-support/made-up-evaluation.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { readModelConfig } from '../checkpoint/load-model.js';
import { TRANSFER_BASE } from '../checkpoint/shipped.js';
import type { ComparisonResult } from '../eval/result.js';
import { PRESETS } from '../train/presets.js';
import { TEXT_ARMS, TRANSFER_ARMS } from './arms.js';
import { jobFolder, REPORT } from './folder.js';
import { startTables } from './tables.js';
import { transferSetting } from './transfer-setting.js';
import { verdictOf } from './verdict.js';

describe("the job's folder", () => {
  it('is the one asked for, and the same again while the job is unfinished', () => {
    const out = join(temporaryFolder().path, 'start');
    expect(jobFolder(out, { seed: 0 })).toBe(out);
    expect(jobFolder(out, { seed: 0 })).toBe(out);
  });

  it('is the next free one when a finished job or another job is there, and leaves those alone', () => {
    const out = join(temporaryFolder().path, 'start');
    writeFileSync(join(jobFolder(out, { seed: 0 }), REPORT), 'finished');
    expect(jobFolder(out, { seed: 0 })).toBe(`${out}-2`);
    expect(jobFolder(out, { seed: 1 })).toBe(`${out}-3`);
    expect(jobFolder(out, { seed: 0 })).toBe(`${out}-2`);
    expect(readFileSync(join(out, REPORT), 'utf8')).toBe('finished');
  });

  it('is never a folder that holds something else', () => {
    const out = join(temporaryFolder().path, 'start');
    mkdirSync(out);
    writeFileSync(join(out, 'thesis.tex'), 'x');
    expect(jobFolder(out, {})).toBe(`${out}-2`);
    expect(existsSync(join(out, 'start.json'))).toBe(false);
  });
});

describe('the arms', () => {
  const { config } = transferSetting({ out: 'job', threads: 1, seed: 3 });
  const configs = TRANSFER_ARMS.map(config);

  it('share start, data, order, tokens and learning rate; only objective, teacher, gate speed and blend differ', () => {
    const shared = configs.map(({ objective: _, out: __, teacherDecay: ___, blend: ____, optimizer, ...rest }) => ({
      ...rest,
      optimizer: { ...optimizer, gateLearningRateScale: 0 },
    }));
    for (const other of shared) expect(other).toEqual(shared[0]);
    expect(new Set(configs.map(({ out }) => out)).size).toBe(TRANSFER_ARMS.length);
    expect(configs.filter((_, i) => TRANSFER_ARMS[i]!.isBaseline)).toHaveLength(1);
  });

  it.each([{ arms: TRANSFER_ARMS }, { arms: TEXT_ARMS }])(
    'are the presets that their names say, with the interpolation weight that the name says',
    ({ arms }) => {
      const named = arms.flatMap((arm) => {
        const preset = Object.entries(PRESETS).find(([name]) => arm.name.includes(name))?.[1];
        return preset ? [{ arm, preset }] : [];
      });
      expect(named.map(({ arm }) => arm.name)).toEqual(
        arms.filter(({ isBaseline }) => !isBaseline).map(({ name }) => name),
      );
      for (const { arm, preset } of named) {
        const { objective, gateLearningRateScale, teacherDecay, blend } = arm;
        expect({ objective, gateLearningRateScale, teacherDecay }).toEqual({
          objective: { kind: 'looprpt', ...preset.objective },
          gateLearningRateScale: preset.gateLearningRateScale,
          teacherDecay: preset.teacherDecay,
        });
        expect(blend).toBe(Number(/blend ([\d.]+)/.exec(arm.name)?.[1] ?? preset.blend));
      }
    },
  );

  it('start from a base that is there and fits the task', () => {
    expect(readModelConfig(TRANSFER_BASE)).toMatchObject({ loops: 4, hiddenSize: 64 });
  });
});

const area = (a: string, b: string, low: number | null, high: number | null): ComparisonResult => ({
  a,
  b,
  metric: 'frontier',
  delta: ((low ?? 0) + (high ?? 0)) / 2,
  low,
  high,
  level: 0.95,
  resamples: 100,
  documents: 200,
});
/** Areas: base 45, arm 55, rival 50. */
const evaluations = [madeUpEvaluation('base', 0.3), madeUpEvaluation('arm', 0.4), madeUpEvaluation('rival', 0.35)];

it('the table has every model with its accuracy after each loop and at τ, its mean loops, its frontier and its area', () => {
  const text = startTables(
    { evaluations, comparisons: [area('arm', 'base', 0.01, 0.03)], baselines: ['rival'] },
    false,
  );
  const rows = text.split('\n').map((line) => line.trim().split(/\s{2,}/));
  expect(rows.find(([name]) => name === 'base')).toEqual(
    'base 30.0 40.0 50.0 60.0 32.0 2.50 46.0 45.0 36.0'.split(' '),
  );
  expect(rows.find(([name]) => name === 'arm')).toEqual('arm 40.0 50.0 60.0 70.0 42.0 2.50 56.0 55.0 46.0'.split(' '));
  expect(text).toContain('+1.00 to +3.00');
  expect(text).toContain('over 200 documents');
});

describe('the verdict', () => {
  const verdict = (low: number | null, high: number | null): string =>
    verdictOf({
      evaluations,
      comparisons: [area('arm', 'base', 0.01, 0.03), area('rival', 'base', -0.5, 0.5), area('arm', 'rival', low, high)],
      baselines: ['rival'],
    });

  it('names the best way to train on, then the best preset against the strongest baseline', () => {
    expect(verdict(0.01, 0.02)).toBe(
      '“arm”, the best of 2, is better than the base: +2.00 points of frontier (95 % interval +1.00 to +3.00). ' +
        '“arm” is better than the strongest baseline (rival): +1.50 points of frontier (95 % interval +1.00 to +2.00).',
    );
  });

  it('says worse, not told apart, or that nothing can be told', () => {
    expect(verdict(-0.02, -0.01)).toContain('“arm” is worse than the strongest baseline (rival): −1.50');
    expect(verdict(-0.01, 0.02)).toContain('“arm” and the strongest baseline (rival) are not told apart: +0.50');
    expect(verdict(null, null)).toContain('cannot be told: too few held-out documents');
  });
});
