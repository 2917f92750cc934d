/**
 * The paper's claims held against an outcome, by rule. A claim is made of parts, each of them one difference with its interval:
 *
 * - a part that says "more" holds if the whole interval lies above zero, and is reversed if all of it lies below; "less" the other way round
 * - a part that says "not less" is reversed if the whole interval lies below zero, and holds otherwise
 * - a claim holds if all its parts do, holds partly if some do and none is reversed, does not hold here if one is reversed; of any
 *   other the runs cannot tell
 */
import { signed } from 'looprpt/internal/eval/report/format.js';
import { meanLoopsShown, TAU } from './document-sums.js';
import { BUDGETS, type Budget } from './planner.js';
import {
  bestBaseline,
  decidingMeasure,
  differenceOf,
  type Ends,
  type Part,
  rowOf,
  type StudyResult,
} from './result.js';
import { titleOf } from './table.js';
import { OUR_PRESETS, PLAIN_INTERPOLATED, TETHERED_ARM } from './variants.js';

export type Verdict = 'holds' | 'holds partly' | 'does not hold here' | 'cannot tell';
type Outcome = 'holds' | 'reversed' | 'neither';

export interface ClaimPart {
  /** What is compared, as a phrase. */
  what: string;
  interval: Ends;
  /** Fractions are shown in points of a per cent. */
  unit: 'points' | 'loops';
  outcome: Outcome;
}

export interface Statement {
  claim: string;
  parts: ClaimPart[];
  verdict: Verdict;
}

interface Comparison {
  a: string;
  b: string;
  budget?: Budget;
  part?: Part;
  measure: string;
  says: 'more' | 'less' | 'not less';
  what: string;
}

/** The arm that has of the method only its selected tokens' cross-entropy. */
const HARD_TOKENS_ALONE = 'hard-ce';
const AT_TAU = `at τ = ${TAU}`;

/** Every claim that the outcome has the arms for. */
export function statements(result: StudyResult): Statement[] {
  if (result.study.claims === false) return [];
  const method = result.study.arms.find(({ role }) => role === 'method')?.name;
  if (method === undefined) return [];
  const claims = [
    ...claimsOfMethod(result, method),
    ...claimsOfParts(result, method),
    ...claimsOfVariant(result),
    ...OUR_PRESETS.flatMap((preset) => claimsOfPreset(result, preset)),
    ...claimsOfTethered(result),
  ];
  return claims.flatMap(([claim, comparisons]) => {
    const parts = comparisons.flatMap((comparison) => partOf(result, comparison));
    return parts.length === comparisons.length && parts.length > 0
      ? [{ claim, parts, verdict: verdictOf(parts.map(({ outcome }) => outcome)) }]
      : [];
  });
}

type Claim = [claim: string, comparisons: Comparison[]];

