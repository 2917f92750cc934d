/**
 * The table at the top of a report, as text cells: for the page, the terminal and Markdown alike.
 * Accuracies and areas are in per cent, cross-entropies in nats.
 */
import { BUCKETS, type Bucket } from '../result.js';
import { percent, spreadText } from './format.js';
import { adaptiveAt, type BreakdownSummary, type ModelSummary, type Spread } from './summary.js';

export interface HeadlineCell {
  text: string;
  /** The best of its column, to the digits shown. */
  best: boolean;
}

export interface Headline {
  columns: string[];
  groups: { title: string; tokens: number; rows: { model: string; cells: HeadlineCell[] }[] }[];
}

interface ColumnPlan {
  title: string;
  digits: number;
  scale: number;
  /** Whether more or less is better; `none` where it is a matter of taste. */
  better: 'more' | 'less' | 'none';
  value(part: BreakdownSummary, model: ModelSummary): Spread | undefined;
}

/** @param tau the threshold of the adaptive columns; every model's nearest one is taken and must be the same to be named */
export function headline(models: readonly ModelSummary[], tau: number): Headline {
  const plans = columnPlans(models, tau);
  const part = (bucket: Bucket | 'all') => (model: ModelSummary) =>
    bucket === 'all' ? model.all : model.buckets[bucket];
  const groups = (['all', ...BUCKETS.toReversed()] as const)
    .map((bucket) => group(bucket === 'all' ? 'All tokens' : `${bucket} tokens`, models, plans, part(bucket)))
    .filter(({ tokens }) => tokens > 0);
  return { columns: plans.map(({ title }) => title), groups };
}

function columnPlans(models: readonly ModelSummary[], tau: number): ColumnPlan[] {
  const loops = Math.max(0, ...models.map((model) => model.loops));
  const perLoop = Array.from(
    { length: loops },
    (_, index): ColumnPlan => ({
      title: `loop ${index + 1}`,
      digits: 2,
      scale: 100,
      better: 'more',
      value: (part) => part.perLoop[index]?.accuracy,
    }),
  );
  const taus = new Set(models.map(({ all }) => adaptiveAt(all, tau)?.tau));
  const at = taus.size === 1 ? `τ = ${[...taus][0] ?? '–'}` : `τ ≈ ${tau}`;
  const adaptive = (pick: 'accuracy' | 'meanLoops') => (part: BreakdownSummary) => adaptiveAt(part, tau)?.[pick];
  const within = (models[0]?.all.frontier?.within ?? []).map(
    ({ loops }, index): ColumnPlan => ({
      title: `≤ ${loops} loops`,
      digits: 2,
      scale: 100,
      better: 'more',
      value: (part) => part.frontier?.within[index]?.accuracy,
    }),
  );
  const plans: ColumnPlan[] = [
    ...perLoop,
    { title: `at ${at}`, digits: 2, scale: 100, better: 'more', value: adaptive('accuracy') },
    { title: 'mean loops', digits: 2, scale: 1, better: 'none', value: adaptive('meanLoops') },
    { title: 'frontier', digits: 2, scale: 100, better: 'more', value: (part) => part.frontier?.area },
    ...within,
    { title: 'area', digits: 2, scale: 100, better: 'more', value: (part) => part.area.gate },
    ...(models[0]?.all.drafts?.acceptance ?? []).map(
      (_, index): ColumnPlan => ({
        title: `drafts right, loop ${index + 1}`,
        digits: 1,
        scale: 100,
        better: 'more',
        value: (part) => part.drafts?.acceptance[index],
      }),
    ),
    { title: 'passes with drafts', digits: 2, scale: 1, better: 'less', value: (part) => part.drafts?.passes },
    {
      title: 'cross-entropy',
      digits: 3,
      scale: 1,
      better: 'less',
      value: (part, model) => part.perLoop[model.loops - 1]?.crossEntropy,
    },
  ];
  return plans.filter(({ value }) => models.some((model) => value(model.all, model) !== undefined));
}

function group(
  title: string,
  models: readonly ModelSummary[],
  plans: readonly ColumnPlan[],
  pick: (model: ModelSummary) => BreakdownSummary,
): Headline['groups'][number] {
  const values = models.map((model) => plans.map((plan) => plan.value(pick(model), model)));
  const best = plans.map((plan, column) =>
    bestText(
      plan,
      values.map((row) => row[column]),
    ),
  );
  return {
    title: title.charAt(0).toUpperCase() + title.slice(1),
    tokens: Math.max(0, ...models.map((model) => pick(model).tokens)),
    rows: models.map(({ name }, row) => ({
      model: name,
      cells: plans.map(({ digits, scale }, column) => {
        const value = values[row]![column];
        const text = value === undefined ? '–' : spreadText(value, digits, scale);
        return { text, best: value !== undefined && shown(value, digits, scale) === best[column] };
      }),
    })),
  };
}

function bestText({ better, digits, scale }: ColumnPlan, values: (Spread | undefined)[]): string | undefined {
  const means = values.flatMap((value) => (value && Number.isFinite(value.mean) ? [value.mean] : []));
  if (better === 'none' || means.length < 2) return undefined;
  return shown({ mean: better === 'more' ? Math.max(...means) : Math.min(...means) }, digits, scale);
}

function shown({ mean }: Spread, digits: number, scale: number): string {
  return scale === 100 ? percent(mean, digits) : spreadText({ mean }, digits, scale);
}
