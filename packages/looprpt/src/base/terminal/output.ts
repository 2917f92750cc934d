/**
 * Where words for people go: standard error, so that standard output stays free for results. Everything in this folder
 * takes these options; tests give a stream and a clock of their own.
 */
export interface TerminalOptions {
  /** Print nothing. */
  quiet?: boolean;
  /** Default: standard error. */
  stream?: TerminalStream;
  /** The clock in milliseconds. */
  now?: () => number;
}

/** What is used of a `tty.WriteStream`. */
export type TerminalStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
