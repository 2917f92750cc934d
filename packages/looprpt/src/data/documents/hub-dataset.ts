/**
 * A data set of the Hugging Face Hub as files on this machine: those that can be read, of its training split where it has one, no more
 * than a bounded number of bytes. They lie in the Hub's own cache, shared with Python's `huggingface_hub`.
 *
 * Not here: what a record means (record-format.ts), and data sets that are known by name (named.ts).
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HubApiError, listFiles } from '@huggingface/hub';
import { glob } from 'tinyglobby';
import { UserError } from '../../base/user-error.js';
import { type Hub, hubFromEnvironment, isOffline } from '../../checkpoint/hub-access.js';
import { cachedCommit, type Repository, rememberCommit, snapshotFolder } from '../../checkpoint/hub-cache.js';
import { hubFault, networkFault } from '../../checkpoint/hub-fault.js';
import { fetchHubFile, type HubFile, resolveCommit } from '../../checkpoint/hub-file.js';
import { isDataFile } from './paths.js';

export interface HubDatasetId {
  /** owner/name */
  name: string;
  /** Branch, tag or commit. */
  revision: string;
  /** Of the repository, and all below; empty: all of it. */
  folder: string;
}

export interface HubDataset {
  /** Local paths, in the order of the repository. */
  files: string[];
  /** What was taken, in a sentence. */
  remark: string;
}

/** Bytes that are taken of a data set; more than a machine reads in the time of a first job. */
const MOST_BYTES = 2 ** 29;
const PART = '[A-Za-z0-9_][A-Za-z0-9_.-]*';
const ID = new RegExp(`^(?:hf://datasets/)?(${PART}/${PART})(?:@(${PART}))?(?:/(.+?))?/?$`);

/**
 * `hf://datasets/owner/name[@revision][/folder]`, or `owner/name[@revision]` where there is no such path.
 * @returns null for what is no data set of the Hub
 */
export function hubDatasetId(text: string): HubDatasetId | null {
  const isNamed = text.startsWith('hf://');
  const match = ID.exec(text);
  if (!match || (!isNamed && (match[3] !== undefined || existsSync(text)))) {
    if (isNamed) throw new UserError(`${text}: not hf://datasets/OWNER/NAME`);
    return null;
  }
  const [, name, revision = 'main', folder = ''] = match;
  return { name: name!, revision, folder };
}

/** @throws UserError when there is no such data set, nothing in it can be read, or the network fails and the cache has no copy */
export async function hubDataset(id: HubDatasetId, most = MOST_BYTES): Promise<HubDataset> {
  const repo: Repository = { type: 'dataset', name: id.name };
  const hub = hubFromEnvironment();
  if (isOffline()) return cached(id, repo, 'HF_HUB_OFFLINE forbids to download it');
  try {
    const commit = await resolveCommit(repo, id.revision, hub);
    return await fetched(id, repo, commit, hub, most);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (!(error instanceof HubApiError)) return cached(id, repo, networkFault(error));
    throw new UserError(
      `${id.name}: no such file or folder, and as a data set: ${hubFault(error, `datasets/${id.name}`, hub)}`,
    );
  }
}

async function fetched(
  id: HubDatasetId,
  repo: Repository,
  commit: string,
  hub: Hub,
  most: number,
): Promise<HubDataset> {
  const all: HubFile[] = [];
  const listed = listFiles({ repo, revision: commit, recursive: true, hubUrl: hub.url, fetch: hub.fetch });
  for await (const file of listed) if (file.type === 'file') all.push(file);
  const files = chosen(all, id);
  const taken: HubFile[] = [];
  let bytes = 0;
  for (const file of files) {
    if (bytes + file.size > most) break;
    taken.push(file);
    bytes += file.size;
  }
  if (taken.length === 0)
    throw new UserError(
      `${id.name}: ${files[0]!.path} has ${inWords(files[0]!.size)}, more than the ${inWords(most)} that are taken from the Hub; download it, and give the file`,
    );
  const paths: string[] = [];
  for (const file of taken) paths.push(await fetchHubFile(repo, file, commit, hub));
  rememberCommit(repo, id.revision, commit);
  return { files: paths, remark: remarkOf(id, commit, files, taken, inWords(bytes)) };
}

/** What the cache has of the revision; it may be a part. */
async function cached(id: HubDatasetId, repo: Repository, why: string): Promise<HubDataset> {
  const commit = cachedCommit(repo, id.revision);
  const folder = commit === null ? null : snapshotFolder(repo, commit);
  const names = folder === null ? [] : (await glob('**/*', { cwd: folder, followSymbolicLinks: true })).sort();
  if (folder === null || commit === null || names.length === 0)
    throw new UserError(`${id.name}: no such file or folder, not in the Hub's cache, and not from the Hub (${why})`);
  const all = names.map((path) => ({ path, size: statSync(join(folder, path)).size }));
  const files = chosen(all, id);
  const bytes = inWords(files.reduce((sum, { size }) => sum + size, 0));
  return {
    files: files.map(({ path }) => join(folder, path)),
    remark: `${remarkOf(id, commit, files, files, bytes)} They are what the Hub's cache has.`,
  };
}

/** Those of the training split where there is one, else those of no other split. */
function chosen(all: readonly HubFile[], { name, folder }: HubDatasetId): HubFile[] {
  const below = all.filter(({ path }) => folder === '' || path === folder || path.startsWith(`${folder}/`));
  const data = below
    .filter(({ path }) => isDataFile(path) && !path.split('/').includes('..'))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const of = (word: string) => data.filter(({ path }) => new RegExp(`(^|[/_.-])(${word})([/_.-])`, 'i').test(path));
  const train = of('train(ing)?');
  const others = new Set(of('test|dev|val|valid|validation|eval|heldout'));
  const rest = data.filter((file) => !others.has(file));
  const files = train.length > 0 ? train : rest.length > 0 ? rest : data;
  if (files.length > 0) return files;
  throw new UserError(
    `${name}${folder === '' ? '' : `/${folder}`}: the data set holds no file ending in .jsonl, .ndjson, .parquet, .txt or .text`,
  );
}

function remarkOf(
  { name }: HubDatasetId,
  commit: string,
  files: readonly HubFile[],
  taken: readonly HubFile[],
  bytes: string,
): string {
  const folders = [...new Set(taken.map(({ path }) => path.split('/').slice(0, -1).join('/')))];
  const several = folders.length > 1 ? `, from ${folders.join(', ')} (hf://datasets/${name}/FOLDER takes one)` : '';
  const count = taken.length === files.length ? `${files.length}` : `the first ${taken.length} of ${files.length}`;
  return `${name} at ${commit.slice(0, 7)} of the Hub: ${count} ${files.length === 1 ? 'file' : 'files'}, ${bytes}${several}.`;
}

const inWords = (bytes: number): string =>
  bytes < 1e6
    ? `${Math.ceil(bytes / 1e3)} kB`
    : bytes < 1e9
      ? `${(bytes / 1e6).toFixed(1)} MB`
      : `${(bytes / 1e9).toFixed(1)} GB`;
