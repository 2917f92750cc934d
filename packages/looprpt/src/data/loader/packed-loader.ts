/**
 * Batches of packed documents, in a reproducible order, from any position.
 *
 * The rows are one endless sequence that depends on source, seed and packing alone. A batch of rank r of w ranks is every
 * w-th row of the next B·w, from the r-th on: together the ranks see what one process with B·w rows would. Every rank
 * packs all rows and writes only its own. A position is small JSON; a loader restored to it goes on exactly as the one
 * that gave it, also with another number of ranks or rows.
 */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { BatchRow, emptyBatch, type PackedBatch, SkippedRow } from './batch.js';
import { DocumentOrder } from './document-order.js';
import type { DocumentSource } from './document-source.js';
import { Pieces } from './pieces.js';
import { nothingToPredict, RowPacker } from './row-packer.js';

export const loaderConfig = z.strictObject({
  batchSize: z.int().min(1).describe('rows in a batch, of each rank'),
  sequenceLength: z.int().min(1).describe('places in a row'),
  pack: z
    .enum(['greedy', 'whole'])
    .default('greedy')
    .describe(
      'greedy: documents are cut at the end of a row and go on in the next; whole: they are not, rows are padded',
    ),
  window: z.int().min(1).max(4096).default(64).describe('with pack = whole, how many documents may wait for a gap'),
  epochs: z.int().min(1).nullable().default(1).describe('times to visit every document; null for without end'),
  shuffle: z
    .boolean()
    .default(true)
    .describe('visit the documents of each epoch, or their pieces, in a random order of its own'),
  seed: z.int().nonnegative().default(0).describe('of the random order'),
});

export type LoaderConfig = z.output<typeof loaderConfig>;

const index = z.int().nonnegative();

const loaderState = z.strictObject({
  version: z.literal(1),
  /** What the sequence of rows depends on. */
  sequence: z.string(),
  epoch: index,
  position: index,
  /** Documents begun or waiting: index, first place, places. */
  waiting: z.array(z.tuple([index, index, index.min(1)])),
});

/** A position: JSON, a few hundred bytes. */
export type LoaderState = z.output<typeof loaderState>;

const IN_PIECES = ', long documents in pieces';

export interface LoaderOptions {
  /** Fills unused places; any valid id does (default 0). */
  padId?: number;
  rank?: number;
  worldSize?: number;
}

export class PackedLoader {
  private readonly order: DocumentOrder;
  private readonly packer: RowPacker;
  private sequence: string;
  private readonly padId: number;
  private readonly rank: number;
  private readonly worldSize: number;
  private busy = false;
  /** Whether documents are still to be cut into pieces, which takes their lengths. */
  private uncut: boolean;

  constructor(
    private readonly source: DocumentSource,
    private readonly config: LoaderConfig,
    { padId = 0, rank = 0, worldSize = 1 }: LoaderOptions = {},
  ) {
    assert(rank >= 0 && rank < worldSize, `rank ${rank} of ${worldSize}`);
    const { sequenceLength: S, pack, window, epochs, shuffle, seed } = config;
    this.padId = padId;
    this.rank = rank;
    this.worldSize = worldSize;
    this.order = new DocumentOrder({ length: source.length, epochs, shuffle, seed });
    this.packer = new RowPacker(source, this.order, { pack, window, S });
    const packing = pack === 'whole' ? `whole in a window of ${window}` : pack;
    const visited = shuffle && Number.isFinite(source.length) ? `shuffled with seed ${seed}` : 'in order';
    this.uncut = shuffle && source.idCounts !== undefined;
    this.sequence = `${source.id}, ${visited}, rows of ${S}, ${packing}${this.uncut ? IN_PIECES : ''}`;
  }

  /**
   * The next batch; null when every document of the last epoch was given out. At the end, rows and batches are filled up
   * with padding, so that all ranks get the same number of batches of the same shape.
   * @param into arrays to write to instead of new ones; their batch is returned
   */
  async next(into?: PackedBatch): Promise<PackedBatch | null> {
    const { batchSize: B, sequenceLength: S } = this.config;
    const batch = into ?? emptyBatch(B, S);
    assert(batch.B === B && batch.S === S, 'arrays of another shape');
    assert(!this.busy, 'next() while the batch before is still being made');
    this.busy = true;
    if (this.uncut) await this.cut();
    batch.tokens = 0;
    batch.lossTokens = 0;
    for (let global = 0; global < B * this.worldSize; global++) {
      const own = global % this.worldSize === this.rank;
      const row = own ? new BatchRow(batch, Math.floor(global / this.worldSize)) : new SkippedRow(S);
      await this.packer.fill(row);
      if (global === 0 && row.room === S) {
        this.busy = false;
        return null;
      }
      if (row instanceof BatchRow) row.finish(this.padId);
    }
    this.busy = false;
    return batch;
  }

  private async cut(): Promise<void> {
    const { source, order, packer, config } = this;
    const pieces = new Pieces(await source.idCounts!(), source.length, config.sequenceLength);
    this.uncut = false;
    if (pieces.length === 0 && source.length > 0 && config.epochs === null) throw nothingToPredict(source);
    // Where all documents fit into rows there is nothing to cut.
    if (!pieces.cut) return;
    order.length = pieces.length;
    packer.pieces = pieces;
  }

  /** When no batch is wanted any more. */
  async close(): Promise<void> {
    await this.source.close?.();
  }

  /** All batches from here on, each in new arrays. */
  async *[Symbol.asyncIterator](): AsyncGenerator<PackedBatch, void> {
    for (let batch = await this.next(); batch !== null; batch = await this.next()) yield batch;
  }

  /** The epoch, from 0, of the document drawn last. */
  get epoch(): number {
    return this.order.epoch;
  }

  /** The position behind the batch given out last. */
  state(): LoaderState {
    assert(!this.busy, 'state() while a batch is being made');
    const { epoch, position } = this.order;
    return { version: 1, sequence: this.sequence, epoch, position, waiting: this.packer.state() };
  }

  /** @throws UserError when the position is of other data or of another packing, or is damaged */
  restore(state: unknown): void {
    assert(!this.busy, 'restore() while a batch is being made');
    const parsed = loaderState.safeParse(state);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw new UserError(`the checkpoint's data position is damaged: ${issue.path.join('.')}: ${issue.message}`);
    }
    const { sequence, epoch, position, waiting } = parsed.data;
    // A run of a version that read long documents on to their ends goes on as it began.
    if (`${sequence}${IN_PIECES}` === this.sequence && this.uncut) {
      this.uncut = false;
      this.sequence = sequence;
    }
    if (sequence !== this.sequence) {
      throw new UserError(
        `cannot resume: the checkpoint read its data as (${sequence}), this run reads (${this.sequence}); give the same data and settings`,
      );
    }
    this.order.epoch = epoch;
    this.order.position = position;
    this.packer.restore(waiting);
  }
}
