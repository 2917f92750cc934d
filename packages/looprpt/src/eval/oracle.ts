/**
 * What no exit rule can beat: exits chosen by someone who knows the right answers.
 *
 * With setting j, a token whose prediction is first right at loop k ≤ j stops there, and every other token stops after
 * loop 1, because going on would gain nothing. The cheapest gains come first, so the line through the K points is the highest
 * accuracy that these predictions allow at any number of mean loops.
 */
import assert from 'node:assert/strict';
import type { Exits } from './score.js';
import type { TokenTable } from './token-table.js';

/** @param setting j, 1..K */
export function oracleExits(table: TokenTable, setting: number): Exits {
  assert(setting >= 1 && setting <= table.loops);
  const exits = new Uint8Array(table.tokens).fill(1);
  for (let k = setting - 1; k >= 0; k--) {
    const correct = table.correct[k]!;
    for (let n = 0; n < table.tokens; n++) if (correct[n] === 1) exits[n] = k + 1;
  }
  return exits;
}
