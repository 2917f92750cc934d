/** What a study says, in three sentences at most, by rule from its intervals. */
import { statements, type Verdict } from './claims.js';
import { BUDGETS, type Budget } from './planner.js';
import { bestBaseline, decidingMeasure, differenceOf, type Ends, type StudyResult } from './result.js';
import { pointsText, titleOf } from './table.js';
import { twinsInWords } from './twins.js';
import { OUR_PRESETS } from './variants.js';

/** Better or worse if the whole interval lies on one side of zero. */
export function inWords([, low, high]: Ends): 'better' | 'worse' | 'not told apart' {
  return low > 0 ? 'better' : high < 0 ? 'worse' : 'not told apart';
}

export function verdict(result: StudyResult): string {
  const twins = twinsInWords(result);
  if (twins !== '') return twins;
  const method = result.study.arms.find(({ role }) => role === 'method')?.name;
  const presets = OUR_PRESETS.filter((arm) => result.rows.some((row) => row.arm === arm));
  if (method === undefined && presets.length === 0) return 'The study has no arm of LoopRPT.';
  if (method !== undefined && result.study.claims === false && presets.length === 0)
    return againstMethod(result, method);
  const arms = method === undefined ? presets : [method, ...presets];
  return [...arms.map((arm) => againstBest(result, arm)), claimsInWords(result)].filter(Boolean).join(' ');
}

/** `LoopRPT against the best baseline: worse for equal tokens, −0.74 (…); worse for equal compute, −0.83 (…).` */
function againstBest(result: StudyResult, arm: string): string {
  const found = BUDGETS.flatMap((budget) => {
    const area = overBest(result, arm, budget);
    return area ? [{ budget, area, words: inWords(area) }] : [];
  });
  const text = found.map(({ budget, area, words }) => `${words} for equal ${budget}, ${pointsText(area)}`).join('; ');
  return text === ''
    ? ''
    : `**${titleOf(result, arm)}** against the best baseline, by ${decidingMeasure(result) === 'frontier' ? 'the frontier' : 'area'}: ${text}.`;
}

export function overBest(result: StudyResult, arm: string, budget: Budget): Ends | undefined {
  const best = bestBaseline(result, budget, 'all');
  return best
    ? differenceOf(result, { a: arm, b: best, budget, part: 'all' })?.measures[decidingMeasure(result)]
    : undefined;
}

/** Where arms are ways to compute one method: each against it. */
function againstMethod(result: StudyResult, method: string): string {
  const sentences = result.study.arms.flatMap(({ name, role }) => {
    if (name === method || role === 'base') return [];
    const area = differenceOf(result, { a: name, b: method, budget: 'tokens', part: 'all' })?.measures[
      decidingMeasure(result)
    ];
    return area ? [`“${titleOf(result, name)}” is ${inWords(area)}, ${pointsText(area)}`] : [];
  });
  return `Against “${titleOf(result, method)}”, for equal tokens: ${sentences.join('; ')}.`;
}

/** Claims of the paper over its base: the first six of the list. */
const OVER_BASE = 6;

const COUNTED = {
  holds: 'hold',
  'holds partly': 'hold partly',
  'does not hold here': 'do not hold',
  'cannot tell': 'cannot be told',
} as const satisfies Record<Verdict, string>;

function claimsInWords(result: StudyResult): string {
  const made = statements(result).slice(0, OVER_BASE);
  if (made.length === 0) return '';
  const counts = Object.entries(COUNTED).flatMap(([verdict, words]) => {
    const count = made.filter((one) => one.verdict === verdict).length;
    return count > 0 ? [`${count} ${words}`] : [];
  });
  return `Of the paper's ${made.length} claims over the base: ${counts.join(', ')}.`;
}
