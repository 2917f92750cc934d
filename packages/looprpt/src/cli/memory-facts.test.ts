/** What `--dry-run` says of weights that are only read: where they will be. */
import { hasLargePages } from '@looprpt/engine';
import { expect, test } from 'vitest';
import type { PlannedModel } from '../train/state/planned-model.js';
import { freeFacts, willCopy } from './memory-facts.js';

const weights = { mapped: 2.8e9, own: 0.1e9 };
const planned = { way: { way: 'read-only' }, weights } as PlannedModel;
const has = (free: number, of = planned): string => freeFacts(of, 1e9, free).join();

test.runIf(hasLargePages())('mapped weights that are copied', () => {
  expect(willCopy(planned, 1e9, 5e9)).toBe(true);
  expect(has(5e9)).toMatch(/^free,.*; mapped weights are copied to large pages/);
});

test('mapped weights that stay, and that do not fit', () => {
  expect(willCopy(planned, 1e9, 3.7e9)).toBe(false);
  expect(has(3.9e9, { ...planned, way: { way: 'mapped', dtype: 'float32' } })).toMatch(/^free,[^;]*$/);
  expect(has(3.7e9)).toMatch(/^free,.*; not all mapped weights stay in memory/);
  expect(has(Number.POSITIVE_INFINITY)).toBe('');
});
