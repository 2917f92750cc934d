import { describe, expect, it } from 'vitest';
import { expandPreset } from './expand-preset.js';
import { PRESETS } from './presets.js';
import { runConfigSchema } from './run-config.js';

const rest = { model: { from: 'base' }, data: { shards: 'shards' }, out: 'run', steps: 1 };

describe('a preset', () => {
  it.each(Object.keys(PRESETS))('%s makes a recipe whole', (preset) => {
    const settings: Record<string, unknown> = { ...rest, preset };
    expandPreset(settings, 'recipe.yaml');
    const config = runConfigSchema.parse(settings);
    expect(config.objective.kind).toBe('looprpt');
    expect(config.optimizer.gateLearningRateScale).toBe(preset === 'paper' ? 1 : 0.5);
  });

  it('paper has what is known of the paper', () => {
    expect(PRESETS.paper.objective).toMatchObject({
      alpha: 1,
      beta: 1,
      gamma: 0.01,
      delta: 1e-4,
      rho: 0.2,
      rolloutCount: 8,
      sigma: 0.1,
      policy: 'rollouts',
      rollouts: 'full',
      rewardFrom: 'table',
      klFrom: 'noisy',
      policyGradient: 'backbone',
    });
    expect(PRESETS.paper.teacherDecay).toBe(0.995);
  });

  it('is what the recipe does not say itself', () => {
    const settings: Record<string, unknown> = {
      ...rest,
      preset: 'tethered',
      teacherDecay: 0.9,
      objective: { zeta: 0.5 },
      optimizer: { learningRate: 0.01 },
    };
    expandPreset(settings, 'recipe.yaml');
    const { objective, optimizer, teacherDecay, blend } = runConfigSchema.parse(settings);
    expect(objective).toMatchObject({ kind: 'looprpt', zeta: 0.5, policy: 'closed', distillAnchor: 0 });
    expect(optimizer).toMatchObject({ learningRate: 0.01, gateLearningRateScale: 0.5 });
    expect(teacherDecay).toBe(0.9);
    expect(blend).toBe(0.25);
  });

  it('changes nothing where none is named', () => {
    const settings = { ...rest };
    expandPreset(settings, 'recipe.yaml');
    expect(settings).toEqual(rest);
  });

  it('says what is wrong in one line', () => {
    expect(() => expandPreset({ preset: 'papre' }, 'recipe.yaml')).toThrow(
      'recipe.yaml: preset: "papre" is none of paper, paper-gate, fast, all-tokens, tethered',
    );
    expect(() => expandPreset({ preset: 'paper', objective: { kind: 'gate' } }, 'recipe.yaml')).toThrow(
      /is for objective.kind looprpt, and the recipe says "gate"/,
    );
    const empty: Record<string, unknown> = { preset: 'paper', objective: null };
    expandPreset(empty, 'recipe.yaml');
    expect(empty.objective).toMatchObject({ kind: 'looprpt' });
    // A wrong objective is the schema's to name.
    const settings = { preset: 'paper', objective: 3 };
    expandPreset(settings, 'recipe.yaml');
    expect(settings).not.toHaveProperty('preset');
    expect(settings.objective).toBe(3);
  });
});
