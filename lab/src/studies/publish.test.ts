/** What is committed as drawn from outcomes is what they draw today. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { committedResults, PAGES, REPOSITORY, resultPages } from './publish.js';
import { readmePage } from './results-index.js';

const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

/** Pages of results that no study draws. */
const BY_HAND = ['performance.md'];

describe('of the committed outcomes', () => {
  const results = committedResults(REPOSITORY);
  const pages = resultPages(results);

  it.each(Object.keys(pages))('docs/results/%s is the page (after a change: npm run evidence -- figures)', (page) => {
    expect(results.length).toBeGreaterThan(0);
    expect(read(join(PAGES, page))).toBe(pages[page]);
  });

  it('docs/results has no page of a study that is gone', () => {
    expect(readdirSync(join(REPOSITORY, PAGES)).sort()).toEqual([...Object.keys(pages), ...BY_HAND].sort());
  });

  it('the README has the table', () => {
    expect(read('README.md')).toBe(readmePage(read('README.md'), results));
  });
});
