/** Keys: the same for the same content, another for any other. */
import { describe, expect, it } from 'vitest';
import { FORMAT, keyOf, type Unit } from './unit.js';

const unit = {
  kind: 'arm',
  format: FORMAT,
  base: 'b',
  data: { shards: 's' },
  heldOut: { shards: 'h', batches: 3 },
  recipe: { steps: 3, batch: { rows: 1, sequenceLength: 8, pack: 'greedy' }, schedule: {}, weightDecay: 0 },
  settings: null,
  seed: 1,
  threads: 1,
} as unknown as Unit;

describe('the key of a unit', () => {
  it('does not depend on the order in which the settings stand', () => {
    const turned = Object.fromEntries(Object.entries(unit).toReversed()) as unknown as Unit;
    expect(keyOf(turned)).toBe(keyOf(unit));
  });

  it('changes with every setting', () => {
    const changed = [
      { ...unit, seed: 2 },
      { ...unit, threads: 2 },
      { ...unit, recipe: { ...unit.recipe, steps: 4 } },
      { ...unit, recipe: { ...unit.recipe, batch: { ...unit.recipe.batch, rows: 2 } } },
    ] as Unit[];
    expect(new Set([unit, ...changed].map(keyOf)).size).toBe(changed.length + 1);
  });
});
