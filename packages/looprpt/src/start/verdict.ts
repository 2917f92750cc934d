/**
 * The verdict of a first-contact job in two sentences: the best way to train on against the base, and the best preset of LoopRPT
 * against the strongest baseline. By the frontier's area and its interval; "not told apart" where the interval holds zero.
 */
import { intervalText, signed } from '../eval/report/format.js';
import type { ComparisonResult } from '../eval/result.js';
import type { Comparison } from './compare.js';

const MEASURE = 'frontier';

export function verdictOf({ evaluations, comparisons, baselines }: Comparison): string {
  const [base, ...arms] = evaluations;
  const area = (name: string): number =>
    evaluations.find(({ model }) => model === name)?.frontier?.area ?? Number.NEGATIVE_INFINITY;
  const best = (names: readonly string[]): string | undefined => names.toSorted((a, b) => area(b) - area(a))[0];
  const names = arms.map(({ model }) => model);
  const winner = best(names);
  const preset = best(names.filter((name) => !baselines.includes(name)));
  const baseline = best(names.filter((name) => baselines.includes(name)));
  const of = (a: string, b: string): ComparisonResult | undefined =>
    comparisons.find((comparison) => comparison.metric === MEASURE && comparison.a === a && comparison.b === b);
  const sentences = [
    winner === undefined ? '' : sentence(winner, base!.model, of(winner, base!.model), `the best of ${names.length}, `),
    preset === undefined || baseline === undefined
      ? ''
      : sentence(preset, baseline, of(preset, baseline), '', 'the strongest baseline'),
  ];
  return sentences.filter((text) => text !== '').join(' ');
}

function sentence(
  a: string,
  b: string,
  comparison: ComparisonResult | undefined,
  about: string,
  role = 'the base',
): string {
  const other = b === role.replace('the ', '') ? role : `${role} (${b})`;
  if (!comparison) return '';
  const { delta, low, high } = comparison;
  const named = about === '' ? `“${a}”` : `“${a}”, ${about.replace(/, $/, '')},`;
  if (low === null || high === null)
    return `Whether ${named} is better than ${other} cannot be told: too few held-out documents.`;
  const figures = `${signed(100 * delta, 2)} points of frontier (95 % interval ${intervalText(comparison, 2, 100)})`;
  if (low > 0) return `${named} is better than ${other}: ${figures}.`;
  if (high < 0) return `${named} is worse than ${other}: ${figures}.`;
  return `${named} and ${other} are not told apart: ${figures}.`;
}
