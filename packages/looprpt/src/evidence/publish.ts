/**
 * Writes what is committed: the outcome as docs/evidence/NAME.json, and from all outcomes there the figures, docs/evidence.md and the README's table of results. Drawing
 * needs nothing but those files.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeWholeFile } from '../cli/write-file.js';
import { openCanvas } from '../report/figures/canvas.js';
import { standaloneSvg } from '../report/figures/standalone.js';
import { FIGURES, studyFigures } from './figures/study-figures.js';
import { evidencePage, readmePage } from './markdown.js';
import type { StudyResult } from './result.js';
import { readResult, writeResult } from './result-file.js';
import { STUDIES } from './studies/index.js';

/** The repository's documentation. */
export const DOCS = fileURLToPath(new URL('../../../../docs', import.meta.url));

export async function publish(result: StudyResult, docs: string): Promise<void> {
  mkdirSync(join(docs, 'evidence'), { recursive: true });
  writeResult(result, join(docs, 'evidence', `${result.study.name}.json`));
  await drawAll(docs);
}

/** The outcomes in docs/evidence, in the order of the page. */
export function committedResults(docs: string): StudyResult[] {
  const folder = join(docs, 'evidence');
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
  return files.map((file) => readResult(join(folder, file))).sort((a, b) => place(a) - place(b));
}

/** Figures and page from the outcomes that are there. @returns the names of their studies */
export async function drawAll(docs: string): Promise<string[]> {
  const folder = join(docs, 'evidence');
  const results = committedResults(docs);
  const canvas = await openCanvas();
  for (const result of results) {
    const figures = studyFigures(result);
    for (const { id, file } of FIGURES) {
      const figure = figures.find((one) => one.id === id);
      if (figure) writeWholeFile(join(folder, `${result.study.name}-${file}.svg`), standaloneSvg(figure.draw(canvas)));
    }
  }
  if (results.length > 0) {
    writeWholeFile(join(docs, 'evidence.md'), evidencePage(results));
    const readme = join(docs, '..', 'README.md');
    if (existsSync(readme)) writeWholeFile(readme, readmePage(readFileSync(readme, 'utf8'), results));
  }
  return results.map(({ study }) => study.name);
}

/** In the order of the list of studies; those that are no longer there come last. */
function place({ study }: StudyResult): number {
  const at = STUDIES.findIndex(({ name }) => name === study.name);
  return at < 0 ? STUDIES.length : at;
}
