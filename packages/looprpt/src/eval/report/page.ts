/**
 * The report: one self-contained HTML page. It loads nothing from anywhere, and its content policy forbids it to.
 * `reportJson` is the same without the drawing.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { ComparisonResult } from '../result.js';
import { differenceTable } from './difference-table.js';
import { type Canvas, NARROW_WIDTH, openCanvas } from './figures/canvas.js';
import type { Figure } from './figures/figure.js';
import { count, fixed } from './format.js';
import type { Headline } from './headline.js';
import { type Html, html, trusted } from './html.js';
import type { ReportInput, ReportRun } from './input.js';
import { pageShell } from './page-shell.js';
import { planReport, type ReportPlan } from './plan.js';
import { resultTables } from './result-tables.js';

/** Writes the page to `path`, whole or not at all. */
export async function writeReport(input: ReportInput, path: string): Promise<void> {
  const page = await reportPage(input);
  const temporary = `${path}.partial`;
  rmSync(temporary, { force: true });
  const descriptor = openSync(temporary, 'wx');
  writeFileSync(descriptor, page);
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(temporary, path);
}

export interface ReportJson {
  title: string;
  command: string;
  notes: string[];
  headline: Headline;
  comparisons: ComparisonResult[];
  figures: { id: string; title: string; caption: string; data: unknown }[];
}

/** What `report --json` prints: the tables and the figures' data. */
export function reportJson(input: ReportInput): ReportJson {
  const plan = planReport(input);
  return {
    title: input.title,
    command: input.command,
    notes: input.notes,
    headline: plan.headline,
    comparisons: input.comparisons,
    figures: plan.figures.map(({ id, title, caption, data }) => ({ id, title, caption, data })),
  };
}

export async function reportPage(input: ReportInput): Promise<string> {
  const plan = planReport(input);
  const canvases = { wide: await openCanvas(), narrow: await openCanvas(NARROW_WIDTH) };
  const { all, others } = resultTables(plan);
  return pageShell({
    title: input.title,
    byline: byline(input),
    sections: html`${input.verdict ? html`<p class="verdict">${input.verdict}</p>` : ''}
${all}
${input.notes.length > 0 ? html`<ul>${input.notes.map((note) => html`<li>${note}</li>`)}</ul>` : ''}
${plan.figures.map((figure) => figureSection(figure, canvases))}
${tablesSection([...others, differenceTable(input.comparisons)])}
${configurationSection(input.runs, plan)}
${makingSection(input, plan)}`,
  });
}

function byline({ runs, madeAt }: ReportInput): string {
  const evaluation = runs.find((run) => run.evaluation)?.evaluation;
  const on = evaluation ? `, evaluated on ${count(evaluation.tokens)} tokens of ${evaluation.data}` : '';
  const when = madeAt ? `, ${madeAt.toISOString().slice(0, 10)}` : '';
  return `${runs.length} ${runs.length === 1 ? 'model' : 'models'}${on}${when}`;
}

/** All tables but the first, folded. */
function tablesSection(tables: readonly (Html | string)[]): Html | string {
  const there = tables.filter((table) => table !== '');
  return there.length === 0 ? '' : html`<section><h2>More tables</h2>\n${there}</section>`;
}

type Canvases = Record<'wide' | 'narrow', Canvas>;

/** The figure twice, drawn for a wide page and for a phone; the style sheet shows one of them. */
function figureSection(figure: Figure, canvases: Canvases): Html {
  const drawn = Object.entries(canvases).map(
    ([name, canvas]) => html`<div class="${name}">${trusted(figure.draw(canvas))}</div>`,
  );
  return html`<section id="${figure.id}"><h2>${figure.title}</h2>
<figure>${drawn}<figcaption>${figure.caption}</figcaption></figure></section>
`;
}

function configurationSection(runs: readonly ReportRun[], { series }: ReportPlan): Html | string {
  const configured = runs.flatMap(({ config }, index) =>
    config === undefined ? [] : [{ name: series[index]!.name, config }],
  );
  if (configured.length === 0) return '';
  return html`<section><h2>Configuration</h2>
${configured.map(
  ({
    name,
    config,
  }) => html`<details><summary>${name}</summary><pre>${JSON.stringify(config, undefined, 2)}</pre></details>
`,
)}</section>`;
}

function makingSection({ command, versions = {}, runs }: ReportInput, { series }: ReportPlan): Html {
  const entries = Object.entries(versions);
  return html`<section><h2>How it was made</h2>
<dl><dt>command</dt><dd><code>${command}</code></dd>
${runs.map(
  (run, index) => html`<dt>${series[index]!.name}</dt><dd>${describeRun(run)}</dd>
`,
)}${entries.length > 0 ? html`<dt>versions</dt><dd>${entries.map(([name, version]) => `${name} ${version}`).join(', ')}</dd>` : ''}
</dl></section>`;
}

function describeRun({ metrics, config, replicates = [], evaluation }: ReportRun): string {
  const last = metrics.at(-1);
  const seed = seedOf(config);
  const skipped = metrics.filter((record) => record.skipped).length;
  const seeds = replicates.length + (evaluation ? 1 : 0);
  return [
    last ? `${count(last.step)} steps, ${count(last.tokens)} tokens, ${fixed(last.seconds, 0)} s` : 'evaluated only',
    ...(seed === undefined ? [] : [`seed ${seed}`]),
    ...(seeds > 1 ? [`evaluated with ${seeds} seeds`] : []),
    ...(skipped > 0 ? [`${count(skipped)} steps skipped as not finite`] : []),
    ...(evaluation ? [`difficulty by ${evaluation.reference}`] : []),
  ].join(', ');
}

function seedOf(config: unknown): number | undefined {
  if (typeof config !== 'object' || config === null || !('seed' in config)) return undefined;
  return typeof config.seed === 'number' ? config.seed : undefined;
}
