/** One shard's files, memory-mapped: documents are views of the files' own pages, never copies. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { mapFile } from '@looprpt/engine';
import { UserError } from '../../base/user-error.js';
import type { FileEntry, Manifest, ShardEntry } from './manifest.js';
import type { TokenDocument } from './token-document.js';

export class MappedShard {
  private constructor(
    readonly documents: number,
    private readonly ids: Uint16Array | Uint32Array,
    private readonly offsets: Uint32Array,
    private readonly loss: Uint8Array | null,
  ) {}

  /** @throws UserError when a file is missing, has the wrong size, or (with `verify`) another checksum or ids of no token */
  static open(dir: string, { dtype, tokenizer }: Manifest, entry: ShardEntry, verify: boolean): MappedShard {
    const { tokens, offsets, loss } = entry.files;
    const idBytes = mapChecked(dir, tokens, verify);
    const offsetBytes = mapChecked(dir, offsets, verify);
    const offsetWords = new Uint32Array(offsetBytes.buffer, offsetBytes.byteOffset, entry.documents + 1);
    // Offsets are checked in any case: with wrong ones documents would be cut anywhere without a word.
    if (!climbs(offsetWords, entry.tokens)) {
      throw new UserError(`${join(dir, offsets.name)}: document offsets are out of order; prepare the data again`);
    }
    const ids =
      dtype === 'uint16'
        ? new Uint16Array(idBytes.buffer, idBytes.byteOffset, entry.tokens)
        : new Uint32Array(idBytes.buffer, idBytes.byteOffset, entry.tokens);
    // In a model's embedding such an id would be a row that is not there.
    const stray = verify ? ids.findIndex((id: number) => id >= tokenizer.vocabSize) : -1;
    if (stray >= 0) {
      throw new UserError(
        `${join(dir, tokens.name)}: id ${ids[stray]} at place ${stray} is outside of the vocabulary of ${tokenizer.vocabSize}; prepare the data again`,
      );
    }
    return new MappedShard(entry.documents, ids, offsetWords, loss === null ? null : mapChecked(dir, loss, verify));
  }

  /** How many ids each document has, in turn. */
  *idCounts(): Generator<number, void, undefined> {
    for (let index = 0; index < this.documents; index++) yield this.offsets[index + 1]! - this.offsets[index]!;
  }

  document(index: number): TokenDocument {
    const from = this.offsets[index]!;
    const to = this.offsets[index + 1]!;
    return { ids: this.ids.subarray(from, to), loss: this.loss?.subarray(from, to) ?? null };
  }
}

function climbs(offsets: Uint32Array, end: number): boolean {
  for (let i = 1; i < offsets.length; i++) if (offsets[i]! <= offsets[i - 1]!) return false;
  return offsets[0] === 0 && offsets.at(-1) === end;
}

function mapChecked(dir: string, file: FileEntry, verify: boolean): Uint8Array {
  const path = join(dir, file.name);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new UserError(`${path}: missing, though the manifest lists it; prepare the data again`);
  if (found.size !== file.bytes) {
    throw new UserError(`${path}: ${found.size} bytes, but the manifest says ${file.bytes}; prepare the data again`);
  }
  // Closing gives up the handle; the bytes keep the pages.
  using mapped = mapFile(path);
  const { bytes } = mapped;
  if (verify && createHash('sha256').update(bytes).digest('hex') !== file.sha256) {
    throw new UserError(
      `${path}: the checksum differs from the manifest's, the file is damaged; prepare the data again`,
    );
  }
  return bytes;
}
