/**
 * A conversation as the tab keeps it through reloads: the turns with one model, token by token, so that they look as they did. What is
 * found there is checked like anything from outside, and is nothing where it does not fit.
 */
import { keep, readKept } from './kept.js';
import type { Piece, Prompt } from './server.js';

const NAME = 'looprpt-conversation';

export interface RememberedTurn {
  mode: Prompt['mode'];
  asked: string;
  pieces: readonly Piece[];
  /** How it ended, in words; empty where that is worth none. */
  note: string;
}

/** Whose conversation it is: with another model, or one of other loops, it means nothing. */
export interface Partner {
  id: string;
  loops: number;
}

export function remember({ id, loops }: Partner, turns: readonly RememberedTurn[]): void {
  keep(NAME, turns.length === 0 ? null : JSON.stringify({ id, loops, turns }), 'tab');
}

/** @returns no turns where there are none with this model */
export function recall(partner: Partner): RememberedTurn[] {
  return turnsOf(readKept(NAME, 'tab') ?? 'null', partner);
}

/** @param text what was kept */
export function turnsOf(text: string, { id, loops }: Partner): RememberedTurn[] {
  try {
    const kept = JSON.parse(text) as Partial<Partner & { turns: RememberedTurn[] }> | null;
    if (kept?.id !== id || kept.loops !== loops || !Array.isArray(kept.turns)) return [];
    return kept.turns.every((turn) => isTurn(turn, loops)) ? kept.turns : [];
  } catch {
    return [];
  }
}

function isTurn({ mode, asked, pieces, note }: RememberedTurn, loops: number): boolean {
  return (
    (mode === 'chat' || mode === 'complete') &&
    typeof asked === 'string' &&
    typeof note === 'string' &&
    Array.isArray(pieces) &&
    pieces.every((piece: Piece) => isPiece(piece, loops))
  );
}

function isPiece({ text, loops, drafted }: Piece, most: number): boolean {
  const isLoop = (value: number | null): boolean =>
    value === null || (Number.isInteger(value) && value >= 1 && value <= most);
  return typeof text === 'string' && isLoop(loops) && isLoop(drafted);
}
