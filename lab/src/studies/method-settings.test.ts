/** What tables call LoopRPT is what was run: titles and notes follow the settings of the arms. */
import { PRESETS } from 'looprpt/internal/train/presets.js';
import { describe, expect, it } from 'vitest';
import { METHODS } from './arms.js';
import { methodTitle, settingsNote } from './method-settings.js';
import { committedResults, REPOSITORY } from './publish.js';
import type { StudyResult } from './result.js';

describe('of every committed outcome', () => {
  const hasMethod = ({ study }: StudyResult): boolean => study.arms.some(({ role }) => role === 'method');
  const results = committedResults(REPOSITORY).filter((result) => result.study.claims !== false && hasMethod(result));
  it('are most of them', () => expect(results.length).toBeGreaterThan(10));

  it.each(results.map((result) => [result.study.name, result] as const))(
    '%s calls its methods by their settings',
    (_, result) => {
      const methods = result.study.arms.filter(({ role }) => role === 'method');
      for (const { name, objective } of methods) {
        if (objective?.kind !== 'looprpt') throw new Error(`${name} is no LoopRPT`);
        const titles = result.rows.filter(({ arm }) => arm === name).map(({ title }) => title);
        expect(new Set(titles)).toEqual(new Set([methodTitle(objective)]));
      }
    },
  );
});

describe('an arm', () => {
  it('that a study calls LoopRPT is the preset fast', () => {
    const [first] = METHODS;
    expect(first).toMatchObject({
      name: 'looprpt',
      title: methodTitle(PRESETS.fast.objective),
      objective: PRESETS.fast.objective,
      gateLearningRateScale: PRESETS.fast.gateLearningRateScale,
      teacherDecay: PRESETS.fast.teacherDecay,
    });
  });

  it("has a note that sets its coefficients beside the paper's", () => {
    const arm = { name: 'looprpt', title: 'A', role: 'method', gateLearningRateScale: 1, teacherDecay: 1, blend: 1 };
    const objective = {
      ...METHODS[0]!.objective!,
      kind: 'looprpt',
      alpha: 2,
      gamma: 0.5,
      delta: 0.25,
      rollouts: 'full',
    };
    const note = settingsNote([{ ...arm, tunes: 'learningRate', objective } as never]);
    expect(note).toContain('(2, 1, 0.5, 0.25)');
    expect(note).toContain('rollouts of whole passes');
    expect(note).toContain('The paper has (1, 1, 0.01, 0.0001)');
    expect(settingsNote([])).toBeUndefined();
  });
});
