/** What it means to the user that a run's file could not be written: one line, with how to mend it. */
import { UserError } from '../../base/user-error.js';

const CAUSES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; make room',
  EDQUOT: 'the disk quota is used up; make room',
  EFBIG: 'the file would be larger than is allowed here; raise the limit (ulimit -f)',
  EROFS: 'the disk is read-only; make it writable',
  EACCES: 'no permission; make the folder writable',
  EPERM: 'no permission; make the folder writable',
  EIO: 'the disk reports an error; look at the system log',
  ENOENT: 'a folder above it is gone; put it back',
  ENOTDIR: 'a file lies where a folder is needed; move it away',
  EMFILE: 'too many open files; raise the limit (ulimit -n)',
};

/**
 * A `UserError` where the machine refused to write, the error itself where the fault is ours.
 * @param what the file or folder, and what it was to hold
 */
export function writeFailure(error: unknown, what: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const cause = code === undefined ? undefined : CAUSES[code];
  if (cause === undefined) return error;
  return new UserError(`${what} could not be written: ${cause}, then go on with --resume`);
}
