/** The report of one study: a self-contained HTML page, drawn from its outcome. It loads nothing from anywhere. */
import { openCanvas } from 'looprpt/internal/eval/report/figures/canvas.js';
import { type Html, html, trusted } from 'looprpt/internal/eval/report/html.js';
import { pageShell } from 'looprpt/internal/eval/report/page-shell.js';
import { claimInterval, statements } from './claims.js';
import { facts } from './facts.js';
import { studyFigures } from './figures/study-figures.js';
import type { StudyResult } from './result.js';
import { shownArms } from './shown.js';
import { armTable, budgetsOf, detailTable, ruleTable, type Table, tuningTable } from './table.js';
import { verdict } from './verdict.js';

export async function studyPage(result: StudyResult): Promise<string> {
  const canvas = await openCanvas();
  const { study } = result;
  return pageShell({
    title: study.title,
    byline: html`<code>${result.command}</code>`,
    sections: html`<p>${verdict(result).replaceAll('**', '')}</p>
<dl>${facts(result).map(({ what, text }) => html`<dt>${what}</dt><dd>${text}</dd>`)}</dl>
${budgetsOf(result).map((budget) => tableSection(armTable(result, budget)))}
${claimSection(result)}
${studyFigures(result).map(
  (figure) => html`<section id="${figure.id}"><h2>${figure.title}</h2>
<figure>${trusted(figure.draw(canvas))}<figcaption>${figure.caption}</figcaption></figure></section>
`,
)}
${tableSection(detailTable(result))}
${tableSection(ruleTable(result, shownArms(result, 'tokens')))}
${tableSection(tuningTable(result))}
<section><h2>Settings</h2>
${study.arms.map(
  (arm) =>
    html`<details><summary>${arm.title}</summary><pre>${JSON.stringify(arm, undefined, 2)}</pre></details>
`,
)}</section>`,
  });
}

function tableSection({ title, columns, rows, note }: Table): Html | string {
  if (rows.length === 0) return '';
  return html`<section><h2>${title}</h2>
<div class="scroll"><table>
<thead><tr>${columns.map((column) => html`<th>${column}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) => html`<tr>${row.map((cell) => html`<td title="${cell}">${cell}</td>`)}</tr>
`,
  )}</tbody>
</table></div>
<p class="muted">${note}</p></section>`;
}

function claimSection(result: StudyResult): Html | string {
  const made = statements(result);
  if (made.length === 0) return '';
  return html`<section><h2>Claims</h2>
<dl>${made.map(
    ({ claim, verdict: said, parts }) => html`<dt><strong>${said}</strong></dt><dd>${claim}<br>
<span class="muted">${parts.map((part) => `${part.what} ${claimInterval(part)}`).join('; ')}</span></dd>
`,
  )}</dl></section>`;
}
