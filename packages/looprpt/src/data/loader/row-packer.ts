/**
 * Decides which documents go into which row. One rule with two settings:
 *
 * - `greedy`: documents in order; one that does not fit is cut, and goes on in the next row. No padding.
 * - `whole`: documents in order; one that does not fit waits in a small window while later ones that do fit go first.
 *   None is cut, except that one longer than a row first fills rows of its own. The rest of a row is padding.
 *
 * Whatever waits longest is tried first in the next row and always fits an empty one, so nothing waits for ever. Every
 * place of every document is given out exactly once. A long document's pieces do not see each other in attention.
 *
 * Where long documents come in pieces (pieces.ts), a piece as long as a row has a row of its own: `greedy` would cut it in two and
 * give the tokens of a book half the context. Shorter ones gather until they fill a row, so there is still no padding.
 */
import { UserError } from '../../base/user-error.js';
import type { TokenDocument } from '../shards/token-document.js';
import type { Row } from './batch.js';
import type { DocumentOrder } from './document-order.js';
import type { DocumentSource } from './document-source.js';
import type { Pieces } from './pieces.js';

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

export function nothingToPredict({ id }: DocumentSource): UserError {
  return new UserError(`${id}: no document holds two tokens, so there is nothing to predict`);
}

export class RowPacker {
  private waiting: Piece[] = [];
  /** What the order counts, where it is not documents; set before the first row. */
  pieces: Pieces | null = null;

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
    if (this.pieces !== null && pack === 'greedy' && (await this.fillAlone(row))) return;
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

  /**
   * Gives the row to the next piece that is as long as it; on the way to it shorter ones gather, at most until they fill a row.
   * @returns whether there was such a piece
   */
  private async fillAlone(row: Row): Promise<boolean> {
    const { S } = this.options;
    let gathered = this.waiting.reduce((sum, { count }) => sum + count, 0);
    while (gathered < S && (await this.draw())) {
      const last = this.waiting.at(-1)!;
      if (last.count === S) {
        this.waiting.pop();
        row.place(last.content!, last.from, last.count, last.index);
        return true;
      }
      gathered += last.count;
    }
    return false;
  }

  state(): PieceState[] {
    return this.waiting.map(({ index, from, count }) => [index, from, count]);
  }

  restore(state: readonly PieceState[]): void {
    this.waiting = state.map(([index, from, count]) => ({ index, from, count, content: null }));
  }

  /** Puts the next document that has a place, or the next piece of one, behind those that wait; false at the end. */
  private async draw(): Promise<boolean> {
    const { pieces } = this;
    const { S } = this.options;
    const most = Math.min(this.source.length, ENDLESS);
    for (let empty = 0; empty <= most; empty++) {
      const drawn = this.order.next();
      if (drawn === null) return false;
      const { index, from } = pieces === null ? { index: drawn, from: 0 } : pieces.at(drawn);
      // Mapped documents are there at once: waiting for a promise would cost more than the packing.
      const made = this.source.tokens(index);
      const content = made instanceof Promise ? await made : made;
      if (content === null) {
        this.order.position--;
        return false;
      }
      const places = content.ids.length - 1 - from;
      if (places < 1) continue;
      this.waiting.push({ index, from, count: pieces === null ? places : Math.min(places, S), content });
      return true;
    }
    throw nothingToPredict(this.source);
  }
}
