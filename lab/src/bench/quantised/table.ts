/** The results as Markdown: shares in per cent, differences in points. */
import type { Measured } from './measure.js';
import type { QuantisedResult } from './run.js';

export function quantisedTable({ settings, cpu, results }: QuantisedResult): string {
  const loops = Math.max(...results.map(({ rows }) => rows[0]!.accuracy.length));
  const numbered = Array.from({ length: loops }, (_, k) => (k === 0 ? 'loop 1' : String(k + 1)));
  const columns = ['model', 'weights', ...numbered, 'difference at the last', 'perplexity', 'same exit'];
  const rules = columns.map((_, i) => (i < 2 ? ':--' : '--:'));
  const lines = results.flatMap(({ model, data, documents, tokens, rows }) =>
    rows.map((row, i) =>
      line([
        i === 0 ? `\`${model}\`, ${grouped(tokens)} tokens of ${grouped(documents)} documents of ${data}` : '',
        ...cells(row),
      ]),
    ),
  );
  const { split, seed, resamples, fitPasses } = settings;
  const texts = results.map(({ model, calibrationTokens }) => `${grouped(calibrationTokens)} (\`${model}\`)`);
  const below = [
    `Split ${split}, documents of seed ${seed}; ${grouped(resamples)} resamples of documents; ${cpu ?? 'unknown processor'}.`,
    `Calibrated on tokens of other documents: ${texts.join(', ')}; fitted in ${fitPasses} passes of them.`,
  ];
  return [line(columns), line(rules), ...lines, '', ...below].join('\n');
}

function cells({ weights, accuracy, difference, perplexity, sameExit }: Measured): string[] {
  return [
    weights,
    ...accuracy.map((share) => (100 * share).toFixed(2)),
    difference ? shown(difference) : '',
    perplexity.toFixed(3),
    sameExit === null ? '' : (100 * sameExit).toFixed(1),
  ];
}

function shown({ value, low, high }: NonNullable<Measured['difference']>): string {
  const points = (share: number): string => signed(100 * share);
  return low === null || high === null ? points(value) : `${points(value)} (${points(low)} to ${points(high)})`;
}

function signed(value: number): string {
  const text = value.toFixed(2).replace('-', '−');
  return Number(value.toFixed(2)) > 0 ? `+${text}` : text.replace('−0.00', '0.00');
}

const grouped = (n: number): string => n.toLocaleString('en-US');

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
