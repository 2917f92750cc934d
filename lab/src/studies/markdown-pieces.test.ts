/** Sections between comments: replaced where they are, added where they are not, everything else left alone. */
import { describe, expect, it } from 'vitest';
import { markdownTable, withSection } from './markdown-pieces.js';

describe('a section', () => {
  it('is added at the end, then replaced in its place', () => {
    const once = withSection('# Title\n', 'a', 'first');
    const both = withSection(`${once}\nbetween\n`, 'b', 'second');
    const again = withSection(both, 'a', 'new');
    expect(again).toBe(both.replace('first', 'new'));
    expect(again.indexOf('new')).toBeLessThan(again.indexOf('between'));
    expect(again.indexOf('between')).toBeLessThan(again.indexOf('second'));
  });

  it('is not mistaken for one whose name begins alike', () => {
    const page = withSection(withSection('', 'hop-finite-large', 'large'), 'hop-finite', 'small');
    expect(withSection(page, 'hop-finite', 'new')).toContain('large');
    expect(withSection(page, 'hop-finite-large', 'new')).toContain('small');
  });
});

describe('a table', () => {
  it('keeps bars inside cells', () => {
    expect(markdownTable(['a|b'], [['c']])).toBe('| a\\|b |\n| --- |\n| c |');
  });
});
