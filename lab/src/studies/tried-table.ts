/** Trials on the tuning split for the terminal, the best frontier first. Accuracies in per cent. */
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import { chosenWithin, frontierArea } from 'looprpt/internal/eval/frontier.js';
import { percent } from 'looprpt/internal/eval/report/format.js';
import { describeTrial } from './arm.js';
import type { Tried } from './conduct.js';
import type { ArmResult } from './store.js';

/** Thresholds are chosen on the split itself: it judges settings here, not arms. */
export function triedTable(tried: readonly Tried[]): string {
  const lines = tried.map(({ arm, trial, results }) => {
    const over = (value: (result: ArmResult) => number): number =>
      results.reduce((sum, result) => sum + value(result), 0) / results.length;
    const curve = ({ evaluation }: ArmResult) => evaluation.rules!.find(({ rule }) => rule === 'gate')!.points;
    const within = (loops: number): string =>
      percent(over((result) => curve(result)[chosenWithin(curve(result), loops)]!.accuracy));
    const frontier = over((result) => frontierArea(curve(result), result.evaluation.loops));
    const { loops } = results[0]!.evaluation;
    const perLoop = Array.from({ length: loops }, (_, k) =>
      percent(over(({ evaluation }) => evaluation.perLoop[k]!.accuracy)),
    );
    const cells = [
      arm.name,
      describeTrial(trial),
      percent(frontier, 2),
      percent(
        over(({ evaluation }) => evaluation.area!.gate!),
        2,
      ),
      within(1.5),
      within(2),
      perLoop.join(' / '),
      percent(over(({ evaluation }) => evaluation.buckets.hard.perLoop.at(-1)!.accuracy)),
    ];
    return { frontier, cells };
  });
  const columns = ['arm', 'tried', 'frontier', 'area', '≤ 1.5', '≤ 2', 'by loop', 'hard, last loop'];
  return renderTable(
    columns,
    lines.toSorted((a, b) => b.frontier - a.frontier).map(({ cells }) => cells),
  );
}
