/** Arms: all combinations of a grid are tried, and what a trial changes is checked. */
import { describe, expect, it } from 'vitest';
import { type Arm, armSchema, describeTrial, settingsOf, trialsOf } from './arm.js';
import { ABLATIONS, BASELINES, METHODS } from './arms.js';
import { VARIANTS } from './variants.js';

const arm = (changes: object = {}): Arm =>
  armSchema.parse({ name: 'a', title: 'A', role: 'variant', objective: { kind: 'looprpt' }, ...changes });

describe('the trials of an arm', () => {
  it("are the study's learning rates, all combinations of its own grid, or one that changes nothing", () => {
    expect(trialsOf(arm(), { learningRates: [1, 2] })).toEqual([{ learningRate: 1 }, { learningRate: 2 }]);
    expect(trialsOf(arm({ grid: { learningRate: [1, 2], rho: [0.5, 1] } }), { learningRates: [9] })).toEqual([
      { learningRate: 1, rho: 0.5 },
      { learningRate: 1, rho: 1 },
      { learningRate: 2, rho: 0.5 },
      { learningRate: 2, rho: 1 },
    ]);
    expect(trialsOf(arm({ learningRate: 0.1 }), { learningRates: [1, 2] })).toEqual([{}]);
    expect(trialsOf(arm({ tunes: 'blend' }), { learningRates: [1, 3, 2] })).toEqual([
      { learningRate: 3, blend: 0.25 },
      { learningRate: 3, blend: 0.5 },
      { learningRate: 3, blend: 0.75 },
    ]);
    expect(trialsOf(arm({ tunes: 'blend' }), { learningRates: [3, 2], shares: [0.1, 1] })).toEqual([
      { learningRate: 3, blend: 0.1 },
      { learningRate: 3, blend: 1 },
    ]);
    expect(trialsOf(arm({ objective: null }), { learningRates: [1, 2] })).toEqual([]);
  });

  it('change settings of the arm and of its objective, and nothing that is not there', () => {
    const settings = settingsOf(arm({ gateLearningRateScale: 0.5 }), { learningRate: 0.01, rho: 0.4 });
    expect(settings).toMatchObject({ learningRate: 0.01, gateLearningRateScale: 0.5, objective: { rho: 0.4 } });
    expect(settingsOf(arm(), { learningRate: 1, gateLearningRateScale: 3 })).toMatchObject({
      gateLearningRateScale: 3,
    });
    expect(() => settingsOf(arm(), { learningRate: 1, roh: 0.4 })).toThrow('roh');
    expect(() => settingsOf(arm(), {})).toThrow();
  });

  it('leave out what came after the first units, where it changes nothing', () => {
    expect(settingsOf(arm(), { learningRate: 1 })).not.toHaveProperty('blend');
    expect(settingsOf(arm({ blend: 0.5 }), { learningRate: 1 }).blend).toBe(0.5);
    expect(settingsOf(arm({ blend: 0.5 }), { learningRate: 1, blend: 0.25 }).blend).toBe(0.25);
  });

  it('read as their settings', () => {
    expect(describeTrial({ learningRate: 0.001, rho: 1 })).toBe('learningRate 0.001, rho 1');
  });
});

describe('the arms of every study', () => {
  const all = [...BASELINES, ...METHODS, ...ABLATIONS, ...VARIANTS];
  const looprpt = METHODS[0]!;

  it('are well-formed and have names of their own', () => {
    for (const one of all) expect(() => armSchema.parse(one)).not.toThrow();
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });

  it('each ablation differs from the method in what its name says, and in nothing else', () => {
    const changed = ABLATIONS.map(({ name, objective }) => {
      const [a, b] = [objective, looprpt.objective] as unknown as Record<string, unknown>[];
      return [name, Object.keys(a!).filter((key) => a![key] !== b![key])];
    });
    expect(Object.fromEntries(changed)).toEqual({
      'no-selection': ['rho'],
      'no-noise': ['sigma'],
      'no-kl': ['delta'],
      'no-time-penalty': ['lambdaBase'],
      'no-rep': ['beta'],
      'no-entropy': ['gamma'],
      'no-rep-entropy': ['beta', 'gamma'],
      'pg-backbone': ['policyGradient'],
    });
    for (const { gateLearningRateScale } of ABLATIONS)
      expect(gateLearningRateScale).toBe(looprpt.gateLearningRateScale);
  });
});
