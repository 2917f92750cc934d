import { describe, expect, test } from 'vitest';
import { UserError } from '../../base/user-error.js';
import { contentHash, drawBelonging, splitOf, splits } from './split.js';

describe('splitOf', () => {
  test('gives nine tenths to training and a twentieth to each of the others', () => {
    const counts = { train: 0, heldout: 0, tune: 0 };
    for (let problem = 0; problem < 20_000; problem++) counts[splitOf(`problem ${problem}`)]++;
    expect(Math.abs(counts.train - 18_000)).toBeLessThan(300);
    expect(Math.abs(counts.heldout - 1000)).toBeLessThan(200);
    expect(Math.abs(counts.tune - 1000)).toBeLessThan(200);
  });

  test('contentHash depends on every character and on order', () => {
    const texts = ['', 'a', 'b', 'ab', 'ba', 'aa', 'ä', 'a '];
    expect(new Set(texts.map(contentHash)).size).toBe(texts.length);
  });
});

describe('drawBelonging', () => {
  const what = { task: 'toy', widen: 'raise size' };

  test('returns the first draw that belongs', () => {
    let drawn = 0;
    const problem = drawBelonging(
      () => ({ canonical: String(drawn++) }),
      (canonical) => Number(canonical) >= 7,
      what,
    );
    expect(problem.canonical).toBe('7');
    expect(drawn).toBe(8);
  });

  test('says which setting to change when nothing belongs', () => {
    const impossible = () =>
      drawBelonging(
        () => ({ canonical: 'x' }),
        () => false,
        what,
      );
    expect(impossible).toThrow(UserError);
    expect(impossible).toThrow("task 'toy': these settings allow so few different problems");
  });

  test('there are three splits, in the order that seeds depend on', () => {
    expect(splits).toEqual(['train', 'heldout', 'tune']);
  });
});
