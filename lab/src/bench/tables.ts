/** The benchmark's rows, for reading: one table a model and shape, and the profile of a mode. */
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import { operatorSeconds, outside, type Row, type SideSummary } from './rows.js';

const NONE = '–';

/** @param rows of one model and shape */
export function caseTable(rows: readonly Row[]): string {
  const { model, B, T, parameters, matmul } = rows[0]!;
  const title = `${model.name} (${parameters.toLocaleString('en')} parameters, vocabulary ${model.vocab.toLocaleString('en')}), ${B} x ${T} tokens; matrix products at ${matmul.median.toFixed(0)} GFLOP/s, best ${matmul.best.toFixed(0)}`;
  const columns = [
    'mode',
    'tokens/s',
    "peer's",
    'times as fast',
    'peak MB',
    "peer's",
    'GFLOP/step',
    'of matmul',
    '(best)',
    'in JS',
  ];
  return `${title}\n${renderTable(columns, rows.map(caseRow), { indent: 2 })}`;
}

function caseRow(row: Row): string[] {
  const { mode, peerMode, same, ours, peer, speedup, shareOfMatmul, usefulGflop, outsideNative } = row;
  const rate = (side: SideSummary | null): string => side?.tokensPerSecond.toFixed(0) ?? NONE;
  const peak = (side: SideSummary | null): string => side?.peakMB.toFixed(0) ?? NONE;
  return [
    same ? mode : `${mode} (peer: ${peerMode})`,
    rate(ours),
    rate(peer),
    speedup ? `${speedup.median.toFixed(2)} (${speedup.min.toFixed(2)} to ${speedup.max.toFixed(2)})` : NONE,
    peak(ours),
    peak(peer),
    usefulGflop.toPrecision(3),
    percent(shareOfMatmul?.median),
    percent(shareOfMatmul?.best),
    percent(outsideNative),
  ];
}

/** Operators shown; the rest is one line. */
const SHOWN = 24;

/** Times of one mode by part and by operator; empty if they were not taken. */
export function profileTables({ model, B, T, mode, parts, operators }: Row): string {
  if (!operators) return '';
  const whole = parts.reduce((sum, { seconds }) => sum + seconds, 0);
  const byPart = parts
    .filter(({ seconds }) => seconds > 0)
    .map((part) => [part.part, ms(part.seconds), percent(part.seconds / whole), percent(outside([part]))]);
  const line = (name: string, calls: number, milliseconds: number): (string | number)[] => [
    name,
    calls,
    ms(milliseconds / 1000),
    percent(milliseconds / 1000 / operators.seconds),
  ];
  const rest = operators.operators.slice(SHOWN);
  const byOperator = [
    ...operators.operators
      .slice(0, SHOWN)
      .map(({ operator, backward, calls, milliseconds }) =>
        line(backward ? `${operator} (backward)` : operator, calls, milliseconds),
      ),
    line(
      `${rest.length} others`,
      rest.reduce((sum, { calls }) => sum + calls, 0),
      rest.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    ),
    line('outside operators', 0, 1000 * (operators.seconds - operatorSeconds(operators))),
  ];
  return [
    `${model.name}, ${B} x ${T}, ${mode}: one step`,
    renderTable(['part', 'ms', 'share', 'in JS'], byPart, { indent: 2 }),
    renderTable(['operator', 'calls', 'ms', 'share'], byOperator, { indent: 2 }),
  ].join('\n\n');
}

function ms(seconds: number): string {
  return (1000 * seconds).toFixed(1);
}

function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? NONE : `${(100 * share).toFixed(1)} %`;
}