function claimsOfMethod(result: StudyResult, method: string): Claim[] {
  const loops = Array.from({ length: result.loops }, (_, k) => k + 1);
  const overBase = { a: method, b: 'base', says: 'more' } as const;
  const measure = decidingMeasure(result);
  const overBest = (budget: Budget): Comparison[] =>
    (['all', 'hard'] as const).flatMap((part) => {
      const best = bestBaseline(result, budget, part);
      const what = `${measure}${part === 'hard' ? ', hard tokens' : ''}, over ${titleOf(result, best ?? '')}`;
      return best ? [{ a: method, b: best, budget, part, measure, says: 'more', what }] : [];
    });
  return [
    [
      'Predictions after every loop are better than those of the base',
      loops.map((k) => ({ ...overBase, measure: `accuracy@${k}`, what: `loop ${k}` })),
    ],
    [
      'There is a gain at the first loop, and it is larger than at the last',
      [
        { ...overBase, measure: 'accuracy@1', what: 'gain at loop 1' },
        { ...overBase, measure: 'early gain', what: `gain at loop 1 − gain at loop ${result.loops}` },
      ],
    ],
    [
      'Hard tokens are predicted better than by the base, at every loop',
      loops.map((k) => ({ ...overBase, part: 'hard', measure: `accuracy@${k}`, what: `loop ${k}` })),
    ],
    [
      'There is a gain on hard tokens, and it is larger than on all',
      [
        { ...overBase, part: 'hard', measure, what: `gain in ${measure} on hard tokens` },
        { ...overBase, part: 'hard', measure: `${measure} beyond all`, what: 'the same − gain on all' },
      ],
    ],
    [
      'Fewer loops at the same threshold, at no loss of accuracy',
      [
        { a: method, b: 'base', measure: 'loops@τ', says: 'less', what: `mean loops ${AT_TAU}` },
        { a: method, b: 'base', measure: 'accuracy@τ', says: 'not less', what: `accuracy ${AT_TAU}` },
      ],
    ],
    [
      measure === 'frontier'
        ? 'Pareto dominance over the base: more accurate within any budget of mean loops'
        : 'Pareto dominance over the base: more accurate at any number of mean loops',
      meanLoopsShown(result.loops).map((at) => ({
        ...overBase,
        measure: `accuracy ${measure === 'frontier' ? '≤' : 'at'} ${at}`,
        what: `${at} mean loops`,
      })),
    ],
    ['Better than the best baseline for the same tokens', overBest('tokens')],
    ['Better than the best baseline for the same training compute', overBest('compute')],
    [
      'Better than cross-entropy on the hard tokens alone',
      BUDGETS.map((budget) => ({
        a: HARD_TOKENS_ALONE,
        b: method,
        budget,
        measure,
        says: 'less',
        what: `${measure} of cross-entropy on hard tokens, equal ${budget}`,
      })),
    ],
  ];
}

/** What each part of the method is claimed to bring: without it, things get worse. */
function claimsOfParts(result: StudyResult, method: string): Claim[] {
  const brings = (arm: string, part: string): Claim[] => {
    const measure = decidingMeasure(result);
    const area: Comparison = { a: arm, b: method, measure, says: 'less', what: `${measure} otherwise` };
    return rowOf(result, arm, 'tokens') ? [[`${part} raises the ${measure}`, [area]]] : [];
  };
  const penalty: Claim[] = rowOf(result, 'no-time-penalty', 'tokens')
    ? [
        [
          'The time penalty saves loops; accuracy holds without it',
          [
            {
              a: 'no-time-penalty',
              b: method,
              measure: 'loops@τ',
              says: 'more',
              what: `mean loops ${AT_TAU} without it`,
            },
            {
              a: 'no-time-penalty',
              b: method,
              measure: 'accuracy@τ',
              says: 'not less',
              what: `accuracy ${AT_TAU} without it`,
            },
          ],
        ],
      ]
    : [];
  return [
    ...brings('no-selection', 'Selecting hard tokens'),
    ...brings('no-noise', 'Latent noise'),
    ...brings('no-kl', 'The KL term'),
    ...brings('no-rep', 'L_rep'),
    ...brings('no-entropy', 'L_ent'),
    ...brings('no-rep-entropy', 'L_rep together with L_ent'),
    ...penalty,
    ...brings('pg-backbone', 'Keeping the policy gradient to the gate'),
  ];
}

/** The variant that is best on the tuning split, of those that are no preset or a part of one. */
function claimsOfVariant(result: StudyResult): Claim[] {
  const areaOf = (arm: string): number =>
    Math.max(...(result.tuning.find((tuned) => tuned.arm === arm)?.trials ?? []).map(({ area }) => area));
  const variants = result.study.arms
    .filter(({ role, name }) => role === 'variant' && !OUR_PRESETS.some((preset) => name.startsWith(preset)))
    .map(({ name }) => name);
  const [best] = variants.filter((arm) => Number.isFinite(areaOf(arm))).toSorted((a, b) => areaOf(b) - areaOf(a));
  if (best === undefined) return [];
  return (['tokens', 'compute'] as const).map((budget) => [
    `The best other variant on the tuning split is better than the best baseline for the same ${budget === 'tokens' ? 'tokens' : 'training compute'}`,
    (['all', 'hard'] as const).flatMap((part) => {
      const rival = bestBaseline(result, budget, part);
      const measure = decidingMeasure(result);
      const what = `${measure}${part === 'hard' ? ', hard tokens' : ''}, of ${titleOf(result, best)} over ${titleOf(result, rival ?? '')}`;
      return rival ? [{ a: best, b: rival, budget, part, measure, says: 'more', what }] : [];
    }),
  ]);
}

