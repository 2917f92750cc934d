/** Files of a commit, from the Hub into its cache, each held against the hash that the Hub names. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { datasetInfo, downloadFileToCacheDir, modelInfo, pathsInfo } from '@huggingface/hub';
import { UserError } from '../base/user-error.js';
import { cacheFolder, type Hub } from './hub-access.js';
import { isCommit, type Repository, snapshotFolder } from './hub-cache.js';

/** What the Hub says of a file: of large ones its SHA-256, of small ones git's own hash. */
export interface HubFile {
  path: string;
  size: number;
  oid?: string;
  lfs?: { oid: string };
}

/** The commit that a branch or tag is now. @throws whatever the Hub or the network says */
export async function resolveCommit({ type, name }: Repository, revision: string, hub: Hub): Promise<string> {
  if (isCommit(revision)) return revision;
  const asked = { name, revision, hubUrl: hub.url, fetch: hub.fetch };
  const { sha } =
    type === 'model'
      ? await modelInfo({ ...asked, additionalFields: ['sha'] })
      : await datasetInfo({ ...asked, additionalFields: ['sha'] });
  return sha;
}

/** What the Hub says of one file; null when the commit has none of that path. */
export async function describeFile(repo: Repository, path: string, commit: string, hub: Hub): Promise<HubFile | null> {
  const found = await pathsInfo({ repo, paths: [path], revision: commit, hubUrl: hub.url, fetch: hub.fetch });
  return found.find((file) => file.path === path && file.type === 'file') ?? null;
}

/**
 * The file in the commit's snapshot, fetched unless it is there.
 * @throws UserError when it is not what the Hub says; it is taken out of the cache again
 */
export async function fetchHubFile(repo: Repository, file: HubFile, commit: string, hub: Hub): Promise<string> {
  const place = join(snapshotFolder(repo, commit), file.path);
  if (existsSync(place)) return place;
  const fetched = await withoutDebugOutput(() =>
    downloadFileToCacheDir({
      repo,
      path: file.path,
      revision: commit,
      hubUrl: hub.url,
      fetch: hub.fetch,
      cacheDir: cacheFolder(),
    }),
  );
  const fault = await faultOf(fetched, file);
  if (fault === null) return fetched;
  rmSync(realpathSync(fetched), { force: true });
  rmSync(fetched, { force: true });
  throw new UserError(`${repo.name}: ${file.path} came damaged from ${hub.url} (${fault}); try again`);
}

async function faultOf(path: string, { size, oid, lfs }: HubFile): Promise<string | null> {
  const bytes = statSync(path).size;
  if (bytes !== size) return `${bytes} bytes in place of ${size}`;
  if (lfs) return (await digest(path, 'sha256')) === lfs.oid ? null : 'SHA-256 differs';
  if (oid === undefined || !isCommit(oid)) return null;
  return (await digest(path, 'sha1', `blob ${size}\0`)) === oid ? null : "git's hash differs";
}

async function digest(path: string, algorithm: string, prefix = ''): Promise<string> {
  const hash = createHash(algorithm).update(prefix);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
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
