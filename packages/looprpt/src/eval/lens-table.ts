/**
 * A lens for the terminal: one line per place, one column per loop. A cell holds the loop's likeliest next token and the
 * log-probability of the true one, coloured by it; the exit loop is marked.
 */
import pc from 'picocolors';
import { renderTable } from '../base/terminal/table.js';
import type { Lens } from './lens.js';

export interface LensTableOptions {
  /** Which row of the batch; default 0. */
  row?: number;
  /** The threshold whose exits are marked, as it was given to the lens; default the first. */
  tau?: string;
  /** The text of one id; default `#id`. */
  tokenText?: (id: number) => string;
  /** Default: whether the terminal shows colour. */
  color?: boolean;
}

const EXIT_MARK = '◂';

/** @returns lines for the terminal, without a newline at the end */
export function renderLens(lens: Lens, options: LensTableOptions = {}): string {
  const {
    row = 0,
    tau = Object.keys(lens.exitLoop)[0],
    tokenText = (id) => `#${id}`,
    color = pc.isColorSupported,
  } = options;
  const colors = pc.createColors(color);
  const exits = tau === undefined ? undefined : lens.exitLoop[tau]?.[row];
  const ids = lens.ids[row]!;
  const loops = Array.from({ length: lens.loops }, (_, k) => k + 1);
  const rows = ids.map((id, s) => {
    const cells = loops.map((loop, k) => {
      const logprob = lens.logprobs[row]![s]?.[k];
      const guess = lens.top[row]![s]![k]![0];
      const text = guess ? visible(guess.token ?? tokenText(guess.id)) : '';
      const known = logprob === undefined ? '' : ` ${logprob.toFixed(2)}`;
      const mark = exits?.[s] === loop ? ` ${EXIT_MARK}` : '';
      return shade(colors, logprob)(text + known) + colors.bold(mark);
    });
    return [String(s + 1), visible(tokenText(id)), ...cells];
  });
  const columns = [
    { title: 'place', align: 'right' as const },
    { title: 'token', align: 'left' as const },
    ...loops.map((loop) => ({ title: `loop ${loop}`, align: 'left' as const })),
  ];
  const legend =
    `likeliest next token and log-probability of the true one after each loop` +
    (exits === undefined ? '' : `; ${EXIT_MARK} exit at τ = ${tau}`);
  return `${renderTable(columns, rows, { color })}\n${colors.dim(legend)}`;
}

/** Green where the true token is likely (p > 0.5), yellow above 5 %, red below. */
function shade(colors: ReturnType<typeof pc.createColors>, logprob: number | undefined): (text: string) => string {
  if (logprob === undefined) return colors.dim;
  if (logprob > Math.log(0.5)) return colors.green;
  return logprob > Math.log(0.05) ? colors.yellow : colors.red;
}

/** White space and control characters in sight. */
function visible(text: string): string {
  return text.replaceAll(' ', '·').replaceAll('\n', '⏎').replaceAll('\t', '⇥').replace(/\p{C}/gu, '�');
}
