/** A file that is on disk whole or not at all. */
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from './user-error.js';

export function writeWholeFile(path: string, content: string): void {
  assertWritable(path);
  const partial = `${path}.${process.pid}.partial`;
  try {
    writeFileSync(partial, content, { flush: true });
    renameSync(partial, path);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** For an early refusal, before long work. @throws UserError when `path` is a folder or has none to lie in */
export function assertWritable(path: string): void {
  if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(`${path}: there is no folder ${dirname(path)}; create it first`);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(`${path}: is a folder; name a file`);
}
