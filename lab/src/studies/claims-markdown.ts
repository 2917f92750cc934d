/** The paper's claims in Markdown: the verdicts of all studies in one table, and one study's claims with their intervals. */
import { claimInterval, type Statement, statements } from './claims.js';
import { markdownTable } from './markdown-pieces.js';
import type { StudyResult } from './result.js';
import type { Table } from './table.js';

/** Which claim holds in which study. */
export function verdictsTable(results: readonly StudyResult[]): string {
  const studies = results
    .map((result) => ({ name: result.study.name, made: statements(result) }))
    .filter(({ made }) => made.length > 0);
  const claims = [...new Set(studies.flatMap(({ made }) => made.map(({ claim }) => claim)))];
  const verdict = (made: readonly Statement[], claim: string): string =>
    made.find((one) => one.claim === claim)?.verdict ?? '–';
  return markdownTable(
    ['claim', ...studies.map(({ name }) => name)],
    claims.map((claim) => [claim, ...studies.map(({ made }) => verdict(made, claim))]),
  );
}

/** Every claim of a study with the intervals of its parts; nothing where the study makes none. */
export function intervalsTable(result: StudyResult): Table | undefined {
  const made = statements(result);
  if (made.length === 0) return undefined;
  return {
    title: 'Claims',
    columns: ['claim', 'verdict', 'parts'],
    rows: made.map(({ claim, verdict, parts }) => [claim, verdict, parts.map(partText).join('; ')]),
    note: 'Differences are in points of a per cent. The rule is on the [index](README.md#which-claims-hold).',
  };
}

function partText(part: Statement['parts'][number]): string {
  return `${part.what} ${claimInterval(part)}`;
}
