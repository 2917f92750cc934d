/**
 * Tables for the terminal: aligned columns, no boxes, numbers to the right. Not a TTY: the same text without colour.
 *
 * Cells may carry colour codes of their own; they do not count in the widths.
 */
import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';

export interface Column {
  title: string;
  /** Default: right if every cell of the column reads as a number, else left. */
  align?: 'left' | 'right';
}

export interface TableOptions {
  /** Default: whether the terminal shows colour (and `NO_COLOR` is not set). */
  color?: boolean;
  /** Spaces before every line. */
  indent?: number;
}

/**
 * @param rows each as long as `columns`; `undefined` is an empty cell
 * @returns the table's lines, joined, without a newline at the end
 */
export function renderTable(
  columns: readonly (Column | string)[],
  rows: readonly (readonly (string | number | undefined)[])[],
  options: TableOptions = {},
): string {
  const colors = pc.createColors(options.color ?? pc.isColorSupported);
  const titles = columns.map((column) => (typeof column === 'string' ? column : column.title));
  const cells = rows.map((row) => columns.map((_, index) => String(row[index] ?? '')));
  const widths = titles.map((title, index) => Math.max(width(title), ...cells.map((row) => width(row[index]!))));
  const rightAligned = columns.map((column, index) => {
    const asked = typeof column === 'string' ? undefined : column.align;
    return asked === undefined ? cells.every((row) => readsAsNumber(row[index]!)) : asked === 'right';
  });
  const line = (texts: readonly string[], style: (text: string) => string): string => {
    const padded = texts.map((text, index) => {
      const space = ' '.repeat(widths[index]! - width(text));
      return rightAligned[index] ? space + style(text) : style(text) + space;
    });
    return ' '.repeat(options.indent ?? 0) + padded.join('  ').trimEnd();
  };
  const rule = line(
    widths.map((columnWidth) => '─'.repeat(columnWidth)),
    colors.dim,
  );
  return [line(titles, colors.bold), rule, ...cells.map((row) => line(row, (text) => text))].join('\n');
}

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** Numbers with signs, units or spread (`−0.3`, `52 %`, `1.2 ± 0.1`), a dash for none, and empty cells. */
function readsAsNumber(cell: string): boolean {
  const plain = stripVTControlCharacters(cell).trim();
  return /^[+−-]?([\d.,]+(e[+-]?\d+)?|∞)?( ?[%×kMGT]?)?( ± [\d.,]+)?$/.test(plain) || plain === '–' || plain === 'NaN';
}
