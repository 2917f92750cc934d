/** When weights are copied to large pages. */
import { expect, test } from 'vitest';
import { goesToLargePages } from './large-weights.js';

const weights = { mapped: 2.8e9, own: 1e6 };
const given = { free: 5e9, has: true, environment: {} };

test('weights are copied where the copy and what comes beside it are free, and the system has large pages', () => {
  expect(goesToLargePages(weights, 2e9, given)).toBe(true);
  expect(goesToLargePages(weights, 2.3e9, given)).toBe(false);
  expect(goesToLargePages(weights, 2e9, { ...given, has: false })).toBe(false);
  expect(goesToLargePages({ mapped: 30e6, own: 0 }, 0, given)).toBe(false);
});

test('whoever shares the weights between processes leaves them in the file; other values are refused by name', () => {
  const asked = (value: string) =>
    goesToLargePages(weights, 0, { ...given, environment: { LOOPRPT_LARGE_PAGES: value } });
  expect([asked('0'), asked('1')]).toEqual([false, true]);
  expect(() => asked('yes')).toThrow('LOOPRPT_LARGE_PAGES: "yes" is neither 0');
});
