/** Verdicts by rule. */
import { describe, expect, it } from 'vitest';
import { outcomeOf, verdictOf } from './claims.js';

describe('a part of a claim', () => {
  it('holds, is reversed or neither, by where its whole interval lies', () => {
    const above = [2, 1, 3] as [number, number, number];
    const across = [0.5, -1, 2] as [number, number, number];
    const below = [-2, -3, -1] as [number, number, number];
    expect([above, across, below].map((interval) => outcomeOf(interval, 'more'))).toEqual([
      'holds',
      'neither',
      'reversed',
    ]);
    expect([above, across, below].map((interval) => outcomeOf(interval, 'less'))).toEqual([
      'reversed',
      'neither',
      'holds',
    ]);
    expect([above, across, below].map((interval) => outcomeOf(interval, 'not less'))).toEqual([
      'holds',
      'holds',
      'reversed',
    ]);
  });
});

describe('a claim', () => {
  it('holds if all its parts do, partly if some do and none is reversed', () => {
    expect(verdictOf(['holds', 'holds'])).toBe('holds');
    expect(verdictOf(['holds', 'neither'])).toBe('holds partly');
    expect(verdictOf(['holds', 'reversed'])).toBe('does not hold here');
    expect(verdictOf(['neither', 'reversed'])).toBe('does not hold here');
    expect(verdictOf(['neither', 'neither'])).toBe('cannot tell');
  });
});
