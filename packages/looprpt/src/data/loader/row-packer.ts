/**
 * Decides which documents go into which row. One rule with two settings:
 *
 * - `greedy`: documents in order; one that does not fit is cut, and goes on in the next row. No padding.
 * - `whole`: documents in order; one that does not fit waits in a small window while later ones that do fit go first.
 *   None is cut, except that one longer than a row first fills rows of its own. The rest of a row is padding.
 *
 * Whatever waits longest is tried first in the next row and always fits an empty one, so nothing waits for ever. Every
 * place of every document is given out exactly once. A long document's pieces do not see each other in attention.
 */
import { UserError } from '../../base/user-error.js';
import type { TokenDocument } from '../shards/token-document.js';
import type { Row } from './batch.js';
import type { DocumentOrder } from './document-order.js';
import type { DocumentSource } from './document-source.js';

/** What is left of a document that was begun or waits: places `from` … `from + count`. */
interface Piece {
  readonly index: number;
  from: number;
  count: number;
  /** Fetched again when it is needed after a resume. */
  content: TokenDocument | null;
}

/** Empty documents in a row after which an endless source is given up. */
const ENDLESS = 1_000_000;

/** JSON: [document, from, count]. */
export type PieceState = [index: number, from: number, count: number];

export interface PackOptions {
  pack: 'greedy' | 'whole';
  /** How many documents may wait, in `whole`. */
  window: number;
  /** Places in a row. */
  S: number;
}

export class RowPacker {
  private waiting: Piece[] = [];

  constructor(
    private readonly source: DocumentSource,
    private readonly order: DocumentOrder,
    private readonly options: PackOptions,
  ) {}

  /** Fills an empty row; leaves it empty when all documents were given out. */
  async fill(row: Row): Promise<void> {
    const { pack, S } = this.options;
    const window = pack === 'greedy' ? 1 : this.options.window;
    let next = 0;
    // After a resume, in the order in which they were drawn: a stream cannot go back.
    for (const piece of this.waiting) piece.content ??= await this.source.tokens(piece.index);
    while (row.room > 0) {
      if (next === this.waiting.length && (next >= window || !(await this.draw()))) return;
      const piece = this.waiting[next]!;
      const count = Math.min(piece.count, pack === 'greedy' ? row.room : S);
      if (count > row.room) {
        next++;
        continue;
      }
      row.place(piece.content!, piece.from, count, piece.index);
      piece.from += count;
      piece.count -= count;
      if (piece.count === 0) this.waiting.splice(next, 1);
    }
  }

  state(): PieceState[] {
    return this.waiting.map(({ index, from, count }) => [index, from, count]);
  }

  restore(state: readonly PieceState[]): void {
    this.waiting = state.map(([index, from, count]) => ({ index, from, count, content: null }));
  }

  /** Puts the next document that has a place behind those that wait; false at the end. */
  private async draw(): Promise<boolean> {
    const most = Math.min(this.source.length, ENDLESS);
    for (let empty = 0; empty <= most; empty++) {
      const index = this.order.next();
      if (index === null) return false;
      // Mapped documents are there at once: waiting for a promise would cost more than the packing.
      const made = this.source.tokens(index);
      const content = made instanceof Promise ? await made : made;
      if (content === null) {
        this.order.position--;
        return false;
      }
      const count = content.ids.length - 1;
      if (count < 1) continue;
      this.waiting.push({ index, from: 0, count, content });
      return true;
    }
    throw new UserError(`${this.source.id}: no document holds two tokens, so there is nothing to predict`);
  }
}
