/**
 * The outcome of a study, as it is committed: everything that tables, figures and statements are made from. Shapes only. Accuracies and
 * areas are fractions, cross-entropies nats, loops counted from 1.
 */

import { CurveRuleSchema } from 'looprpt/internal/eval/result.js';
import { z } from 'zod';
import { ROLES } from './arm.js';
import { BUDGETS } from './planner.js';
import type { Study } from './study.js';

const spread = z.object({ mean: z.number(), sd: z.number().exactOptional() });

/** As `report/summary.ts` makes them. */
const breakdownSummary = z.object({
  tokens: z.number(),
  perLoop: z.array(z.object({ loop: z.number(), accuracy: spread, crossEntropy: spread })),
  adaptive: z.array(
    z.object({
      tau: z.number(),
      accuracy: spread,
      crossEntropy: spread,
      meanLoops: spread,
      exitShare: z.array(z.number()),
    }),
  ),
  curves: z.array(
    z.object({
      rule: CurveRuleSchema,
      points: z.array(
        z.object({
          setting: z.number().exactOptional(),
          meanLoops: z.number(),
          accuracy: spread,
          flopsPerToken: z.number().exactOptional(),
        }),
      ),
    }),
  ),
  area: z.partialRecord(CurveRuleSchema, spread),
});

export const modelSummarySchema = z.object({
  name: z.string(),
  loops: z.number(),
  seeds: z.number(),
  flops: z.object({ perLoop: z.number(), head: z.number() }).exactOptional(),
  all: breakdownSummary,
  buckets: z.object({ easy: breakdownSummary, medium: breakdownSummary, hard: breakdownSummary }),
});

/** Mean over seeds, and the ends of its 95 % interval. */
const intervalSchema = z.tuple([z.number(), z.number(), z.number()]);
export type Ends = z.infer<typeof intervalSchema>;

/** all: every counted token; hard: the third in which the base's entropy at full depth is largest. */
export const PARTS = ['all', 'hard'] as const;
export type Part = (typeof PARTS)[number];

/** Null: no seed reaches it. */
const reachSchema = z.object({ meanLoops: z.number().nullable(), share: z.number() });
export type Reach = z.infer<typeof reachSchema>;

const trialSchema = z.record(z.string(), z.union([z.number(), z.string(), z.boolean()]));

const rowSchema = z.object({
  arm: z.string(),
  title: z.string(),
  role: z.enum(ROLES),
  budget: z.enum(BUDGETS),
  /** The settings chosen on the tuning split; null for the base. */
  trial: trialSchema.nullable(),
  steps: z.number(),
  /** Of one seed's training: FLOPs, places that were not padding, and the mean CPU seconds of its steps. */
  flops: z.number(),
  tokens: z.number(),
  seconds: z.number(),
  /** Steps of all seeds that were not finite and left out. */
  skipped: z.number(),
  /** Mean calibration error of the exit CDF. */
  calibrationError: z.number(),
  summary: modelSummarySchema,
  /** Where the study has a frontier: its area, on hard tokens too; accuracies within budgets of mean loops. */
  frontier: z
    .object({
      all: spread,
      hard: spread,
      within: z.array(z.object({ loops: z.number(), accuracy: spread })),
      /**
       * Mean loops at which the base's best accuracy is reached, and the best baseline's: of the seeds that reach it, and their share.
       */
      least: z.object({ base: reachSchema, best: reachSchema }),
    })
    .exactOptional(),
  /** On the base's own data: accuracies by loop, cross-entropy at the last. */
  general: z.object({ accuracy: z.array(spread), crossEntropy: spread }).exactOptional(),
});
export type Row = z.infer<typeof rowSchema>;

const differenceSchema = z.object({
  a: z.string(),
  b: z.string(),
  budget: z.enum(BUDGETS),
  part: z.enum([...PARTS, 'general']),
  measures: z.record(z.string(), intervalSchema),
  /** The difference of each seed in the area, or in the frontier's where it decides. */
  areas: z.array(z.number()),
});
export type Difference = z.infer<typeof differenceSchema>;

export const studyResultSchema = z.object({
  /** The study as it was run; not held against today's schema, so that an older outcome can still be drawn. */
  study: z.custom<Study>((value) => typeof value === 'object' && value !== null && 'arms' in value),
  command: z.string(),
  whole: z.boolean(),
  parameters: z.number(),
  loops: z.number(),
  /** Held-out documents and their counted tokens. */
  documents: z.number(),
  tokens: z.number(),
  resamples: z.number(),
  /** Of one base's training; seconds by the clock. Zeros where it ships. */
  base: z.object({ flops: z.number(), seconds: z.number() }),
  tuning: z.array(z.object({ arm: z.string(), trials: z.array(z.object({ trial: trialSchema, area: z.number() })) })),
  /** By budget and part, the baseline with the largest mean area. */
  best: z.array(z.object({ budget: z.enum(BUDGETS), part: z.enum(PARTS), arm: z.string() })),
  rows: z.array(rowSchema),
  differences: z.array(differenceSchema),
});
export type StudyResult = z.infer<typeof studyResultSchema>;

/** The measure by which arms of a study are compared. Outcomes from before there was a choice have the area. */
export function decidingMeasure({ study }: Pick<StudyResult, 'study'>): 'area' | 'frontier' {
  return study.decides ?? 'area';
}

/** The number that decides, of one arm. */
export function decidingValue(result: Pick<StudyResult, 'study'>, { summary, frontier }: Row, part: Part): number {
  if (decidingMeasure(result) === 'frontier') return frontier![part].mean;
  return (part === 'all' ? summary.all : summary.buckets.hard).area.gate?.mean ?? Number.NaN;
}

export function rowOf(
  { rows }: Pick<StudyResult, 'rows'>,
  arm: string,
  budget: (typeof BUDGETS)[number],
): Row | undefined {
  return rows.find((row) => row.arm === arm && row.budget === budget);
}

export function differenceOf(
  { differences }: StudyResult,
  want: Pick<Difference, 'a' | 'b' | 'budget' | 'part'>,
): Difference | undefined {
  return differences.find(
    ({ a, b, budget, part }) => a === want.a && b === want.b && budget === want.budget && part === want.part,
  );
}

export function bestBaseline({ best }: StudyResult, budget: (typeof BUDGETS)[number], part: Part): string | undefined {
  return best.find((one) => one.budget === budget && one.part === part)?.arm;
}
