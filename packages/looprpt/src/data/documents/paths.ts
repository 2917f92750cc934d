/**
 * From what the user names (files, folders, glob patterns) to the files to read, in an order that does not depend on
 * the file system.
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { extname, isAbsolute, join, resolve } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UserError } from '../../base/user-error.js';

export type FileKind = 'jsonl' | 'parquet' | 'text';

const kinds: Readonly<Record<string, FileKind>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'jsonl',
  '.parquet': 'parquet',
  '.txt': 'text',
  '.text': 'text',
  '.md': 'text',
};
/** Looked for in folders. `.json` and `.md` are read when named, but in a folder they tend to describe the data. */
const inFolders = ['jsonl', 'ndjson', 'parquet', 'txt', 'text'];

/** @throws UserError for an extension that no reader knows */
export function kindOf(path: string): FileKind {
  const kind = kinds[extname(path).toLowerCase()];
  if (kind === undefined) {
    throw new UserError(`${path}: unknown kind of file; readable are ${Object.keys(kinds).join(', ')}`);
  }
  return kind;
}

/**
 * The files meant, each once: in the order of the paths given, sorted within a folder or pattern.
 *
 * @throws UserError for a path that is not there or holds nothing to read
 */
export async function expandPaths(paths: readonly string[]): Promise<string[]> {
  const byPlace = new Map<string, string>();
  for (const path of paths) {
    for (const file of await expand(path)) if (!byPlace.has(resolve(file))) byPlace.set(resolve(file), file);
  }
  const files = [...byPlace.values()];
  for (const file of files) {
    kindOf(file);
    await access(file, constants.R_OK).catch(() => {
      throw new UserError(`${file}: no permission to read it`);
    });
  }
  return files;
}

async function expand(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile()) return [path];
  if (found?.isDirectory()) {
    const files = await glob(`**/*.{${inFolders.join(',')}}`, { cwd: path, caseSensitiveMatch: false });
    if (files.length === 0) throw new UserError(`${path}: holds no file ending in .${inFolders.join(', .')}`);
    return files.sort().map((file) => join(path, file));
  }
  if (!isDynamicPattern(path)) throw new UserError(`${path}: no such file or folder`);
  const files = await glob(path, { expandDirectories: false, absolute: isAbsolute(path) });
  if (files.length === 0) throw new UserError(`${path}: no file matches`);
  return files.sort();
}
