/**
 * A batch of packed rows, and how documents are written into a row.
 *
 * A document of n ids makes n − 1 places: place t holds id t as input and id t + 1 as target. So the target is always of
 * the same document as its input; no place is spent on guessing one document's start from another one's end. Arrays are
 * row-major [B, S], ready to become tensors.
 */
import assert from 'node:assert/strict';
import type { TokenDocument } from '../shards/token-document.js';

export interface PackedBatch {
  readonly B: number;
  readonly S: number;
  /** [B, S] */
  readonly inputIds: Int32Array;
  /** [B, S] the id that follows each input; the padding id where there is none. */
  readonly targetIds: Int32Array;
  /** [B, S] which document of its row a place belongs to, from 0; −1 is padding. Attention stays within equal numbers. */
  readonly segmentIds: Int32Array;
  /** [B, S] index in its source of the document that a place is of, whichever piece of it; −1 is padding. */
  readonly documentIds: Int32Array;
  /** [B, S] from 0 in every segment, also where a document goes on from the row before; 0 in padding. */
  readonly positionIds: Int32Array;
  /** [B, S] 1 where the target counts in the loss. */
  readonly lossMask: Uint8Array;
  /** Places that are not padding. */
  tokens: number;
  /** Places whose target counts in the loss. */
  lossTokens: number;
}

export function emptyBatch(B: number, S: number): PackedBatch {
  return {
    B,
    S,
    inputIds: new Int32Array(B * S),
    targetIds: new Int32Array(B * S),
    segmentIds: new Int32Array(B * S),
    documentIds: new Int32Array(B * S),
    positionIds: new Int32Array(B * S),
    lossMask: new Uint8Array(B * S),
    tokens: 0,
    lossTokens: 0,
  };
}

/** A row being filled. */
export interface Row {
  /** Places left. */
  readonly room: number;
  /** Takes `count` places of document `index`, from its place `from` on; at most `room`. */
  place(document: TokenDocument, from: number, count: number, index: number): void;
}

/** A row of another rank: its places are counted and nothing is written. */
export class SkippedRow implements Row {
  constructor(public room: number) {}

  place(_document: TokenDocument, _from: number, count: number, _index: number): void {
    assert(count <= this.room);
    this.room -= count;
  }
}

/** Row `index` of a batch; `finish` pads what is left. */
export class BatchRow implements Row {
  private at: number;
  private readonly end: number;
  private segment = 0;

  constructor(
    private readonly batch: PackedBatch,
    index: number,
  ) {
    this.at = index * batch.S;
    this.end = this.at + batch.S;
  }

  get room(): number {
    return this.end - this.at;
  }

  place({ ids, loss }: TokenDocument, from: number, count: number, index: number): void {
    assert(count <= this.room && from + count < ids.length);
    const { at, batch, segment } = this;
    let counted = 0;
    for (let i = 0; i < count; i++) {
      const mark = loss === null ? 1 : loss[from + i + 1]!;
      batch.inputIds[at + i] = ids[from + i]!;
      batch.targetIds[at + i] = ids[from + i + 1]!;
      batch.segmentIds[at + i] = segment;
      batch.documentIds[at + i] = index;
      batch.positionIds[at + i] = i;
      batch.lossMask[at + i] = mark;
      counted += mark;
    }
    batch.tokens += count;
    batch.lossTokens += counted;
    this.at += count;
    this.segment++;
  }

  finish(padId: number): void {
    const { at, batch, end } = this;
    batch.inputIds.fill(padId, at, end);
    batch.targetIds.fill(padId, at, end);
    batch.segmentIds.fill(-1, at, end);
    batch.documentIds.fill(-1, at, end);
    batch.positionIds.fill(0, at, end);
    batch.lossMask.fill(0, at, end);
  }
}
