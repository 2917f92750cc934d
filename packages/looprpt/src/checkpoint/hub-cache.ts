/**
 * The Hub's cache on this machine, in the layout of Python's `huggingface_hub` and shared with it: `refs/<revision>` holds a commit,
 * `snapshots/<commit>/` links to `blobs/`.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getRepoFolderName } from '@huggingface/hub';
import { cacheFolder } from './hub-access.js';

export interface Repository {
  type: 'model' | 'dataset';
  /** `owner/name`. */
  name: string;
}

/** Whether a revision is a full commit hash, which never changes its meaning. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

export function repositoryFolder(repo: Repository): string {
  return join(cacheFolder(), getRepoFolderName(repo));
}

export function snapshotFolder(repo: Repository, commit: string): string {
  return join(repositoryFolder(repo), 'snapshots', commit);
}

/** The commit that a revision was when it was last looked up; null when it never was. */
export function cachedCommit(repo: Repository, revision: string): string | null {
  if (isCommit(revision)) return revision;
  const path = refPath(repo, revision);
  if (!existsSync(path)) return null;
  const commit = readFileSync(path, 'utf8').trim();
  return isCommit(commit) ? commit : null;
}

/** Notes which commit a branch or tag stands for, once its files are there. */
export function rememberCommit(repo: Repository, revision: string, commit: string): void {
  if (isCommit(revision)) return;
  const path = refPath(repo, revision);
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  writeFileSync(partial, commit, { flush: true });
  renameSync(partial, path);
}

function refPath(repo: Repository, revision: string): string {
  return join(repositoryFolder(repo), 'refs', revision);
}
