/**
 * The bytes of a file as a stream of blocks, unpacked where its name ends in `.gz`. What the bytes mean is the business of others.
 */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { BrokenRecords } from './broken.js';

/** A packed file ends early where it is damaged or cut off, which is reported to `broken`. */
export async function* readBlocks(
  path: string,
  broken: BrokenRecords,
  blockBytes = 2 ** 20,
): AsyncGenerator<Buffer, void, undefined> {
  const file = createReadStream(path, { highWaterMark: blockBytes });
  if (!isPacked(path)) {
    yield* file as AsyncIterable<Buffer>;
    return;
  }
  const unpacked = createGunzip({ chunkSize: blockBytes });
  // Errors of both come out of the loop below.
  pipeline(file, unpacked, () => {});
  try {
    yield* unpacked as AsyncIterable<Buffer>;
  } catch (error) {
    if (!isDamage(error)) throw error;
    broken.report(path, `damaged or cut off: ${error.message}`);
  }
}

export function isPacked(path: string): boolean {
  return path.toLowerCase().endsWith('.gz');
}

/** zlib's own complaints, as against those of the file system. */
function isDamage(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
