/**
 * A folder that is on disk whole or not at all: written under a hidden name beside its own, synced, renamed.
 * What a killed run left under the hidden name is removed by the next run for the same folder.
 */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from './user-error.js';

/**
 * @param out the folder to make; it must not exist, or be empty
 * @param write fills the folder whose path it is given with plain files
 * @throws UserError when `out` is taken; whatever `write` throws, after removing what it wrote
 */
export async function writeWholeFolder<T>(out: string, write: (dir: string) => Promise<T>): Promise<T> {
  const target = resolve(out);
  await assertFree(out);
  const partial = join(dirname(target), `.${basename(target)}.partial`);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    const result = await write(partial);
    for (const name of await readdir(partial)) await sync(join(partial, name));
    await sync(partial);
    await rename(partial, target);
    await sync(dirname(target));
    return result;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** For an early refusal, before long work. */
export async function assertFree(out: string): Promise<void> {
  const there = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new UserError(`${out}: cannot be used as the output folder (${error.code ?? error.message})`);
  });
  if (there.length > 0) throw new UserError(`${out}: exists and is not empty; remove it or give another output folder`);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
