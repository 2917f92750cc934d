/**
 * The tables of results: one at the top of the page, over all tokens and with ten models at most, the first of which is the reference;
 * by difficulty, and with all models where they are more, folded below.
 */
import { count } from './format.js';
import type { Headline } from './headline.js';
import { type Html, html } from './html.js';
import type { ReportPlan } from './plan.js';

const MOST_ROWS = 10;

type Group = Headline['groups'][number];

export interface ResultTables {
  all: Html | string;
  others: Html[];
}

export function resultTables({ headline, series }: ReportPlan): ResultTables {
  const [all, ...byDifficulty] = headline.groups;
  if (all === undefined) return { all: '', others: [] };
  const swatch = (name: string): string => series.find((candidate) => candidate.name === name)!.style.color;
  const table = (title: string, groups: readonly Group[]): Html => tableOf(title, headline.columns, groups, swatch);
  const folded = (title: string, groups: readonly Group[]): Html =>
    html`<details><summary>${title}</summary>\n${table(title, groups)}</details>\n`;
  const area = headline.columns.indexOf('area');
  const shown = all.rows.length <= MOST_ROWS ? all : { ...all, rows: bestOf(all.rows, area) };
  return {
    all: html`<section><h2>Results</h2>
${table('Results', [shown])}
${shown === all ? '' : html`<p class="muted">The reference and the best ${MOST_ROWS - 1} of ${all.rows.length} models by area; all of them stand below.</p>`}
<p class="muted">Accuracy of the next token, in per cent: after every loop, and stopped by the gate at the threshold, with the mean loops that it took.
Frontier: the best accuracy at no more than d mean loops, mean over d from 1 to K. Area: mean accuracy over 1 to K mean loops along the gate's curve. Cross-entropy: at the last loop, in nats. Best of each column in bold.</p></section>`,
    others: [
      ...(shown === all ? [] : [folded(`All ${all.rows.length} models`, [all])]),
      ...(byDifficulty.length > 0 ? [folded('By difficulty', byDifficulty)] : []),
    ],
  };
}

/** The reference and those with the largest area, in their order. */
function bestOf(rows: Group['rows'], area: number): Group['rows'] {
  const value = ({ cells }: Group['rows'][number]): number => Number.parseFloat(cells[area]?.text ?? '') || 0;
  const best = new Set(
    rows
      .slice(1)
      .sort((a, b) => value(b) - value(a))
      .slice(0, MOST_ROWS - 1),
  );
  return rows.filter((row, i) => i === 0 || best.has(row));
}

function tableOf(
  title: string,
  columns: readonly string[],
  groups: readonly Group[],
  swatch: (model: string) => string,
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${title}"><table>
<thead><tr><th>model</th>${columns.map((column) => html`<th>${column}</th>`)}</tr></thead>
${groups.map(
  ({ title, tokens, rows }) => html`<tbody>
<tr class="group"><th colspan="${columns.length + 1}">${title} (${count(tokens)})</th></tr>
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
</table></div>`;
}
