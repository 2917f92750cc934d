/** The tables of an outcome as text cells, for the terminal, the page and Markdown alike. Accuracies and areas in per cent. */
import { fixed, percent, signed, spreadText } from 'looprpt/internal/eval/report/format.js';
import { describeTrial } from './arm.js';
import { TAU } from './document-sums.js';
import { BUDGETS, type Budget } from './planner.js';
import { bestBaseline, differenceOf, type Ends, type Part, type Row, rowOf, type StudyResult } from './result.js';

export interface Table {
  title: string;
  columns: string[];
  rows: string[][];
  /** What the reader should know about the columns. */
  note: string;
}

export function budgetsOf({ rows }: StudyResult): Budget[] {
  return BUDGETS.filter((budget) => rows.some((row) => row.budget === budget));
}

/** All arms with one budget. */
export function armTable(result: StudyResult, budget: Budget): Table {
  const title = (part: Part): string => titleOf(result, bestBaseline(result, budget, part)!);
  const { study } = result;
  return {
    title:
      budget === 'tokens'
        ? `Equal tokens: ${study.training.steps} steps each`
        : `Equal compute: the ${study.computeBy === 'cpu' ? 'CPU seconds' : 'training FLOPs'} of ${titleOf(result, study.equalCompute)}`,
    columns: [
      'arm',
      `loops ${loopNumbers(result)}`,
      `at τ = ${TAU}`,
      'area',
      'area, hard',
      'area − base',
      'area − best baseline',
      'area − best baseline, hard',
      'calibration error',
      'steps',
      'TFLOP',
      'CPU s',
    ],
    rows: result.rows.filter((row) => row.budget === budget).map((row) => armCells(result, row)),
    note: `Best baseline: ${title('all')}; on hard tokens: ${title('hard')}.`,
  };
}

/** The columns that answer the question; the others are for who wants to know more. */
const NARROW = ['arm', 'area', 'area − base', 'area − best baseline'];

/** An arm table with its six main columns. */
export function narrow({ columns, rows, ...rest }: Table): Table {
  const kept = columns.flatMap((column, i) =>
    NARROW.includes(column) || column.startsWith('loops ') || column.startsWith('at τ') ? [i] : [],
  );
  const pick = (cells: readonly string[]): string[] => kept.map((i) => cells[i]!);
  return { ...rest, columns: pick(columns), rows: rows.map(pick) };
}

function armCells(result: StudyResult, row: Row): string[] {
  const { all, buckets } = row.summary;
  const at = all.adaptive.find(({ tau }) => tau === TAU)!;
  return [
    row.title,
    all.perLoop.map(({ accuracy }) => percent(accuracy.mean)).join(' / '),
    `${fixed(at.meanLoops.mean, 2)} → ${percent(at.accuracy.mean)}`,
    percent(all.area.gate!.mean, 2),
    percent(buckets.hard.area.gate?.mean ?? Number.NaN, 2),
    pointsText(areaDifference(result, row, 'base', 'all')),
    pointsText(areaDifference(result, row, bestBaseline(result, row.budget, 'all'), 'all')),
    pointsText(areaDifference(result, row, bestBaseline(result, row.budget, 'hard'), 'hard')),
    percent(row.calibrationError),
    String(row.steps),
    fixed(row.flops / 1e12, 2),
    fixed(row.seconds, 0),
  ];
}

function areaDifference(
  result: StudyResult,
  { arm, budget }: Row,
  rival: string | undefined,
  part: Part,
): Ends | undefined {
  return rival === undefined ? undefined : differenceOf(result, { a: arm, b: rival, budget, part })?.measures.area;
}

export function titleOf({ rows }: StudyResult, arm: string): string {
  return rows.find((row) => row.arm === arm)?.title ?? arm;
}

/** `+1.20 (+0.80 to +1.60)`, in points of a per cent; a dash for nothing. */
export function pointsText(interval: Ends | undefined, digits = 2): string {
  if (!interval) return '–';
  const [mean, low, high] = interval.map((value) => signed(100 * value, digits));
  return `${mean} (${low} to ${high})`;
}

/** What the first table has no room for. */
export function detailTable(result: StudyResult): Table {
  const rows = result.rows.filter(({ budget }) => budget === 'tokens');
  return {
    title: 'Cross-entropy, difficulty and spread',
    columns: [
      'arm',
      `cross-entropy, nats, loops ${loopNumbers(result)}`,
      'area ± over seeds',
      'area, easy',
      'area, medium',
      'area, hard',
      'steps left out',
    ],
    rows: rows.map(({ title, skipped, summary: { all, buckets } }) => [
      title,
      all.perLoop.map(({ crossEntropy }) => fixed(crossEntropy.mean, 3)).join(' / '),
      spreadText(all.area.gate!, 2, 100),
      ...(['easy', 'medium', 'hard'] as const).map((bucket) =>
        percent(buckets[bucket].area.gate?.mean ?? Number.NaN, 2),
      ),
      String(skipped),
    ]),
    note: 'Equal tokens. Steps left out: of all seeds, those whose gradient was not finite.',
  };
}

function loopNumbers({ loops }: StudyResult): string {
  return Array.from({ length: loops }, (_, k) => k + 1).join(' / ');
}

const RULES = ['gate', 'hidden-change', 'confidence', 'entropy', 'oracle'] as const;

/** Area under every exit rule's curve. */
export function ruleTable(result: StudyResult, arms: readonly string[]): Table {
  const rows = arms.flatMap((arm) => rowOf(result, arm, 'tokens') ?? []);
  return {
    title: 'Exit rules: area by rule',
    columns: ['arm', 'exit gate', 'change of hidden state', 'confidence', 'entropy', 'oracle'],
    rows: rows.map(({ title, summary }) => [
      title,
      ...RULES.map((rule) => percent(summary.all.area[rule]?.mean ?? Number.NaN, 2)),
    ]),
    note: 'Equal tokens. The three rules in the middle need no training; the oracle stops at the first loop that is right.',
  };
}

/** What was tried on the tuning split. */
export function tuningTable({ tuning, rows }: StudyResult): Table {
  const tried = tuning.filter(({ trials }) => trials.length > 0);
  const chosen = (arm: string): string => {
    const trial = rows.find((row) => row.arm === arm)?.trial;
    return trial ? describeTrial(trial) : '–';
  };
  return {
    title: 'Settings tried',
    columns: ['arm', 'area on the tuning split', 'chosen'],
    rows: tried.map(({ arm, trials }) => [
      titleOf({ rows } as StudyResult, arm),
      trials.map(({ trial, area }) => `${Object.values(trial).join(', ')}: ${percent(area, 2)}`).join('; '),
      chosen(arm),
    ]),
    note: 'The same number of trials for every arm, with seeds of their own, at equal tokens.',
  };
}
