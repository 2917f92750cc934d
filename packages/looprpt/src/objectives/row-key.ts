/**
 * Chance that belongs to a row of the data, not to a process: whatever an objective draws for a row, it draws from generators
 * seeded by the run's seed, the step and the row's number in the step. So a step draws the same however its rows are dealt out
 * to ranks and micro-batches, and a resumed run needs no generator's state, also with another number of ranks.
 */
export interface RowKey {
  seed: number;
  step: number;
  /** Among the rows of the step, over all micro-batches and ranks. */
  row: number;
}

/**
 * A generator's seed for one of the purposes that a row draws for: 53 bits that change all over with any of their sources
 * (the finaliser of MurmurHash3 after every word).
 */
export function rowSeed({ seed, step, row }: RowKey, purpose: number): number {
  const words = [seed % 2 ** 32, Math.floor(seed / 2 ** 32), step, row, purpose];
  const hash = (start: number): number => {
    let h = start;
    for (const word of words) {
      h = Math.imul(h ^ word, 0x9e3779b1);
      h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
      h ^= h >>> 16;
    }
    return h >>> 0;
  };
  return (hash(1) % 2 ** 21) * 2 ** 32 + hash(2);
}
