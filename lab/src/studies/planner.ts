/**
 * From a study to its units: which base, data, settings and steps each has, and what it costs in FLOPs. Pure arithmetic on plain data;
 * runs nothing.
 */
import type { LoopLMConfig } from 'looprpt/internal/model/config.js';
import { planRun } from 'looprpt/internal/train/plan/plan.js';
import { type RunConfigInput, runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { type Arm, settingsOf, type Trial } from './arm.js';
import type { Judge, ReadyCorpus } from './ready-corpus.js';
import { shippedBase } from './shipped.js';
import type { Study } from './study.js';
import { type ArmUnit, type BaseUnit, FORMAT, keyOf, type Recipe } from './unit.js';

/** tokens: every arm makes the same steps; compute: every arm spends the training compute of the study's reference arm. */
export const BUDGETS = ['tokens', 'compute'] as const;
export type Budget = (typeof BUDGETS)[number];

export interface PlannerInputs {
  study: Study;
  corpus: ReadyCorpus;
  model: LoopLMConfig;
  /** Share of the training places whose target counts in the loss. */
  lossShare: number;
  threads: number;
}

export class Planner {
  constructor(private readonly inputs: PlannerInputs) {}

  /** The base of a seed; null where one ships. */
  baseUnit(ofSeed: number): BaseUnit | null {
    const { study, corpus, threads } = this.inputs;
    if ('shipped' in study.base) return null;
    const { learningRate, beta, dtype, perSeed, seed: shared = study.seeds[0]!, ...recipe } = study.base;
    const seed = perSeed ? ofSeed : shared;
    return {
      kind: 'base',
      format: FORMAT,
      model: study.model!,
      tokenizer: corpus.tokenizer,
      data: corpus.baseData(seed),
      recipe,
      learningRate,
      beta,
      ...(dtype && { dtype }),
      seed,
      threads,
    };
  }

  /** The units of the bases of some seeds, each once. */
  baseUnits(seeds: readonly number[]): BaseUnit[] {
    const units = seeds.flatMap((seed) => this.baseUnit(seed) ?? []);
    return [...new Map(units.map((unit) => [keyOf(unit), unit])).values()];
  }

  /** @param trial null for the base as it is */
  armUnit(
    arm: Arm,
    trial: Trial | null,
    { seed, judge, steps }: { seed: number; judge: Judge; steps: number },
  ): ArmUnit {
    const { study, corpus, threads } = this.inputs;
    const unit = this.baseUnit(seed);
    const base = unit ? { key: keyOf(unit) } : shippedBase((study.base as { shipped: string }).shipped);
    return {
      kind: 'arm',
      format: FORMAT,
      base,
      data: corpus.trainingData(seed),
      heldOut: corpus.heldOut(judge),
      // Older studies' units keep their keys.
      ...(study.decides === 'frontier' && judge === 'heldout' && { thresholdsOn: corpus.heldOut('tune') }),
      ...(corpus.general && judge === 'heldout' && { general: corpus.general }),
      recipe: { ...study.training, steps: trial ? steps : 0 },
      settings: trial && settingsOf(arm, trial),
      seed,
      threads,
    };
  }

  /** Steps of an arm that cost what the reference arm's do. @param costs of one step of each, in the same unit */
  equalSteps({ own, reference }: { own: number; reference: number }): number {
    return Math.max(1, Math.round((this.inputs.study.training.steps * reference) / own));
  }

  /** Training FLOPs of a step: forward, backward, teacher and rollouts. */
  stepFlops(arm: Arm, trial: Trial): number {
    return this.#perStep(settingsOf(arm, trial), this.inputs.study.training.batch);
  }

  unitFlops(unit: BaseUnit | ArmUnit): number {
    if (unit.kind === 'base')
      return unit.recipe.steps * this.#perStep({ objective: { kind: 'stage1' } }, unit.recipe.batch);
    return unit.settings ? unit.recipe.steps * this.#perStep(unit.settings, unit.recipe.batch) : 0;
  }

  #perStep(
    { objective, teacherDecay }: Pick<RunConfigInput, 'objective' | 'teacherDecay'>,
    batch: Recipe['batch'],
  ): number {
    const { model, lossShare } = this.inputs;
    const config = runConfigSchema.parse({
      model: { from: 'base' },
      data: { shards: 'documents' },
      objective,
      teacherDecay,
      out: 'run',
      steps: 1,
      batch,
    } satisfies RunConfigInput);
    return planRun({ config, model, lossShare }).flops.perStep;
  }
}
