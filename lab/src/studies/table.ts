/** The tables of an outcome as text cells, for the terminal, the page and Markdown alike. Accuracies and areas in per cent. */
import { BUDGETS_SHOWN, frontierArea } from 'looprpt/internal/eval/frontier.js';
import { fixed, percent, signed, spreadText } from 'looprpt/internal/eval/report/format.js';
import { describeTrial } from './arm.js';
import { TAU } from './document-sums.js';
import { BUDGETS, type Budget } from './planner.js';
import {
  bestBaseline,
  decidingMeasure,
  differenceOf,
  type Ends,
  type Part,
  type Reach,
  type Row,
  rowOf,
  type StudyResult,
} from './result.js';

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
  const decides = decidingMeasure(result);
  return {
    title:
      budget === 'tokens'
        ? `Equal tokens: ${study.training.steps} steps each`
        : `Equal compute: the ${study.computeBy === 'cpu' ? 'CPU seconds' : 'training FLOPs'} of ${titleOf(result, study.equalCompute)}`,
    columns: [
      'arm',
      `loops ${loopNumbers(result)}`,
      `at τ = ${TAU}`,
      'frontier',
      ...(decides === 'frontier' ? WITHIN.map((loops) => `≤ ${loops} loops`) : []),
      ...(decides === 'frontier' ? ["loops to the base's best", "loops to the best baseline's best"] : []),
      'area',
      `${decides}, hard`,
      `${decides} − base`,
      `${decides} − best baseline`,
      `${decides} − best baseline, hard`,
      ...(result.rows.some(({ general }) => general) ? ["on the base's own data"] : []),
      'calibration error',
      'steps',
      'TFLOP',
      'CPU s',
    ],
    rows: result.rows.filter((row) => row.budget === budget).map((row) => armCells(result, row)),
    note: `Best baseline: ${title('all')}; on hard tokens: ${title('hard')}.${decides === 'area' ? ` ${OLD_FRONTIER}` : ''}`,
  };
}

/** Budgets of mean loops that have a column. */
const WITHIN: readonly number[] = BUDGETS_SHOWN;

/** What the frontier is where no unit holds one. */
const OLD_FRONTIER =
  'The frontier is that of the mean curve of all seeds, its thresholds chosen on the held-out split itself, so it has no interval.';

/** The columns that answer the question; the others are for who wants to know more. */
const NARROW = ['arm', 'frontier', 'area'];

/** An arm table with its main columns. */
export function narrow({ columns, rows, ...rest }: Table): Table {
  const kept = columns.flatMap((column, i) =>
    NARROW.includes(column) ||
    /^loops [0-9]|^at τ|^≤|^on the base/.test(column) ||
    column.endsWith(' − base') ||
    column.endsWith('best baseline')
      ? [i]
      : [],
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
    percent(row.frontier?.all.mean ?? frontierOfCurve(row, result.loops), 2),
    ...(decidingMeasure(result) === 'frontier'
      ? [
          ...WITHIN.map((loops) => percent(row.frontier!.within.find((one) => one.loops === loops)!.accuracy.mean)),
          reachText(row.frontier!.least.base),
          reachText(row.frontier!.least.best),
        ]
      : []),
    percent(all.area.gate!.mean, 2),
    percent(
      decidingMeasure(result) === 'frontier' ? row.frontier!.hard.mean : (buckets.hard.area.gate?.mean ?? Number.NaN),
      2,
    ),
    pointsText(areaDifference(result, row, 'base', 'all')),
    pointsText(areaDifference(result, row, bestBaseline(result, row.budget, 'all'), 'all')),
    pointsText(areaDifference(result, row, bestBaseline(result, row.budget, 'hard'), 'hard')),
    ...(row.general ? [generalText(result, row)] : []),
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
  const found = rival === undefined ? undefined : differenceOf(result, { a: arm, b: rival, budget, part });
  return found?.measures[decidingMeasure(result)];
}

/** Accuracy at the last loop on the base's own data, with what is gained or lost. */
function generalText(result: StudyResult, { arm, budget, general }: Row): string {
  const last = `accuracy@${result.loops}`;
  const change = differenceOf(result, { a: arm, b: 'base', budget, part: 'general' })?.measures[last];
  return `${percent(general!.accuracy.at(-1)!.mean)}${change ? `, ${pointsText(change, 1)}` : ''}`;
}

/** `1.42`, with the share of seeds that get there unless all do; a dash where none does. */
function reachText({ meanLoops, share }: Reach): string {
  if (meanLoops === null) return '–';
  return `${fixed(meanLoops, 2)}${share === 1 ? '' : ` (${percent(share, 0)} % of seeds)`}`;
}

/** Of the mean curve over seeds, which is all that older outcomes hold. */
export function frontierOfCurve({ summary }: Row, loops: number): number {
  const curve = summary.all.curves.find(({ rule }) => rule === 'gate');
  const points = (curve?.points ?? []).map(({ meanLoops, accuracy }) => ({ meanLoops, accuracy: accuracy.mean }));
  return points.length > 0 ? frontierArea(points, loops) : Number.NaN;
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
export function tuningTable(result: StudyResult): Table {
  const { tuning, rows } = result;
  const tried = tuning.filter(({ trials }) => trials.length > 0);
  const chosen = (arm: string): string => {
    const trial = rows.find((row) => row.arm === arm)?.trial;
    return trial ? describeTrial(trial) : '–';
  };
  return {
    title: 'Settings tried',
    columns: ['arm', `${decidingMeasure(result)} on the tuning split`, 'chosen'],
    rows: tried.map(({ arm, trials }) => [
      titleOf(result, arm),
      trials.map(({ trial, area }) => `${Object.values(trial).join(', ')}: ${percent(area, 2)}`).join('; '),
      chosen(arm),
    ]),
    note: 'The same number of trials for every arm, with seeds of their own, at equal tokens.',
  };
}
