/** Arms that are held against one other arm (`against`): what the change between the two costs, beside the spread of seeds. */
import { fixed, percent, signed } from 'looprpt/internal/eval/report/format.js';
import {
  decidingMeasure,
  decidingValue,
  differenceOf,
  type Ends,
  type Row,
  rowOf,
  type StudyResult,
} from './result.js';
import { pointsText, type Table, titleOf } from './table.js';

interface Twins {
  row: Row;
  other: Row;
  /** By the measure that decides. */
  difference: Ends;
  hard: Ends;
  /** At the last loop, nats. */
  crossEntropy: Ends;
  /** Standard deviation of the other arm over seeds, by the measure that decides. */
  spread: number;
}

function twinsOf(result: StudyResult): Twins[] {
  const measure = decidingMeasure(result);
  return result.study.arms.flatMap(({ name, against }) => {
    const row = rowOf(result, name, 'tokens');
    const other = against === undefined ? undefined : rowOf(result, against, 'tokens');
    if (!row || !other) return [];
    const of = (part: 'all' | 'hard') =>
      differenceOf(result, { a: name, b: other.arm, budget: 'tokens', part })!.measures;
    const [all, hard] = [of('all'), of('hard')];
    return [
      {
        row,
        other,
        difference: all[measure]!,
        hard: hard[measure]!,
        crossEntropy: all[`crossEntropy@${result.loops}`]!,
        spread: (measure === 'frontier' ? other.frontier!.all.sd : other.summary.all.area.gate?.sd) ?? 0,
      },
    ];
  });
}

const isWithin = ({ difference: [mean], spread }: Twins): boolean => Math.abs(mean) <= spread;

/** `“A” against “B”: +0.01 (−0.04 to +0.06), within the spread of seeds (± 0.05).` Empty for a study without such arms. */
export function twinsInWords(result: StudyResult): string {
  const sentences = twinsOf(result).map((twins) => {
    const { row, other, difference, spread } = twins;
    const where = isWithin(twins) ? 'within' : 'beyond';
    return `“${row.title}” against “${other.title}”, by ${decidingMeasure(result)}: ${pointsText(difference)}, ${where} the spread of seeds (± ${fixed(100 * spread, 2)}).`;
  });
  return sentences.join(' ');
}

/** Undefined for a study without such arms. */
export function twinTable(result: StudyResult): Table | undefined {
  const twins = twinsOf(result);
  if (twins.length === 0) return undefined;
  const measure = decidingMeasure(result);
  const nats = ([mean, low, high]: Ends): string => `${signed(mean, 4)} (${signed(low, 4)} to ${signed(high, 4)})`;
  return {
    title: 'Held against each other',
    columns: [
      'arm',
      'against',
      `${measure} of both`,
      `difference of ${measure}`,
      'on hard tokens',
      'spread of seeds',
      `difference of cross-entropy at loop ${result.loops}, nats`,
    ],
    rows: twins.map(({ row, other, difference, hard, crossEntropy, spread }) => [
      row.title,
      titleOf(result, other.arm),
      [row, other].map((one) => percent(decidingValue(result, one, 'all'), 2)).join(' / '),
      pointsText(difference),
      pointsText(hard),
      `± ${fixed(100 * spread, 2)}`,
      nats(crossEntropy),
    ]),
    note: 'Equal tokens. The spread is the standard deviation over seeds of the arm that is held against.',
  };
}
