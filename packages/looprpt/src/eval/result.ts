/**
 * What `eval --json` says about a model on text, and what a comparison of two models says: types and zod schemas.
 *
 * This file holds shapes only; nothing here computes. Loops are counted from 1. Accuracies and shares are fractions
 * in [0, 1], cross-entropies and entropies are in nats, FLOPs count a multiply-add as two and are per predicted token.
 * Keys that a reader does not know are ignored, so that an older report reads a newer result.
 */
import { z } from 'zod';

const share = z.number().min(0).max(1);

/** Accuracy of the arg-max next token, and cross-entropy with the true one. */
export const ScoreSchema = z.object({
  accuracy: share,
  crossEntropy: z.number(),
});

/** Every token read out after the same loop. */
export const LoopScoreSchema = ScoreSchema.extend({ loop: z.number().int().min(1) });

/** Every token read out at the first loop whose exit CDF reaches `tau`. */
export const AdaptiveScoreSchema = ScoreSchema.extend({
  tau: z.number(),
  meanLoops: z.number(),
  /** K shares, by exit loop 1..K. */
  exitShare: z.array(share),
});

/**
 * How a token's exit loop was chosen. `gate`, `hidden-change`, `confidence` and `entropy` are those of model/exit-rule.ts; `static`
 * is its rule `loops` at 1..K, every token at the same loop; `oracle` stops at the first loop that is right if that is
 * within its setting, else at loop 1: what no rule can beat.
 */
export const CurveRuleSchema = z.enum(['gate', 'hidden-change', 'confidence', 'entropy', 'static', 'oracle']);

/** One point of an exit rule's curve; `setting` is the rule's threshold (for `static`, the loop). */
export const RulePointSchema = ScoreSchema.extend({
  setting: z.number(),
  meanLoops: z.number(),
  flopsPerToken: z.number(),
});

export const RuleCurveSchema = z.object({ rule: CurveRuleSchema, points: z.array(RulePointSchema) });

/**
 * Early loops as drafts of full depth: for loops 1..K−1 the share of tokens whose prediction is that of loop K, and the mean of the
 * first loop from which on it is: the passes that a token takes with drafts that are never started wrongly.
 */
export const DraftScoreSchema = z.object({ acceptance: z.array(share), passes: z.number() });

/**
 * Scores over one set of tokens. An empty set (`tokens` 0) has empty lists and zeros in `peak`.
 *
 * `peak` is full depth: loop K forced for every token. `area` is the mean height of a rule's accuracy curve over mean
 * loops 1..K, a fraction like an accuracy. `frontier` is that of the gate's best thresholds: the mean over d in 1..K of the accuracy at no
 * more than d mean loops, and that accuracy for a few d (eval/frontier.ts).
 */
const BreakdownSchema = z.object({
  tokens: z.number().int().min(0),
  perLoop: z.array(LoopScoreSchema),
  peak: ScoreSchema,
  adaptive: z.array(AdaptiveScoreSchema),
  rules: z.array(RuleCurveSchema).optional(),
  area: z.partialRecord(CurveRuleSchema, z.number()).optional(),
  frontier: z.object({ area: share, within: z.array(z.object({ loops: z.number(), accuracy: share })) }).optional(),
  drafts: DraftScoreSchema.optional(),
});

/** The gate's CDF before loop K as a forecast that the answer is ready; one bin of CDF values in [from, to). */
const CalibrationBinSchema = z.object({
  from: z.number(),
  to: z.number(),
  /** Pairs of a token and a loop < K. */
  forecasts: z.number().int().min(1),
  meanCdf: z.number(),
  /** Share whose prediction is the true token. */
  correct: share,
  /** Share whose prediction is the one of full depth. */
  settled: share,
});

/** `error`: mean |meanCdf − settled| over the bins, weighted by their forecasts. */
export const CalibrationSchema = z.object({ error: z.number(), bins: z.array(CalibrationBinSchema) });

/** The difficulty buckets, by the reference model's entropy at full depth. */
export const BUCKETS = ['easy', 'medium', 'hard'] as const;
export type Bucket = (typeof BUCKETS)[number];

export const EvalResultSchema = BreakdownSchema.extend({
  model: z.string(),
  data: z.string(),
  loops: z.number().int().min(1),
  buckets: z.object({ easy: BreakdownSchema, medium: BreakdownSchema, hard: BreakdownSchema }),
  /** The settings of a generated task. */
  task: z.record(z.string(), z.unknown()).optional(),
  /** The model whose entropies made the buckets. */
  reference: z.string(),
  /** Nats: entropy ≤ the first is easy, ≤ the second is medium, above is hard. */
  thresholds: z.tuple([z.number(), z.number()]),
  /** Forward FLOPs per token of one loop of the shared stack with its gate, and of one read-out by the LM head. */
  flops: z.object({ perLoop: z.number(), head: z.number() }).optional(),
  /** How far the gate's CDF can be taken at its word. */
  calibration: CalibrationSchema.optional(),
  /** Wall-clock time of the evaluation. */
  seconds: z.number().optional(),
});

/**
 * The difference `a − b` of one metric on the same tokens, with its paired bootstrap interval over documents.
 *
 * `metric` names what was compared: `accuracy@1`..`accuracy@K` and `crossEntropy@k` for a loop, `area`, `frontier`, or free text.
 * `level` is the interval's coverage, such as 0.95; accuracies and areas are fractions. Ends that are null mean that there is no
 * interval: the documents are too few, and `reason` says so.
 */
export const ComparisonResultSchema = z.object({
  a: z.string(),
  b: z.string(),
  metric: z.string(),
  delta: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  /** Documents with counted tokens, which were drawn from; results of older versions do not say. */
  documents: z.number().int().min(1).optional(),
  reason: z.string().optional(),
  level: z.number().gt(0).lt(1),
  /** Drawn for the interval; 0 where there is none. */
  resamples: z.number().int().min(0),
});

export type Score = z.infer<typeof ScoreSchema>;
export type LoopScore = z.infer<typeof LoopScoreSchema>;
export type AdaptiveScore = z.infer<typeof AdaptiveScoreSchema>;
export type DraftScore = z.infer<typeof DraftScoreSchema>;
export type CurveRule = z.infer<typeof CurveRuleSchema>;
export type RulePoint = z.infer<typeof RulePointSchema>;
export type RuleCurve = z.infer<typeof RuleCurveSchema>;
export type CalibrationBin = z.infer<typeof CalibrationBinSchema>;
export type Calibration = z.infer<typeof CalibrationSchema>;
export type Breakdown = z.infer<typeof BreakdownSchema>;
/** Scores of a model on held-out text, as `eval --json` prints them: fractions, nats, FLOPs a token. */
export type EvalResult = z.infer<typeof EvalResultSchema>;
/** A paired bootstrap interval for the difference of one metric between two models on the same tokens. */
export type ComparisonResult = z.infer<typeof ComparisonResultSchema>;
