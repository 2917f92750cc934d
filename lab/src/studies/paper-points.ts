/**
 * The points of the paper's figures 5 and 6, as read off them (± 0.2), and an outcome beside them: gains over the base by loop and
 * difficulty, and the adaptive point on hard tokens. Accuracies in per cent.
 *
 * The paper's table and its figures disagree about the 2.6B model on hard tokens; these are the figures.
 */
import { fixed, percent, signed } from 'looprpt/internal/eval/report/format.js';
import { BUCKETS, type Bucket } from 'looprpt/internal/eval/result.js';
import { TAU } from './document-sums.js';
import { type Row, rowOf, type StudyResult } from './result.js';
import { shownArms } from './shown.js';
import type { Table } from './table.js';

interface PaperModel {
  name: string;
  base: Record<Bucket, readonly number[]>;
  trained: Record<Bucket, readonly number[]>;
}

const PAPER: readonly PaperModel[] = [
  {
    name: 'Ouro-1.4B',
    base: { easy: [65.8, 72.5, 74.1, 74.6], medium: [47.0, 54.1, 56.7, 57.4], hard: [25.2, 30.9, 33.6, 33.8] },
    trained: { easy: [66.3, 72.7, 74.9, 75.3], medium: [47.8, 54.3, 57.1, 58.0], hard: [26.0, 32.0, 34.9, 35.0] },
  },
  {
    name: 'Ouro-2.6B',
    base: { easy: [67.1, 72.4, 74.1, 74.4], medium: [49.2, 54.8, 57.0, 57.5], hard: [28.2, 33.0, 33.9, 34.5] },
    trained: { easy: [67.7, 73.0, 74.5, 75.0], medium: [50.0, 55.8, 57.8, 58.2], hard: [29.8, 34.2, 35.4, 35.9] },
  },
];

/** Mean loops and accuracy of the adaptive point, hard tokens of the 2.6B model, by the figure. */
const ADAPTIVE = { base: '3.51 → 34.35', trained: '2.29 → 35.2' } as const;

/** Gains over the base of the paper's models and of the arms that figures show. */
export function paperTable(result: StudyResult): Table {
  const base = rowOf(result, 'base', 'tokens')!;
  const arms = shownArms(result, 'tokens').filter((arm) => arm !== 'base');
  const gains = (values: readonly number[]): string => values.map((value) => signed(value, 1)).join(' / ');
  const ofPaper = PAPER.map(({ name, base: before, trained }) => [
    `the paper, ${name}`,
    ...BUCKETS.map((bucket) => gains(trained[bucket].map((value, k) => value - before[bucket][k]!))),
    name === 'Ouro-2.6B' ? `${ADAPTIVE.base} to ${ADAPTIVE.trained}` : '–',
  ]);
  const ofOurs = arms.map((arm) => {
    const row = rowOf(result, arm, 'tokens')!;
    return [
      row.title,
      ...BUCKETS.map((bucket) => gains(byLoop(row, bucket).map((value, k) => value - byLoop(base, bucket)[k]!))),
      `${adaptive(base)} to ${adaptive(row)}`,
    ];
  });
  return {
    title: 'Beside the paper: gains over the base at each loop, points',
    columns: ['', ...BUCKETS, `adaptive point (mean loops → accuracy): the paper's on hard tokens, ours at τ = ${TAU}`],
    rows: [...ofPaper, ...ofOurs],
    note: 'The paper: figures 5 and 6, read off (± 0.2). Easy, medium and hard are thirds by the entropy of the base. Equal tokens.',
  };
}

function byLoop({ summary }: Row, bucket: Bucket): number[] {
  return summary.buckets[bucket].perLoop.map(({ accuracy }) => 100 * accuracy.mean);
}

function adaptive({ summary }: Row): string {
  const at = summary.all.adaptive.find(({ tau }) => tau === TAU)!;
  return `${fixed(at.meanLoops.mean, 2)} → ${percent(at.accuracy.mean)}`;
}
