/** Which arms the figures show: more lines than these cannot be told apart. The tables have them all. */
import type { Budget } from './planner.js';
import { decidingValue, type Row, rowOf, type StudyResult } from './result.js';
import { OUR_PRESETS } from './variants.js';

const BASELINES = 2;
const VARIANTS = 1;

/** The base, the best baselines, the method, our presets and the best other variants, by the number that decides; in the order of the study. */
export function shownArms(result: StudyResult, budget: Budget): string[] {
  const best = (roles: readonly Row['role'][], count: number): string[] =>
    result.rows
      .filter((row) => row.budget === budget && roles.includes(row.role) && !OUR_PRESETS.includes(row.arm))
      .toSorted((a, b) => decidingValue(result, b, 'all') - decidingValue(result, a, 'all'))
      .slice(0, count)
      .map(({ arm }) => arm);
  const shown = new Set([...best(['base'], 1), ...best(['baseline'], BASELINES), ...best(['variant'], VARIANTS)]);
  const method = result.rows.find(({ role }) => role === 'method');
  if (method) shown.add(method.arm);
  for (const preset of OUR_PRESETS) shown.add(preset);
  return result.rows.filter((row) => row.budget === budget && shown.has(row.arm)).map(({ arm }) => arm);
}

export function rowsShown(result: StudyResult, budget: Budget): Row[] {
  return shownArms(result, budget).map((arm) => rowOf(result, arm, budget)!);
}
