/**
 * Models in the Hub's cache (the layout of Python's `huggingface_hub`, shared with it): `refs/<revision>` holds a commit,
 * `snapshots/<commit>/` links to `blobs/`.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getHFHubCachePath, getRepoFolderName } from '@huggingface/hub';
import { CONFIG_FILE, INDEX_FILE, readShardIndex, WEIGHTS_FILE } from './stored-model.js';

/** Whether a revision is a full commit hash, which never changes its meaning. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The folder of a cached model at a revision, if all of it is there, or all but the weights where they are not needed; else null. */
export function cachedModel(name: string, revision: string, weights = true): string | null {
  const commit = isCommit(revision) ? revision : cachedCommit(name, revision);
  if (commit === null) return null;
  const snapshot = snapshotFolder(name, commit);
  return (weights ? isComplete(snapshot) : existsSync(join(snapshot, CONFIG_FILE))) ? snapshot : null;
}

export function snapshotFolder(name: string, commit: string): string {
  return join(repoFolder(name), 'snapshots', commit);
}

/** Notes which commit a branch or tag stands for, once its files are there. */
export function rememberCommit(name: string, revision: string, commit: string): void {
  if (isCommit(revision)) return;
  const path = refPath(name, revision);
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  writeFileSync(partial, commit, { flush: true });
  renameSync(partial, path);
}

function repoFolder(name: string): string {
  return join(getHFHubCachePath(), getRepoFolderName({ type: 'model', name }));
}

function refPath(name: string, revision: string): string {
  return join(repoFolder(name), 'refs', revision);
}

function cachedCommit(name: string, revision: string): string | null {
  const path = refPath(name, revision);
  if (!existsSync(path)) return null;
  const commit = readFileSync(path, 'utf8').trim();
  return isCommit(commit) ? commit : null;
}

/** Weights come last in a download, so a snapshot that has them has the rest. */
function isComplete(snapshot: string): boolean {
  const has = (file: string): boolean => existsSync(join(snapshot, file));
  if (!has(CONFIG_FILE)) return false;
  if (has(WEIGHTS_FILE)) return true;
  return has(INDEX_FILE) && [...readShardIndex(join(snapshot, INDEX_FILE)).values()].every(has);
}
