/** An evaluation on text as tables for the terminal. Accuracies in per cent, cross-entropies in nats. */

import { renderTable } from '../base/terminal/table.js';
import { aboutIntervals, fixed, intervalText, percent, signed } from '../eval/report/format.js';
import { type Breakdown, BUCKETS, type ComparisonResult, type DraftScore, type EvalResult } from '../eval/result.js';

/** The thresholds worth a line each; the whole sweep is in the JSON. */
const MOST_TAUS = 6;

export function evaluationTables(result: EvalResult & { comparisons?: ComparisonResult[] }, color: boolean): string {
  const [easy, medium] = result.thresholds;
  const sets: [string, Breakdown][] = [
    ['all', result],
    ...BUCKETS.map((bucket): [string, Breakdown] => [bucket, result.buckets[bucket]]),
  ];
  const sections = [
    `${result.model} on ${result.data}: ${result.tokens} tokens, ${result.loops} loops`,
    perLoopTable(sets, color),
    adaptiveTable(result, color),
    ...(result.drafts ? [draftLine(result.drafts)] : []),
    ...(result.comparisons ? [comparisonTable(result.comparisons, color)] : []),
    `difficulty: entropy of ${result.reference}, easy to ${fixed(easy, 3)} nats, medium to ${fixed(medium, 3)}`,
  ];
  return sections.join('\n\n');
}

function perLoopTable(sets: readonly [string, Breakdown][], color: boolean): string {
  const loops = sets[0]![1].perLoop.map(({ loop }) => loop);
  const columns = ['tokens', 'count', ...loops.map((loop) => `loop ${loop}`), 'frontier', 'gate area', 'cross-entropy'];
  const rows = sets.map(([name, { tokens, perLoop, area, frontier, peak }]) => [
    name,
    tokens,
    ...loops.map((_, k) => (perLoop[k] ? percent(perLoop[k].accuracy) : '–')),
    frontier === undefined ? '–' : percent(frontier.area),
    area?.gate === undefined ? '–' : percent(area.gate),
    tokens === 0 ? '–' : fixed(peak.crossEntropy, 3),
  ]);
  return renderTable(columns, rows, { color });
}

function draftLine({ acceptance, passes }: DraftScore): string {
  const shares = acceptance.map((share, k) => `${percent(share, 1)} % after loop ${k + 1}`).join(', ');
  return `drafts: full depth's token is likeliest for ${shares}; ${fixed(passes, 2)} passes a token at best`;
}

function adaptiveTable({ adaptive, loops }: EvalResult, color: boolean): string {
  const step = Math.max(1, Math.ceil(adaptive.length / MOST_TAUS));
  const shown = adaptive.filter((_, i) => i % step === 0 || i === adaptive.length - 1);
  const shares = Array.from({ length: loops }, (_, k) => `exit ${k + 1}`);
  const rows = shown.map(({ tau, accuracy, crossEntropy, meanLoops, exitShare }) => [
    String(tau),
    percent(accuracy),
    fixed(crossEntropy, 3),
    fixed(meanLoops, 2),
    ...exitShare.map((share) => `${percent(share, 0)} %`),
  ]);
  return renderTable(['τ', 'accuracy', 'cross-entropy', 'mean loops', ...shares], rows, { color });
}

function comparisonTable(comparisons: readonly ComparisonResult[], color: boolean): string {
  const rows = comparisons.map((comparison) => {
    const { metric, delta, documents = '–' } = comparison;
    const scale = /entropy/i.test(metric) ? 1 : 100;
    const digits = scale === 1 ? 3 : 2;
    return [metric, signed(scale * delta, digits), intervalText(comparison, digits, scale), documents];
  });
  const { a, b, level } = comparisons[0]!;
  const columns = [`${a} − ${b}`, 'difference', `${fixed(100 * level, 0)} % interval`, 'documents'];
  return [renderTable(columns, rows, { color }), ...aboutIntervals(comparisons)].join('\n');
}
