/** The first-contact job around its training runs: where it lies, what its arms share, what its table says. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { madeUpEvaluation } from '../../test-support/made-up-evaluation.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { readModelConfig } from '../checkpoint/load-model.js';
import { HOP_BASE } from '../checkpoint/shipped.js';
import type { ComparisonResult } from '../eval/result.js';
import { PRESETS } from '../train/presets.js';
import { ARMS, armConfig } from './arms.js';
import { jobFolder, REPORT } from './folder.js';
import { hopSetting } from './hop-setting.js';
import { startTables } from './tables.js';

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
  const configs = ARMS.map((arm) => armConfig(arm, hopSetting(3), { out: 'job', threads: 1, seed: 3 }));

  it('share start, data, order, tokens and learning rate; only objective, teacher, gate speed and blend differ', () => {
    const shared = configs.map(({ objective: _, out: __, teacherDecay: ___, blend: ____, optimizer, ...rest }) => ({
      ...rest,
      optimizer: { ...optimizer, gateLearningRateScale: 0 },
    }));
    for (const other of shared) expect(other).toEqual(shared[0]);
    expect(new Set(configs.map(({ out }) => out)).size).toBe(ARMS.length);
    expect(configs.filter((_, i) => ARMS[i]!.isBaseline)).toHaveLength(1);
  });

  it('are the presets that their names say, with the interpolation weight that the name says', () => {
    const named = ARMS.flatMap((arm) => {
      const preset = Object.entries(PRESETS).find(([name]) => arm.name.includes(name))?.[1];
      return preset ? [{ arm, preset }] : [];
    });
    expect(named.map(({ arm }) => arm.name)).toEqual(
      ARMS.filter(({ isBaseline }) => !isBaseline).map(({ name }) => name),
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
  });

  it('start from a base that is there and fits the task', () => {
    expect(readModelConfig(HOP_BASE)).toMatchObject({ loops: 4, hiddenSize: 64 });
  });
});

describe('the table', () => {
  const area = (a: string, b: string, low: number, high: number): ComparisonResult => ({
    a,
    b,
    metric: 'area',
    delta: (low + high) / 2,
    low,
    high,
    level: 0.95,
    resamples: 100,
    documents: 200,
  });
  const reason = 'no interval from 3 documents: at least 20 are needed';
  const text = startTables(
    {
      evaluations: [madeUpEvaluation('base', 0.3), madeUpEvaluation('arm', 0.4)],
      comparisons: [
        area('arm', 'base', 0.01, 0.03),
        area('arm', 'rival', -0.03, -0.01),
        area('arm', 'twin', -0.01, 0.01),
        { ...area('arm', 'other', 0.01, 0.03), low: null, high: null, documents: 3, resamples: 0, reason },
      ],
    },
    false,
  );

  it('has every model with its accuracy after each loop and at τ, its mean loops and its area', () => {
    const rows = text.split('\n').map((line) => line.trim().split(/\s{2,}/));
    expect(rows.find(([name]) => name === 'base')).toEqual('base 30.0 40.0 50.0 60.0 32.0 2.50 45.0 35.0'.split(' '));
    expect(rows.find(([name]) => name === 'arm')).toEqual('arm 40.0 50.0 60.0 70.0 42.0 2.50 55.0 45.0'.split(' '));
  });

  it('says better, worse or neither by the interval', () => {
    expect(text).toContain('arm is better than base.');
    expect(text).toContain('arm is worse than rival.');
    expect(text).toContain('arm and twin cannot be told apart here.');
    expect(text).toContain('+1.00 to +3.00');
    expect(text).toContain('over 200 documents');
    expect(text).toContain('Too few held-out documents to tell arm and other apart.');
    expect(text).toContain(reason);
  });
});
