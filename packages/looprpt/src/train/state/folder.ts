/**
 * The checkpoints of a run as folders: where they lie, which are whole. Knows nothing of tensors, so that the writer's thread
 * can use it without libtorch.
 *
 *   checkpoints/step-N/             whole when it was renamed to this name; checksums.json lists the SHA-256 of every other file
 *   checkpoints/.step-N.partial/    being written, or left by a killed process
 *   checkpoints/step-N.damaged-1/   was damaged when the run reached step N again; never touched any more
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';

/** Makes a folder a run: its configuration, resolved. */
export const CONFIG_FILE = 'config.json';
export const STATE_FILE = 'trainer.json';
export const TENSORS_FILE = 'trainer.safetensors';
export const CHECKSUMS_FILE = 'checksums.json';

export interface FoundCheckpoint {
  path: string;
  step: number;
}

function checkpointsFolder(runFolder: string): string {
  return join(runFolder, 'checkpoints');
}

export function checkpointPath(runFolder: string, step: number): string {
  return join(checkpointsFolder(runFolder), `step-${step}`);
}

/** Folders that are named as checkpoints, newest first. */
export function listCheckpoints(runFolder: string): FoundCheckpoint[] {
  const folder = checkpointsFolder(runFolder);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const step = /^step-(\d+)$/.exec(name)?.[1];
      return step === undefined ? [] : [{ path: join(folder, name), step: Number(step) }];
    })
    .sort((a, b) => b.step - a.step);
}

/** Removes what a killed process had begun to write. Only for whoever holds the run's lock. */
export function removePartialCheckpoints(runFolder: string): void {
  const folder = checkpointsFolder(runFolder);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder))
    if (/^\.step-\d+\.partial$/.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** What is wrong with a checkpoint folder, in a few words; null if it is whole. Reads all of it. */
export async function damageOf(path: string): Promise<string | null> {
  const listFile = join(path, CHECKSUMS_FILE);
  if (!existsSync(listFile)) return `${CHECKSUMS_FILE} is missing`;
  const parsed = z.record(z.string(), z.string()).safeParse(parseJson(readFileSync(listFile, 'utf8')));
  if (!parsed.success) return `${CHECKSUMS_FILE} is damaged`;
  const names = Object.keys(parsed.data);
  for (const required of [STATE_FILE, TENSORS_FILE])
    if (!names.includes(required)) return `${CHECKSUMS_FILE} does not list ${required}`;
  const stray = names.find((name) => name === '' || name === '.' || name === '..' || basename(name) !== name);
  if (stray !== undefined) return `${CHECKSUMS_FILE} lists ${JSON.stringify(stray)}, which is no file of the folder`;
  for (const name of names) if (!existsSync(join(path, name))) return `${name} is missing`;
  for (const name of names)
    if ((await checksum(join(path, name))) !== parsed.data[name]) return `${name} does not match its checksum`;
  return null;
}

async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** The value, or undefined where the text is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The newest checkpoint that is whole; damaged ones are named through `warn` and left where they are.
 * @returns null where there is none at all
 * @throws UserError when there are checkpoints and none is whole
 */
export async function newestWholeCheckpoint(
  runFolder: string,
  warn: (message: string) => void,
): Promise<FoundCheckpoint | null> {
  const found = listCheckpoints(runFolder);
  for (const checkpoint of found) {
    const damage = await damageOf(checkpoint.path);
    if (damage === null) return checkpoint;
    warn(`${checkpoint.path}: damaged (${damage}); going back to an older checkpoint`);
  }
  if (found.length > 0)
    throw new UserError(
      `${runFolder}: all ${found.length} checkpoints are damaged; start the run again without --resume in a new folder`,
    );
  return null;
}