/** Whether a preset of ours wins. */
function claimsOfPreset(result: StudyResult, preset: string): Claim[] {
  if (!rowOf(result, preset, 'tokens')) return [];
  const measure = decidingMeasure(result);
  return BUDGETS.map((budget): Claim => {
    const rival = bestBaseline(result, budget, 'all') ?? '';
    const what = `${measure}, of ${titleOf(result, preset)} over ${titleOf(result, rival)}`;
    return [
      `The preset ${preset} has a larger ${measure} than the best baseline for the same ${budget === 'tokens' ? 'tokens' : 'training compute'}`,
      [{ a: preset, b: rival, budget, measure, says: 'more', what }],
    ];
  });
}

/** What each part of the preset `tethered` brings, and what of it would do as much for plain training. */
function claimsOfTethered(result: StudyResult): Claim[] {
  const measure = decidingMeasure(result);
  const without = (arm: string, claim: string): Claim => [
    `In the preset ${TETHERED_ARM}, ${claim} raises the ${measure}`,
    [{ a: `${TETHERED_ARM}-no-${arm}`, b: TETHERED_ARM, measure, says: 'less', what: `${measure} without it` }],
  ];
  return [
    without('blend', 'weight interpolation'),
    without('distill', 'the distillation'),
    without('labels', 'L_rep'),
    without('policy', 'the policy gradient'),
    [
      `The preset ${TETHERED_ARM} is better than stage I with its weights interpolated too`,
      BUDGETS.map((budget) => ({
        a: PLAIN_INTERPOLATED,
        b: TETHERED_ARM,
        budget,
        measure,
        says: 'less',
        what: `${measure} of stage I interpolated, equal ${budget}`,
      })),
    ],
  ];
}

function partOf(result: StudyResult, comparison: Comparison): ClaimPart[] {
  const { a, b, budget = 'tokens', part = 'all', measure, says, what } = comparison;
  const interval = differenceOf(result, { a, b, budget, part })?.measures[measure];
  if (!interval) return [];
  return [
    { what, interval, unit: measure.startsWith('loops') ? 'loops' : 'points', outcome: outcomeOf(interval, says) },
  ];
}

export function outcomeOf([, low, high]: Ends, says: Comparison['says']): Outcome {
  switch (says) {
    case 'more':
      return low > 0 ? 'holds' : high < 0 ? 'reversed' : 'neither';
    case 'less':
      return high < 0 ? 'holds' : low > 0 ? 'reversed' : 'neither';
    case 'not less':
      return high < 0 ? 'reversed' : 'holds';
    default:
      return says satisfies never;
  }
}

export function verdictOf(outcomes: readonly Outcome[]): Verdict {
  if (outcomes.every((outcome) => outcome === 'holds')) return 'holds';
  if (outcomes.includes('reversed')) return 'does not hold here';
  return outcomes.includes('holds') ? 'holds partly' : 'cannot tell';
}

/** `+1.2 (+0.8 to +1.6)` with the unit where it is not points. */
export function claimInterval({ interval, unit }: ClaimPart): string {
  const scale = unit === 'points' ? 100 : 1;
  const [mean, low, high] = interval.map((value) => signed(scale * value, 2));
  return `${mean} (${low} to ${high})${unit === 'loops' ? ' loops' : ''}`;
}
