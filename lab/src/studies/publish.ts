/**
 * Writes what is committed: the outcome as lab/results/studies/NAME.json, and from all outcomes there the figures, the pages of docs/results
 * and the README's table. Drawing needs nothing but those files.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { openCanvas } from 'looprpt/internal/eval/report/figures/canvas.js';
import { standaloneSvg } from 'looprpt/internal/eval/report/figures/standalone.js';
import { FIGURES, studyFigures } from './figures/study-figures.js';
import type { StudyResult } from './result.js';
import { readResult, writeResult } from './result-file.js';
import { readmePage, resultsIndex } from './results-index.js';
import { STUDIES } from './studies/index.js';
import { studyMarkdown } from './study-markdown.js';

/** The repository, to which everything that is published belongs. */
export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** Outcomes and figures, below the repository's root. */
export const RESULTS = 'lab/results/studies';

/** One page a study, and their index. */
export const PAGES = 'docs/results';

export async function publish(result: StudyResult, root: string): Promise<void> {
  mkdirSync(join(root, RESULTS), { recursive: true });
  writeResult(result, join(root, RESULTS, `${result.study.name}.json`));
  await drawAll(root);
}

/** The outcomes in lab/results/studies, in the order of the page. */
export function committedResults(root: string): StudyResult[] {
  const folder = join(root, RESULTS);
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
  return files.map((file) => readResult(join(folder, file))).sort((a, b) => place(a) - place(b));
}

/** Figures and pages from the outcomes that are there. @returns the names of their studies */
export async function drawAll(root: string): Promise<string[]> {
  const folder = join(root, RESULTS);
  const results = committedResults(root);
  const canvas = await openCanvas();
  for (const result of results) {
    const figures = studyFigures(result);
    for (const { id, file } of FIGURES) {
      const figure = figures.find((one) => one.id === id);
      if (figure) writeWholeFile(join(folder, `${result.study.name}-${file}.svg`), standaloneSvg(figure.draw(canvas)));
    }
  }
  if (results.length > 0) {
    mkdirSync(join(root, PAGES), { recursive: true });
    for (const [page, text] of Object.entries(resultPages(results))) writeWholeFile(join(root, PAGES, page), text);
    const readme = join(root, 'README.md');
    if (existsSync(readme)) writeWholeFile(readme, readmePage(readFileSync(readme, 'utf8'), results));
  }
  return results.map(({ study }) => study.name);
}

/** The pages by their file names in docs/results. */
export function resultPages(results: readonly StudyResult[]): Record<string, string> {
  return {
    'README.md': resultsIndex(results),
    ...Object.fromEntries(results.map((result) => [`${result.study.name}.md`, studyMarkdown(result)])),
  };
}

/** In the order of the list of studies; those that are no longer there come last. */
function place({ study }: StudyResult): number {
  const at = STUDIES.findIndex(({ name }) => name === study.name);
  return at < 0 ? STUDIES.length : at;
}
