/**
 * One file of a data set on the Hugging Face Hub, in the Hub's own cache (shared with Python's `huggingface_hub`). When
 * the Hub cannot be reached a copy that is in the cache already serves, so that machines without network can work from
 * a cache that was filled elsewhere.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadFileToCacheDir, getHFHubCachePath, getRepoFolderName } from '@huggingface/hub';
import { UserError } from '../../base/user-error.js';

/** The local path of a data set's file. `repo` is "owner/name", `revision` a branch, tag or commit. */
export type FetchFile = (repo: string, path: string, revision: string) => Promise<string>;

/**
 * Honours HF_HOME, HF_HUB_CACHE, HF_ENDPOINT and HF_TOKEN.
 *
 * @throws UserError when the file can neither be downloaded nor found in the cache
 */
export const fetchFromHub: FetchFile = async (repo, path, revision) => {
  const { HF_ENDPOINT: hubUrl, HF_TOKEN: accessToken } = process.env;
  try {
    return await downloadFileToCacheDir({
      repo: { type: 'dataset', name: repo },
      path,
      revision,
      ...(hubUrl ? { hubUrl } : {}),
      ...(accessToken ? { accessToken } : {}),
    });
  } catch (error) {
    const cached = await cachedFile(getHFHubCachePath(), repo, path, revision);
    if (cached !== null) return cached;
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError(
      `${path} of ${repo} is not in the Hub's cache and cannot be downloaded (${reason}); give a local path instead`,
    );
  }
};

/** The file in the snapshot that the cache knows as this revision, else in the newest snapshot that has it. */
export async function cachedFile(cache: string, repo: string, path: string, revision: string): Promise<string | null> {
  const folder = join(cache, getRepoFolderName({ type: 'dataset', name: repo }));
  const commit = await readFile(join(folder, 'refs', revision), 'utf8').catch(() => revision);
  const named = join(folder, 'snapshots', commit.trim(), path);
  if (await stat(named).catch(() => null)) return named;
  const snapshots = await readdir(join(folder, 'snapshots')).catch(() => []);
  let newest: { file: string; time: number } | null = null;
  for (const snapshot of snapshots) {
    const file = join(folder, 'snapshots', snapshot, path);
    const found = await stat(file).catch(() => null);
    if (found && found.mtimeMs > (newest?.time ?? Number.NEGATIVE_INFINITY)) newest = { file, time: found.mtimeMs };
  }
  return newest?.file ?? null;
}
