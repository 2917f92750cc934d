/**
 * Writes one checkpoint from bytes in memory: files with their checksums, synced, the folder renamed into place; then removes
 * the checkpoints that are not kept. Runs in the writer's thread, without libtorch.
 *
 * Invariants: the folder appears whole or not at all; whatever fails, older checkpoints are as they were.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { writeWholeFolder } from '../../base/whole-folder.js';
import { CHECKSUMS_FILE, checkpointPath, damageOf, listCheckpoints } from './folder.js';
import { applyRetention, type RetentionPolicy } from './retention.js';
import { writeFailure } from './write-failure.js';

/** A file as its pieces, one after the other. */
export interface FileImage {
  name: string;
  pieces: readonly Uint8Array[];
}

/** Everything the writer's thread needs; crosses over without a copy where the pieces lie in shared memory. */
export interface WriteJob {
  runFolder: string;
  step: number;
  files: readonly FileImage[];
  /** Must be on the disk before the checkpoint is: the metrics up to its step. */
  syncFirst: readonly string[];
  retention: RetentionPolicy;
}

/** Writing and hashing in pieces of this size keeps a call short. */
const CHUNK_BYTES = 1 << 24;

/**
 * @param known paths of checkpoints that are known to be whole; kept from job to job
 * @returns the checkpoint's folder
 * @throws UserError when the disk refuses
 */
export async function performWriteJob(job: WriteJob, known: Set<string>): Promise<string> {
  const path = checkpointPath(job.runFolder, job.step);
  try {
    for (const file of job.syncFirst) syncFile(file);
    // The same step again (a run that was interrupted right after a checkpoint): the one that is there is this one.
    if (existsSync(path)) {
      if ((await damageOf(path)) === null) return path;
      setAside(path);
    }
    await writeWholeFolder(path, async (partial) => {
      const sums: Record<string, string> = {};
      for (const file of job.files) sums[file.name] = writeFile(partial, file);
      const list = Buffer.from(`${JSON.stringify(sums, null, 2)}\n`);
      writeFile(partial, { name: CHECKSUMS_FILE, pieces: [list] });
    });
    known.add(path);
    await applyRetention(job.runFolder, job.retention, known);
    return path;
  } catch (error) {
    const newest = listCheckpoints(job.runFolder)[0];
    const left = newest === undefined ? '' : ` (the newest there is ${newest.path})`;
    throw writeFailure(error, `${path}: the checkpoint of step ${job.step}${left}`);
  }
}

/** A damaged checkpoint keeps its bytes under another name. */
function setAside(path: string): void {
  let number = 1;
  while (existsSync(`${path}.damaged-${number}`)) number++;
  renameSync(path, `${path}.damaged-${number}`);
}

/** @returns SHA-256 of what was written */
function writeFile(folder: string, { name, pieces }: FileImage): string {
  const hash = createHash('sha256');
  const file = openSync(join(folder, name), 'wx');
  try {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
        const chunk = piece.subarray(at, at + CHUNK_BYTES);
        hash.update(chunk);
        for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
      }
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

function syncFile(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
