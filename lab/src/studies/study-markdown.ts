/** docs/results/NAME.md: one study, drawn from its outcome. The verdict first, a narrow table a budget, everything wide folded. */
import { intervalsTable } from './claims-markdown.js';
import { facts } from './facts.js';
import { FIGURES } from './figures/study-figures.js';
import { folded, markdownTable } from './markdown-pieces.js';
import { paperTable } from './paper-points.js';
import type { StudyResult } from './result.js';
import { shownArms } from './shown.js';
import { armTable, budgetsOf, detailTable, narrow, ruleTable, type Table, tuningTable } from './table.js';
import { twinTable } from './twins.js';
import { verdict } from './verdict.js';

/** Where the figures are, seen from the page. */
const FIGURE_FOLDER = '../../lab/results/studies';

export function studyMarkdown(result: StudyResult): string {
  const { study } = result;
  const budgets = budgetsOf(result);
  const figures = FIGURES.filter(({ budget }) => !budget || budgets.includes(budget));
  const shown = (isFolded: boolean): string[] =>
    figures
      .filter((figure) => (figure.folded ?? false) === isFolded)
      .map(({ file, title }) => `![${title}](${FIGURE_FOLDER}/${study.name}-${file}.svg)`);
  const claims = intervalsTable(result);
  const twins = twinTable(result);
  const parts = [
    `# ${study.title}`,
    `**Verdict.** ${verdict(result)}`,
    ...(twins ? [tableSection(twins)] : []),
    ...budgets.map((budget) => tableSection(narrow(armTable(result, budget)))),
    ...(study.regime === 'd' ? [tableSection(paperTable(result))] : []),
    ...shown(false),
    `## What was compared\n\n${facts(result)
      .map(({ what, text }) => `- **${what}.** ${text}`)
      .join('\n')}`,
    `Make it again: \`${result.command}\`. How to read the columns: [results](README.md#how-to-read-the-tables).`,
    '## Everything else',
    ...budgets.map((budget) => {
      const table = armTable(result, budget);
      return folded(`${table.title}, all columns`, tableSection(table));
    }),
    ...(claims ? [folded("The paper's claims, with intervals", tableSection(claims))] : []),
    folded('Cross-entropy, difficulty and spread over seeds', tableSection(detailTable(result))),
    folded('Exit rules', tableSection(ruleTable(result, shownArms(result, 'tokens')))),
    folded('More figures', shown(true).join('\n\n')),
    ...(result.tuning.some(({ trials }) => trials.length > 0)
      ? [folded('Settings tried', tableSection(tuningTable(result)))]
      : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

export function tableSection({ title, columns, rows, note }: Table): string {
  return [`**${title}**`, markdownTable(columns, rows), note].join('\n\n');
}
