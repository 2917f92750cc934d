/** What is committed: the numbers, and the table that the documentation has of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { withSection } from '../../studies/markdown-pieces.js';
import { REPOSITORY } from '../../studies/publish.js';
import type { QuantisedResult } from './run.js';
import { quantisedTable } from './table.js';

/** Below the repository's root. */
export const RESULT_FILE = 'lab/results/bench/quantised.json';
export const PAGE = 'docs/reference/quantised-weights.md';

export function publishQuantised(result: QuantisedResult): void {
  writeWholeFile(join(REPOSITORY, RESULT_FILE), `${JSON.stringify(result)}\n`);
  const page = join(REPOSITORY, PAGE);
  writeWholeFile(page, pageWith(readFileSync(page, 'utf8'), result));
}

export function pageWith(page: string, result: QuantisedResult): string {
  return withSection(page, 'quantised', quantisedTable(result));
}
