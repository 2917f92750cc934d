/** The README stays one that is read: short, and in lines that a terminal shows. */
import { expect, it } from 'vitest';
import { read } from './pages.js';

it('the README has under 120 lines of under 160 characters', () => {
  const lines = read('README.md').split('\n');
  expect(lines.length).toBeLessThan(120);
  expect(lines.filter((line) => [...line].length >= 160)).toEqual([]);
});
