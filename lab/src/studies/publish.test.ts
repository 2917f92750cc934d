/** What is committed as drawn from outcomes is what they draw today. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { evidencePage, readmePage } from './markdown.js';
import { committedResults, REPOSITORY } from './publish.js';

const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

it('docs/evidence.md and the table of the README are those of the committed outcomes', () => {
  const results = committedResults(REPOSITORY);
  expect(results.length).toBeGreaterThan(0);
  expect(read('docs/evidence.md')).toBe(evidencePage(results));
  expect(read('README.md')).toBe(readmePage(read('README.md'), results));
});
