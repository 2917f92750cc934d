/**
 * From what the user names (files, folders, glob patterns) to the files to read, in an order that does not depend on
 * the file system.
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { extname, isAbsolute, join, resolve } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UserError } from '../../base/user-error.js';
import { isPacked } from './blocks.js';
import { holdsArray } from './json-array.js';

export type FileKind = 'jsonl' | 'json' | 'parquet' | 'text';

const kinds: Readonly<Record<string, FileKind>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.parquet': 'parquet',
  '.txt': 'text',
  '.text': 'text',
  '.md': 'text',
};

const READABLE = `${Object.keys(kinds).join(', ')}, and all but Parquet with .gz behind it`;

function knownKind(path: string): FileKind | undefined {
  const kind = kinds[extname(isPacked(path) ? path.slice(0, -'.gz'.length) : path).toLowerCase()];
  // Parquet packs its own columns and is read from its end.
  return kind === 'parquet' && isPacked(path) ? undefined : kind;
}

/** @throws UserError for an extension that no reader knows */
export function kindOf(path: string): FileKind {
  const kind = knownKind(path);
  if (kind === undefined) throw new UserError(`${path}: unknown kind of file; readable are ${READABLE}`);
  return kind;
}

/** Whether a file of a data set is taken for data by its name: JSON mostly describes it. */
export function isDataFile(path: string): boolean {
  const kind = knownKind(path);
  return kind !== undefined && kind !== 'json' && !/\.md(\.gz)?$/i.test(path);
}

/** Told of each file of a folder that is not read. */
export type OnLeftOut = (path: string, why: string) => void;

/**
 * The files meant, each once: in the order of the paths given, sorted within a folder or pattern.
 *
 * @throws UserError for a path that is not there or holds nothing to read
 */
export async function expandPaths(paths: readonly string[], onLeftOut: OnLeftOut = () => {}): Promise<string[]> {
  const byPlace = new Map<string, string>();
  for (const path of paths) {
    for (const file of await expand(path, onLeftOut)) if (!byPlace.has(resolve(file))) byPlace.set(resolve(file), file);
  }
  const files = [...byPlace.values()];
  for (const file of files) {
    kindOf(file);
    await assertReadable(file);
  }
  return files;
}

async function assertReadable(file: string): Promise<void> {
  await access(file, constants.R_OK).catch(() => {
    throw new UserError(`${file}: no permission to read it`);
  });
}

async function expand(path: string, onLeftOut: OnLeftOut): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile()) return [path];
  if (found?.isDirectory()) return inFolder(path, onLeftOut);
  if (!isDynamicPattern(path)) throw new UserError(`${path}: no such file or folder`);
  const files = await glob(path, { expandDirectories: false, absolute: isAbsolute(path) });
  if (files.length === 0) throw new UserError(`${path}: no file matches`);
  return files.sort();
}

async function inFolder(folder: string, onLeftOut: OnLeftOut): Promise<string[]> {
  const files = (await glob('**/*', { cwd: folder })).sort().map((file) => join(folder, file));
  const read: string[] = [];
  for (const file of files) {
    const why = await whyNot(file);
    if (why === null) read.push(file);
    else onLeftOut(file, why);
  }
  if (read.length > 0) return read;
  throw new UserError(
    `${folder}: holds no file ending in .jsonl, .ndjson, .parquet, .txt or .text, and no array in .json`,
  );
}

/** Some files are read when they are named, but in a folder tend to describe the data. Null: the file is read. */
async function whyNot(file: string): Promise<string | null> {
  const kind = knownKind(file);
  if (kind === undefined) return 'no data that can be read';
  if (/\.md(\.gz)?$/i.test(file)) return 'read only when it is named itself';
  if (kind !== 'json') return null;
  await assertReadable(file);
  return (await holdsArray(file)) ? null : 'no array of records; read only when it is named itself';
}
