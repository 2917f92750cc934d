/**
 * docs/evidence.md: a section a study and one of statements, each between two comments that name it. What stands outside of them is
 * nobody's but the author's and is left alone.
 */
import { claimInterval, type Statement, statements } from './claims.js';
import { facts } from './facts.js';
import type { StudyResult } from './result.js';
import { shownArms } from './shown.js';
import { summaryTable } from './summary-table.js';
import { armTable, budgetsOf, ruleTable, type Table, tuningTable } from './table.js';

const PREAMBLE = `# Evidence

What LoopRPT was claimed to do, and what it does here. Every number on this page is drawn from a file in [evidence](evidence) that the named command wrote; \`npm run evidence -- figures\` draws page and figures
again from those files.
`;

/** Replaces the named section, or adds it at the end. */
export function withSection(page: string, name: string, body: string): string {
  const [open, close] = [`<!-- evidence ${name} -->`, `<!-- end of evidence ${name} -->`];
  const section = `${open}\n${body.trim()}\n${close}`;
  const from = page.indexOf(open);
  const to = page.indexOf(close);
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n${section}\n`;
  return page.slice(0, from) + section + page.slice(to + close.length);
}

/** @param page what stands there; null for nothing yet */
export function evidencePage(page: string | null, results: readonly StudyResult[]): string {
  const start = withSection(page ?? PREAMBLE, 'statements', statementsSection(results));
  return results.reduce((text, result) => withSection(text, result.study.name, studySection(result)), start);
}

export function studySection(result: StudyResult): string {
  const { study } = result;
  const { name } = study;
  const equal = budgetsOf(result).map((budget) => armTable(result, budget));
  return [
    `## ${study.title}`,
    `\`${result.command}\``,
    facts(result),
    ...equal.map(tableSection),
    `![The difference of every arm's area to the best baseline's, with intervals](evidence/${name}-forest.svg)`,
    `![Accuracy against mean loops and FLOPs](evidence/${name}-pareto.svg)`,
    tableSection(ruleTable(result, shownArms(result, 'tokens'))),
    ...(result.tuning.some(({ trials }) => trials.length > 0)
      ? [`<details><summary>Settings tried</summary>\n\n${tableSection(tuningTable(result))}\n\n</details>`]
      : []),
  ].join('\n\n');
}

/** The README's results, in the section `evidence results`. */
export function readmePage(page: string, results: readonly StudyResult[]): string {
  return withSection(page, 'results', tableSection(summaryTable(results)));
}

function tableSection({ title, columns, rows, note }: Table): string {
  return [`**${title}**`, markdownTable(columns, rows), note].join('\n\n');
}

export function markdownTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

/** All claims by study: the verdicts in one table, then each with its intervals. */
function statementsSection(results: readonly StudyResult[]): string {
  const byStudy = results.map((result) => ({ result, made: statements(result) })).filter(({ made }) => made.length > 0);
  const claims = [...new Set(byStudy.flatMap(({ made }) => made.map(({ claim }) => claim)))];
  const verdict = (made: readonly Statement[], claim: string): string =>
    made.find((one) => one.claim === claim)?.verdict ?? '–';
  const detail = (claim: string): string =>
    byStudy
      .flatMap(({ result, made }) => {
        const one = made.find((statement) => statement.claim === claim);
        return one ? [`- ${result.study.title}: **${one.verdict}**. ${one.parts.map(partText).join('; ')}.`] : [];
      })
      .join('\n');
  return [
    '## How to read it',
    "Accuracy is that of the next token, in per cent. **Area**: the mean height of the curve of accuracy over mean loops, from 1 to all loops, as the exit gate draws it over all thresholds; it is the number that decides. **Hard**: the third of the tokens in which the base is least sure at full depth. **Best baseline**: of base, continued stage I, uniform cross-entropy, hard-token cross-entropy and the gate alone, the one with the largest area on the held-out split itself, chosen for each budget and for hard tokens anew, which favours it a little. **Drawn back**: the model of such an arm lies a share of the way from the base to its last weights; it tries as many shares, with the largest learning rate of the study, as the others try rates. **Calibration error**: mean distance between the gate's exit probability and the share of predictions that no longer change. TFLOP are those of training beyond the base; CPU seconds are those of its steps, all threads together.",
    '## What holds',
    'By rule, from intervals: a part that says "more" holds if its whole 95 % interval lies above zero; "not less" holds unless all of it lies below. A claim holds if all its parts do, partly if some do and none is reversed, and otherwise does not hold here. Differences are in points of a per cent; LoopRPT is the method as written, with rollouts of the hard tokens.',
    markdownTable(
      ['claim', ...byStudy.map(({ result }) => result.study.name)],
      claims.map((claim) => [claim, ...byStudy.map(({ made }) => verdict(made, claim))]),
    ),
    ...claims.map((claim) => `**${claim}**\n\n${detail(claim)}`),
  ].join('\n\n');
}

function partText(part: Statement['parts'][number]): string {
  return `${part.what} ${claimInterval(part)}`;
}
