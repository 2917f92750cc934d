/** The load test's result for people. */
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import type { LoadResult } from './run.js';

const MOST_LINES = 20;

export function loadTable({ done, gone, busy, tokens, meanLoops, seconds, firstTokenMs, wrong }: LoadResult): string {
  const sorted = firstTokenMs.toSorted((a, b) => a - b);
  const quantile = (share: number): string => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    return value === undefined ? '–' : `${Math.round(value)} ms`;
  };
  const table = renderTable(
    ['', { title: 'value', align: 'right' }],
    [
      ['streams to their end', done],
      ['streams that the client left', gone],
      ['told to come again', busy],
      ['tokens received', tokens],
      ['tokens a second', Math.round(tokens / seconds)],
      ['mean loops of a token', meanLoops.toFixed(2)],
      ['first event, median', quantile(0.5)],
      ['first event, 95 of 100', quantile(0.95)],
    ],
  );
  const more = wrong.length > MOST_LINES ? [`… and ${wrong.length - MOST_LINES} more`] : [];
  const verdict =
    wrong.length === 0
      ? ['No token lost or repeated, every stream the same as alone, nothing left over.']
      : [`${wrong.length} wrong:`, ...wrong.slice(0, MOST_LINES).map((line) => `  ${line}`), ...more];
  return [table, '', ...verdict].join('\n');
}
