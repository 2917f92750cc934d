/**
 * The evaluation of a model on text, as `eval --json` prints it, from its token table. Nothing here runs a model.
 */
import type { LoopLMConfig } from '../model/config.js';
import { type FlopsPerToken, flopsPerToken } from '../model/flops.js';
import { scoreAdaptive } from './adaptive.js';
import { areaUnder } from './area.js';
import { splitByDifficulty, type Thresholds, tercileThresholds } from './buckets.js';
import { exitCalibration } from './calibration.js';
import { scoreDrafts } from './draft-acceptance.js';
import { crossFittedCredit } from './frontier.js';
import { peakOf, scorePerLoop } from './per-loop.js';
import type { Breakdown, CurveRule, EvalResult } from './result.js';
import { ruleCurves } from './rule-curves.js';
import type { TokenTable } from './token-table.js';

export interface EvaluateOptions {
  /** Names as they stand in the result. */
  model: string;
  data: string;
  /** The model's configuration, for FLOPs. */
  config: LoopLMConfig;
  /** The model whose entropies make the buckets, and those of the same tokens at full depth (`difficultyOf`). */
  reference: { name: string; entropy: Float32Array };
  /** Where to cut the reference's entropies; default: into thirds. */
  thresholds?: Thresholds | undefined;
  /** Thresholds of the exit CDF; default `DEFAULT_TAUS`. */
  taus?: readonly number[] | undefined;
  /** Points of each rule's curve; default `GRID_POINTS`. */
  points?: number | undefined;
  /** Wall-clock time of the pass. */
  seconds?: number | undefined;
}

export function evaluate(table: TokenTable, options: EvaluateOptions): EvalResult {
  const { reference, config, taus, points, seconds } = options;
  const thresholds = options.thresholds ?? tercileThresholds(reference.entropy);
  const flops = flopsPerToken(config, table.context);
  const breakdown = (part: TokenTable, cost: FlopsPerToken): Breakdown => breakDown(part, cost, taus, points);
  const parts = splitByDifficulty(table, reference.entropy, thresholds);
  const bucket = (part: TokenTable): Breakdown => breakdown(part, flopsPerToken(config, part.context));
  return {
    model: options.model,
    data: options.data,
    loops: table.loops,
    ...breakdown(table, flops),
    buckets: { easy: bucket(parts.easy), medium: bucket(parts.medium), hard: bucket(parts.hard) },
    reference: reference.name,
    thresholds,
    flops,
    calibration: exitCalibration(table),
    ...(seconds === undefined ? {} : { seconds }),
  };
}

/** Scores over the tokens of one table. */
function breakDown(
  table: TokenTable,
  flops: FlopsPerToken,
  taus: readonly number[] | undefined,
  points: number | undefined,
): Breakdown {
  if (table.tokens === 0)
    return { tokens: 0, perLoop: [], peak: { accuracy: 0, crossEntropy: 0 }, adaptive: [], rules: [], area: {} };
  const perLoop = scorePerLoop(table);
  const rules = ruleCurves(table, flops, points);
  return {
    tokens: table.tokens,
    perLoop,
    peak: peakOf(perLoop),
    adaptive: scoreAdaptive(table, taus),
    rules,
    area: Object.fromEntries(rules.map((curve) => [curve.rule, areaUnder(curve.points, table.loops)])) as Partial<
      Record<CurveRule, number>
    >,
    frontier: frontierOf(table),
    drafts: scoreDrafts(table),
  };
}

function frontierOf(table: TokenTable): NonNullable<Breakdown['frontier']> {
  const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / table.tokens;
  const { area, within } = crossFittedCredit(table);
  return { area: mean(area), within: within.map(({ loops, right }) => ({ loops, accuracy: mean(right) })) };
}
