/**
 * The report: one self-contained HTML page. It loads nothing from anywhere, and its content policy forbids it to.
 * `reportJson` is the same without the drawing.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { ComparisonResult } from '../result.js';
import { type Canvas, openCanvas } from './figures/canvas.js';
import type { Figure } from './figures/figure.js';
import { aboutIntervals, count, fixed, intervalText, signed } from './format.js';
import type { Headline } from './headline.js';
import { type Html, html, trusted } from './html.js';
import type { ReportInput, ReportRun } from './input.js';
import { pageShell } from './page-shell.js';
import { planReport, type ReportPlan } from './plan.js';

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
  const canvas = await openCanvas();
  return pageShell({
    title: input.title,
    byline: byline(input),
    sections: html`${input.verdict ? html`<p class="verdict">${input.verdict}</p>` : ''}
${input.notes.length > 0 ? html`<ul>${input.notes.map((note) => html`<li>${note}</li>`)}</ul>` : ''}
${headlineSection(plan)}
${comparisonSection(input.comparisons)}
${plan.figures.map((figure) => figureSection(figure, canvas))}
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

function headlineSection({ headline, series }: ReportPlan): Html | string {
  if (headline.groups.length === 0) return '';
  const swatch = (name: string) => series.find((candidate) => candidate.name === name)!.style.color;
  return html`<section><h2>Results</h2>
<div class="scroll"><table>
<thead><tr><th>model</th>${headline.columns.map((column) => html`<th>${column}</th>`)}</tr></thead>
${headline.groups.map(
  ({ title, tokens, rows }) => html`<tbody>
<tr class="group"><th colspan="${headline.columns.length + 1}">${title} (${count(tokens)})</th></tr>
${rows.map(
  ({
    model,
    cells,
  }) => html`<tr><td title="${model}"><span class="swatch" style="background: ${swatch(model)}"></span>${model}</td>${cells.map(
    ({ text, best }) => html`<td>${best ? html`<strong>${text}</strong>` : text}</td>`,
  )}</tr>
`,
)}</tbody>`,
)}
</table></div>
<p class="muted">Accuracy of the next token, in per cent: after every loop, and stopped by the gate at the threshold, with the mean loops that it took.
Area: mean accuracy over 1 to K mean loops along the gate's curve. Cross-entropy: at the last loop, in nats. Best of each column in bold.</p></section>`;
}

function comparisonSection(comparisons: readonly ComparisonResult[]): Html | string {
  if (comparisons.length === 0) return '';
  return html`<section><h2>Differences</h2>
<div class="scroll"><table>
<thead><tr><th>difference</th><th class="words">metric</th><th>estimate</th><th>interval</th><th>documents</th><th class="words"></th></tr></thead>
<tbody>${comparisons.map((comparison) => {
    const { scale, unit, digits } = /entropy/i.test(comparison.metric)
      ? { scale: 1, unit: 'nats', digits: 3 }
      : { scale: 100, unit: 'points', digits: 2 };
    const { low, high, documents = '–' } = comparison;
    const says =
      low === null || high === null ? 'no interval' : low > 0 || high < 0 ? 'clear of zero' : 'not clear of zero';
    return html`<tr><td>${comparison.a} − ${comparison.b}</td><td class="words">${comparison.metric}</td>
<td>${signed(scale * comparison.delta, digits)} ${unit}</td><td>${intervalText(comparison, digits, scale)}</td><td>${documents}</td>
<td class="words">${says}</td></tr>
`;
  })}</tbody>
</table></div>
<p class="muted">On the same tokens: ${aboutIntervals(comparisons).join('; ')}.</p></section>`;
}

function figureSection(figure: Figure, canvas: Canvas): Html {
  return html`<section id="${figure.id}"><h2>${figure.title}</h2>
<figure>${trusted(figure.draw(canvas))}<figcaption>${figure.caption}</figcaption></figure></section>
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
