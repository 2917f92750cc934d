/** The part of docs/evidence.md that is about claims: verdicts of all studies in one table, and each claim with its intervals. */
import { claimInterval, type Statement, statements } from './claims.js';
import { markdownTable } from './markdown-table.js';
import type { StudyResult } from './result.js';

interface Stated {
  result: StudyResult;
  made: Statement[];
}

function stated(results: readonly StudyResult[]): Stated[] {
  return results.map((result) => ({ result, made: statements(result) })).filter(({ made }) => made.length > 0);
}

function claimsOf(studies: readonly Stated[]): string[] {
  return [...new Set(studies.flatMap(({ made }) => made.map(({ claim }) => claim)))];
}

/** Which claim holds in which study. */
export function verdictsSection(results: readonly StudyResult[]): string {
  const studies = stated(results);
  const verdict = ({ made }: Stated, claim: string): string => made.find((one) => one.claim === claim)?.verdict ?? '–';
  return [
    '## What holds',
    'By rule, from intervals: a part of a claim that says "more" holds if its whole 95 % interval lies above zero and is reversed if all of it lies below; "not less" is reversed if all of it lies below, and holds otherwise. A claim **holds** if all its parts do, **holds partly** if some do and none is reversed, **does not hold here** if one is reversed; of any other these runs **cannot tell**; –: the study has not the arms for it. LoopRPT is the method as written, with rollouts of the hard tokens. The intervals stand at the end of the page.',
    markdownTable(
      ['claim', ...studies.map(({ result }) => result.study.name)],
      claimsOf(studies).map((claim) => [claim, ...studies.map((study) => verdict(study, claim))]),
    ),
  ].join('\n\n');
}

/** Every claim with the intervals of its parts, study by study. */
export function intervalsSection(results: readonly StudyResult[]): string {
  const studies = stated(results);
  const detail = (claim: string): string =>
    studies
      .flatMap(({ result, made }) => {
        const one = made.find((statement) => statement.claim === claim);
        return one ? [`- ${result.study.title}: **${one.verdict}**. ${one.parts.map(partText).join('; ')}.`] : [];
      })
      .join('\n');
  return [
    '## The claims, with intervals',
    'Differences are in points of a per cent.',
    ...claimsOf(studies).map((claim) => `<details><summary>${claim}</summary>\n\n${detail(claim)}\n\n</details>`),
  ].join('\n\n');
}

function partText(part: Statement['parts'][number]): string {
  return `${part.what} ${claimInterval(part)}`;
}
