/**
 * Progress of work whose end is not known beforehand: a count that grows. On a terminal one line that is rewritten,
 * elsewhere a line now and then; with `quiet` nothing.
 */
import { formatDuration } from './duration.js';
import type { TerminalOptions } from './output.js';

const TERMINAL_MS = 125;
const PLAIN_MS = 10_000;

export interface Tally {
  /** @param words what is done so far, such as `12,000 documents` */
  update(words: string): void;
  /** Ends the line; with words of its own for the last time. */
  done(words: string): void;
}

export function tally(title: string, options: TerminalOptions = {}): Tally {
  const stream = options.stream ?? process.stderr;
  const now = options.now ?? Date.now;
  const started = now();
  let shown = started;
  const line = (words: string): string => `${title}: ${words}  ${formatDuration((now() - started) / 1000)}`;
  const rewrite = stream.isTTY ? '\r\x1b[K' : '';
  return {
    update(words) {
      if (options.quiet || now() - shown < (stream.isTTY ? TERMINAL_MS : PLAIN_MS)) return;
      shown = now();
      stream.write(rewrite + line(words) + (stream.isTTY ? '' : '\n'));
    },
    done(words) {
      if (!options.quiet) stream.write(`${rewrite}${line(words)}\n`);
    },
  };
}
