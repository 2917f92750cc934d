/**
 * A mistake in what the user gave us: a path, a flag, a configuration key, a broken file.
 *
 * The message is one line that says what is wrong, where, and how to mend it. The command line prints it alone and
 * exits with code 1. Faults of ours are ordinary errors or failed asserts and exit with code 2.
 */
export class UserError extends Error {
  override readonly name: string = 'UserError';

  /** @param message may quote foreign text: what would break the line or steer a terminal becomes a space, and its length is bounded */
  constructor(message: string) {
    const line = message.replace(/\s*\p{Cc}+\s*/gu, ' ');
    super(line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line);
  }
}

/** Stopped by the user before anything was done; the command line ends with exit code 130. */
export class Interrupted extends UserError {}

const LONGEST = 1500;
