/** Downloads the files of a model that this program reads into the Hub's cache, weights last. */
import { join } from 'node:path';
import { downloadFileToCacheDir, listFiles, modelInfo } from '@huggingface/hub';
import { UserError } from '../base/user-error.js';
import { isCommit, snapshotFolder } from './hub-cache.js';
import { CONFIG_FILE, INDEX_FILE, readShardIndex, WEIGHTS_FILE } from './stored-model.js';

export interface HubFile {
  name: string;
  bytes: number;
}

export interface Hub {
  url: string;
  accessToken: string | undefined;
}

export interface Snapshot {
  folder: string;
  commit: string;
}

export interface DownloadOptions {
  /** Told of each file before it is fetched or found in the cache. */
  onFile: (file: HubFile) => void;
  weights: boolean;
}

/**
 * @throws UserError when the repository is not a model with safetensors; whatever the Hub or the network says otherwise
 */
export async function downloadModel(
  name: string,
  revision: string,
  hub: Hub,
  { onFile, weights }: DownloadOptions,
): Promise<Snapshot> {
  const access = { hubUrl: hub.url, ...(hub.accessToken === undefined ? {} : { accessToken: hub.accessToken }) };
  const commit = isCommit(revision)
    ? revision
    : (await modelInfo({ name, revision, additionalFields: ['sha'], ...access })).sha;
  const repo = { type: 'model', name } as const;
  const files = new Map<string, HubFile>();
  for await (const { type, path, size } of listFiles({ repo, revision: commit, recursive: false, ...access }))
    if (type === 'file') files.set(path, { name: path, bytes: size });

  const fetchFile = async (path: string, why: string): Promise<void> => {
    const file = files.get(path);
    if (!file) throw new UserError(`${name}: the repository has no ${path}${why}`);
    onFile(file);
    await withoutDebugOutput(() => downloadFileToCacheDir({ repo, path, revision: commit, ...access }));
  };
  for (const path of [...files.keys()].filter(isSmallFile)) await fetchFile(path, '');
  if (!files.has(CONFIG_FILE))
    throw new UserError(`${name}: the repository has no ${CONFIG_FILE}, so it is not a model`);
  const folder = snapshotFolder(name, commit);
  if (!weights) return { folder, commit };
  if (files.has(WEIGHTS_FILE)) await fetchFile(WEIGHTS_FILE, '');
  else if (files.has(INDEX_FILE)) {
    const shards = new Set(readShardIndex(join(folder, INDEX_FILE)).values());
    for (const shard of shards) await fetchFile(shard, `, which ${INDEX_FILE} lists`);
  } else throw new UserError(`${name}: the repository has no safetensors weights (${WEIGHTS_FILE} or ${INDEX_FILE})`);
  return { folder, commit };
}

/** Configuration, tokenizer, chat template. */
function isSmallFile(path: string): boolean {
  return /\.(json|jinja)$/.test(path) || path === 'merges.txt' || path === 'vocab.txt';
}

/** The Hub's library reports each download on standard output, which belongs to the command's own result. */
async function withoutDebugOutput<T>(body: () => Promise<T>): Promise<T> {
  const { debug } = console;
  console.debug = () => undefined;
  try {
    return await body();
  } finally {
    console.debug = debug;
  }
}
