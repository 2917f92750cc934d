/**
 * Files of a data set on the Hugging Face Hub, in the Hub's own cache (shared with Python's `huggingface_hub`). When the Hub cannot be
 * reached a copy that is in the cache already serves, so that machines without network can work from a cache that was filled elsewhere.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HubApiError } from '@huggingface/hub';
import { UserError } from '../../base/user-error.js';
import { hubFromEnvironment, isOffline } from '../../checkpoint/hub-access.js';
import {
  cachedCommit,
  isCommit,
  type Repository,
  rememberCommit,
  repositoryFolder,
} from '../../checkpoint/hub-cache.js';
import { hubFault, networkFault } from '../../checkpoint/hub-fault.js';
import { describeFile, fetchHubFile, resolveCommit } from '../../checkpoint/hub-file.js';

/** The local path of a data set's file. `repo` is "owner/name", `revision` a branch, tag or commit. */
export type FetchFile = (repo: string, path: string, revision: string) => Promise<string>;

/**
 * Fetches files of one commit a revision: what a branch is, is asked once.
 * @throws UserError, when the function is called, for a file that can neither be downloaded nor found in the cache
 */
export function hubFetcher(): FetchFile {
  const commits = new Map<string, Promise<string>>();
  return async (name, path, revision) => {
    const repo: Repository = { type: 'dataset', name };
    const missing = (reason: string): UserError =>
      new UserError(
        `${path} of ${name} is not in the Hub's cache and cannot be downloaded (${reason}); give a local path instead`,
      );
    const cached = await cachedFile(repo, path, revision);
    const isHere = cached !== null && (isOffline() || (isCommit(revision) && cached.includes(revision)));
    if (isHere) return cached;
    if (isOffline()) throw missing('HF_HUB_OFFLINE forbids it');
    const hub = hubFromEnvironment();
    try {
      const key = `${name}@${revision}`;
      const asked = commits.get(key) ?? resolveCommit(repo, revision, hub);
      commits.set(key, asked);
      const commit = await asked;
      const file = await describeFile(repo, path, commit, hub);
      if (!file) throw missing(`${revision} has no such file`);
      const fetched = await fetchHubFile(repo, file, commit, hub);
      rememberCommit(repo, revision, commit);
      return fetched;
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (error instanceof HubApiError && error.statusCode < 500)
        throw missing(hubFault(error, `datasets/${name}`, hub));
      if (cached !== null) return cached;
      throw missing(error instanceof HubApiError ? hubFault(error, `datasets/${name}`, hub) : networkFault(error));
    }
  };
}

/** The file in the snapshot that the cache knows as this revision, else in the newest snapshot that has it. */
export async function cachedFile(repo: Repository, path: string, revision: string): Promise<string | null> {
  const folder = join(repositoryFolder(repo), 'snapshots');
  const named = join(folder, cachedCommit(repo, revision) ?? revision, path);
  if (await stat(named).catch(() => null)) return named;
  const snapshots = await readdir(folder).catch(() => []);
  let newest: { file: string; time: number } | null = null;
  for (const snapshot of snapshots) {
    const file = join(folder, snapshot, path);
    const found = await stat(file).catch(() => null);
    if (found && found.mtimeMs > (newest?.time ?? Number.NEGATIVE_INFINITY)) newest = { file, time: found.mtimeMs };
  }
  return newest?.file ?? null;
}
