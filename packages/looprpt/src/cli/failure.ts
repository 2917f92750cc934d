/**
 * What an error means to the person at the terminal, and the exit code that says the same to a program: 1 for what they
 * can mend, in one line; 2 for a fault of ours, with the stack.
 */
import { CommanderError } from '@commander-js/extra-typings';
import type { Cli } from '../base/terminal/cli.js';
import { Interrupted, UserError } from '../base/user-error.js';

/** Faults of the machine or of a path that was given, by the codes of Node's system errors. */
const SYSTEM_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EROFS: 'the disk cannot be written to',
  EISDIR: 'is a folder; a file is needed',
  EEXIST: 'a file lies there, where a folder is needed',
  ENOTDIR: 'a part of this path is not a folder',
  ENOSPC: 'the disk is full',
  EMFILE: 'too many open files; raise the limit (ulimit -n)',
};

/** Says what went wrong on stderr and sets the exit code. */
export function reportFailure(cli: Cli, error: unknown): void {
  // Commander has printed its own message, or the help or version that was asked for.
  if (error instanceof CommanderError) {
    cli.exitCode = error.exitCode === 0 ? 0 : 1;
    return;
  }
  const line = userMessage(error);
  if (line !== null) {
    cli.stderr.write(`looprpt: ${line.replace(/\s*\n\s*/g, ' ')}\n`);
    cli.exitCode = error instanceof Interrupted ? 130 : 1;
    return;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  cli.stderr.write(
    `looprpt: this is a fault of ours, please report it with what follows and the output of \`looprpt doctor --json\`\n${stack}\n`,
  );
  cli.exitCode = 2;
}

function userMessage(error: unknown): string | null {
  if (error instanceof UserError) return error.message;
  if (!(error instanceof Error)) return null;
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ERR_DLOPEN_FAILED')
    return `the engine cannot be loaded (${error.message}); run \`npx looprpt setup\`, and \`looprpt doctor\` to see what is missing`;
  const fault = code === undefined ? undefined : SYSTEM_FAULTS[code];
  if (fault !== undefined && path !== undefined) return `${path}: ${fault}`;
  if (code === 'ENOSPC') return 'the disk is full';
  if (/out of memory|can't allocate memory/i.test(error.message))
    return `out of memory (${error.message.split('\n')[0]}); smaller batches, a narrower --dtype or another --device need less`;
  return null;
}
