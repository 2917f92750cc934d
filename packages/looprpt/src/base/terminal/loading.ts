/** What is said while the weights of a large model are read: how much, and how long it will still take. */
import { formatDuration } from './duration.js';
import type { TerminalOptions } from './output.js';

/** Below that nothing is said: whoever waits so shortly needs no words. */
const PATIENCE_MS = 1000;
const TERMINAL_MS = 125;
const PLAIN_MS = 10_000;

/** Told of bytes that were read, and of all; for one model after another. */
type OnLoad = (bytes: number, all: number) => void;

/** One line on a terminal, rewritten; elsewhere one now and then. */
export function loadingLine(options: TerminalOptions = {}): OnLoad {
  const stream = options.stream ?? process.stderr;
  const rewrite = stream.isTTY ? '\r\x1b[K' : '';
  const patience = stream.isTTY ? TERMINAL_MS : PLAIN_MS;
  let shown: number | null = null;
  return watched(options.now ?? Date.now, ({ words, at, isLast }) => {
    if (options.quiet) return;
    if (!isLast && shown !== null && at - shown < patience) return;
    stream.write(`${rewrite}weights: ${words}${isLast || !stream.isTTY ? '\n' : ''}`);
    shown = isLast ? null : at;
  });
}

/** A remark now and then, for who has no terminal. */
export function loadRemarks(say: (line: string) => void, now: () => number = Date.now): OnLoad {
  let quarter = 0;
  return watched(now, ({ words, share }) => {
    const reached = Math.floor(4 * share);
    if (quarter !== 0 && reached < quarter) return;
    quarter = reached + 1;
    say(`weights: ${words}`);
  });
}

interface Reading {
  words: string;
  /** Of all, 0 to 1. */
  share: number;
  at: number;
  isLast: boolean;
}

/** Calls `tell` from when reading has taken a while; the time left is told by the pace so far. */
function watched(now: () => number, tell: (reading: Reading) => void): OnLoad {
  let first: { at: number; bytes: number } | null = null;
  let isTold = false;
  return (bytes, all) => {
    const at = now();
    first ??= { at, bytes };
    const isLast = bytes >= all;
    isTold ||= !isLast && at - first.at >= PATIENCE_MS;
    if (isTold) {
      const pace = (at - first.at) / Math.max(1, bytes - first.bytes);
      const time = isLast ? `in ${duration(at - first.at)}` : `${duration(pace * (all - bytes))} left`;
      tell({ words: `${gigabytes(bytes)} of ${gigabytes(all)} GB, ${time}`, share: bytes / all, at, isLast });
    }
    if (!isLast) return;
    first = null;
    isTold = false;
  };
}

const duration = (milliseconds: number): string => formatDuration(milliseconds / 1000);

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1);
}
