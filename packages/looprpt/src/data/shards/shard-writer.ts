/** Gathers the documents of one shard in memory and writes its files; knows nothing of text or of other shards. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileEntry, Manifest, ShardEntry } from './manifest.js';
import type { TokenDocument } from './token-document.js';

type Ids = Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

export class ShardWriter {
  private ids: Ids;
  private loss: Uint8Array<ArrayBuffer>;
  private readonly offsets: number[] = [0];
  private masked = false;
  tokens = 0;

  constructor(dtype: Manifest['dtype'], capacity = 1 << 16) {
    this.ids = dtype === 'uint16' ? new Uint16Array(capacity) : new Uint32Array(capacity);
    this.loss = new Uint8Array(capacity);
  }

  add({ ids, loss }: TokenDocument): void {
    const end = this.tokens + ids.length;
    assert(end <= 0xffff_ffff, 'offsets in a shard are 32 bits wide');
    if (end > this.ids.length) this.grow(Math.max(end, 2 * this.ids.length));
    this.ids.set(ids, this.tokens);
    if (loss === null) this.loss.fill(1, this.tokens, end);
    else this.loss.set(loss, this.tokens);
    this.masked ||= loss !== null;
    this.tokens = end;
    this.offsets.push(end);
  }

  /** Writes `NAME.tokens`, `NAME.offsets` and, if a document masks, `NAME.loss`. */
  async write(dir: string, name: string): Promise<ShardEntry> {
    const { tokens, offsets, ids, loss } = this;
    return {
      documents: offsets.length - 1,
      tokens,
      files: {
        tokens: await writeChecked(dir, `${name}.tokens`, ids.subarray(0, tokens)),
        offsets: await writeChecked(dir, `${name}.offsets`, Uint32Array.from(offsets)),
        loss: this.masked ? await writeChecked(dir, `${name}.loss`, loss.subarray(0, tokens)) : null,
      },
    };
  }

  private grow(capacity: number): void {
    const ids = this.ids instanceof Uint16Array ? new Uint16Array(capacity) : new Uint32Array(capacity);
    ids.set(this.ids);
    this.ids = ids;
    const loss = new Uint8Array(capacity);
    loss.set(this.loss);
    this.loss = loss;
  }
}

async function writeChecked(dir: string, name: string, data: Ids | Uint8Array<ArrayBuffer>): Promise<FileEntry> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  await writeFile(join(dir, name), bytes);
  return { name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
