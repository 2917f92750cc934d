/** docs/evidence.md, all of it drawn from outcomes, and the README's table of results between its two comments. */
import { intervalsSection, verdictsSection } from './claims-markdown.js';
import { facts } from './facts.js';
import { FIGURES } from './figures/study-figures.js';
import { markdownTable } from './markdown-table.js';
import type { StudyResult } from './result.js';
import { shownArms } from './shown.js';
import { summaryTable } from './summary-table.js';
import { armTable, budgetsOf, detailTable, ruleTable, type Table, tuningTable } from './table.js';

const PREAMBLE = `# Evidence

What LoopRPT was claimed to do, and what it does here. Every number on this page is drawn from a file in [lab/results/studies](../lab/results/studies) that the named command wrote; \`npm run evidence -- figures\` draws page and figures
again from those files. What was tried on the way, failures included, is in [LOG.md](../lab/LOG.md).`;

const READING = `## How to read it

Regimes: (a) generated reasoning tasks without end, (b) a finite corpus of them, several times, (c) real text. Accuracy is that of the next token, in per cent. **Area**: the mean height of the curve of accuracy over mean loops, from 1 to all loops, as the exit gate draws it over all thresholds; it is the number that decides. **Hard**: the third of the tokens in which the base is least sure at full depth. **Best baseline**: of base, continued stage I, uniform cross-entropy, hard-token cross-entropy and the gate alone, as far as a table has them, the one with the largest area on the held-out split itself, chosen for each budget and for hard tokens anew, which favours it a little. **Equal compute**: FLOPs as the arithmetic counts them, or CPU seconds as runs of the same arms for equal tokens took them; each table says which. **Drawn back**: the model of such an arm lies a share of the way from the base to its last weights; it tries as many shares, with the largest learning rate of the study, as the others try rates. **Calibration error**: mean distance between the gate's exit probability and the share of predictions that no longer change. TFLOP are those of training beyond the base; CPU seconds are those of its steps, all threads together.`;

/** The whole page, studies in the order given. */
export function evidencePage(results: readonly StudyResult[]): string {
  const sections = [
    PREAMBLE,
    `## In one table\n\n${tableSection(summaryTable(results, ''))}`,
    READING,
    verdictsSection(results),
    ...results.map(studySection),
    intervalsSection(results),
  ];
  return `${sections.join('\n\n')}\n`;
}

function studySection(result: StudyResult): string {
  const { study } = result;
  const figure = (name: string, title: string): string =>
    `![${title}](../lab/results/studies/${study.name}-${name}.svg)`;
  const figures = FIGURES.filter(({ budget }) => !budget || budgetsOf(result).includes(budget));
  const [first, further] = [figures.filter(({ folded }) => !folded), figures.filter(({ folded }) => folded)];
  return [
    `## ${study.title}`,
    `\`${result.command}\``,
    facts(result),
    ...budgetsOf(result).map((budget) => tableSection(armTable(result, budget))),
    ...first.map(({ file, title }) => figure(file, title)),
    folded('Cross-entropy, difficulty and spread over seeds', tableSection(detailTable(result))),
    folded('Exit rules', tableSection(ruleTable(result, shownArms(result, 'tokens')))),
    folded('More figures', further.map(({ file, title }) => figure(file, title)).join('\n\n')),
    ...(result.tuning.some(({ trials }) => trials.length > 0)
      ? [folded('Settings tried', tableSection(tuningTable(result)))]
      : []),
  ].join('\n\n');
}

function folded(summary: string, body: string): string {
  return `<details><summary>${summary}</summary>\n\n${body}\n\n</details>`;
}

/** The README's results, between the comments that name them. */
export function readmePage(page: string, results: readonly StudyResult[]): string {
  return withSection(page, 'results', tableSection(summaryTable(results, 'docs/evidence.md')));
}

/** Replaces the named section, or adds it at the end. What stands outside of sections is left alone. */
export function withSection(page: string, name: string, body: string): string {
  const [open, close] = [`<!-- evidence ${name} -->`, `<!-- end of evidence ${name} -->`];
  const section = `${open}\n${body.trim()}\n${close}`;
  const from = page.indexOf(open);
  const to = page.indexOf(close);
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n${section}\n`;
  return page.slice(0, from) + section + page.slice(to + close.length);
}

function tableSection({ title, columns, rows, note }: Table): string {
  return [`**${title}**`, markdownTable(columns, rows), note].join('\n\n');
}
