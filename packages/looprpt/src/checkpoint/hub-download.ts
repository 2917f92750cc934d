/** Downloads the files of a model that this program reads into the Hub's cache, weights last. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles } from '@huggingface/hub';
import { UserError } from '../base/user-error.js';
import type { Hub } from './hub-access.js';
import { cachedCommit, type Repository, rememberCommit, snapshotFolder } from './hub-cache.js';
import { fetchHubFile, type HubFile, resolveCommit } from './hub-file.js';
import { CONFIG_FILE, INDEX_FILE, readShardIndex, WEIGHTS_FILE } from './stored-model.js';

export interface DownloadOptions {
  /** Told of each file before it is fetched or found in the cache. */
  onFile: (file: { name: string; bytes: number }) => void;
  weights: boolean;
}

/**
 * The folder with the files, at the commit that the revision is now.
 * @throws UserError when the repository is not a model with safetensors; whatever the Hub or the network says otherwise
 */
export async function downloadModel(
  name: string,
  revision: string,
  hub: Hub,
  { onFile, weights }: DownloadOptions,
): Promise<string> {
  const repo = { type: 'model', name } as const;
  const commit = await resolveCommit(repo, revision, hub);
  const files = new Map<string, HubFile>();
  const listed = listFiles({ repo, revision: commit, recursive: false, hubUrl: hub.url, fetch: hub.fetch });
  for await (const file of listed) if (file.type === 'file') files.set(file.path, file);

  const fetchFile = async (path: string, why: string): Promise<void> => {
    const file = files.get(path);
    if (!file) throw new UserError(`${name}: the repository has no ${path}${why}`);
    onFile({ name: path, bytes: file.size });
    await fetchHubFile(repo, file, commit, hub);
  };
  for (const path of [...files.keys()].filter(isSmallFile)) await fetchFile(path, '');
  if (!files.has(CONFIG_FILE))
    throw new UserError(`${name}: the repository has no ${CONFIG_FILE}, so it is not a model`);
  const folder = snapshotFolder(repo, commit);
  if (weights && files.has(WEIGHTS_FILE)) await fetchFile(WEIGHTS_FILE, '');
  else if (weights && files.has(INDEX_FILE)) {
    const shards = new Set(readShardIndex(join(folder, INDEX_FILE)).values());
    for (const shard of shards) await fetchFile(shard, `, which ${INDEX_FILE} lists`);
  } else if (weights)
    throw new UserError(`${name}: the repository has no safetensors weights (${WEIGHTS_FILE} or ${INDEX_FILE})`);
  rememberCommit(repo, revision, commit);
  return folder;
}

/** The folder of a cached model at a revision, if all of it is there, or all but the weights where they are not needed; else null. */
export function cachedModel(name: string, revision: string, weights: boolean): string | null {
  const repo: Repository = { type: 'model', name };
  const commit = cachedCommit(repo, revision);
  if (commit === null) return null;
  const snapshot = snapshotFolder(repo, commit);
  return (weights ? isComplete(snapshot) : existsSync(join(snapshot, CONFIG_FILE))) ? snapshot : null;
}

/** Weights come last in a download, so a snapshot that has them has the rest. */
function isComplete(snapshot: string): boolean {
  const has = (file: string): boolean => existsSync(join(snapshot, file));
  if (!has(CONFIG_FILE)) return false;
  if (has(WEIGHTS_FILE)) return true;
  return has(INDEX_FILE) && [...readShardIndex(join(snapshot, INDEX_FILE)).values()].every(has);
}

/** Configuration, tokenizer, chat template. */
function isSmallFile(path: string): boolean {
  return /\.(json|jinja)$/.test(path) || path === 'merges.txt' || path === 'vocab.txt';
}
