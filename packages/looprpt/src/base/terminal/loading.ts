/** What is said while the weights of a large model are read. */

import type { TerminalOptions } from './output.js';
import { type Tally, tally } from './tally.js';

/** Below that nothing is said: it takes no time that anybody notices. */
const LEAST_BYTES = 2 ** 28;

type OnLoad = (bytes: number, all: number) => void;

/** One line on a terminal, rewritten; elsewhere one now and then. */
export function loadingLine(options: TerminalOptions): OnLoad {
  let line: Tally | null = null;
  return (bytes, all) => {
    if (all < LEAST_BYTES) return;
    line ??= tally('weights', options);
    const words = `${gigabytes(bytes)} of ${gigabytes(all)} GB`;
    if (bytes < all) line.update(words);
    else line.done(words);
  };
}

/** A remark at each quarter, for who has no terminal. */
export function loadRemarks(say: (line: string) => void): OnLoad {
  let said = 0;
  return (bytes, all) => {
    const quarters = Math.floor((4 * bytes) / all);
    if (all < LEAST_BYTES || quarters === said) return;
    said = quarters;
    say(`weights: ${gigabytes(bytes)} of ${gigabytes(all)} GB`);
  };
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
