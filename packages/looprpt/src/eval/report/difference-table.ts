/** The differences of a report, each judged in words by its interval. */
import type { ComparisonResult } from '../result.js';
import { aboutIntervals, intervalText, signed } from './format.js';
import { type Html, html } from './html.js';

/** @returns nothing where there is none to show */
export function differenceTable(comparisons: readonly ComparisonResult[]): Html | string {
  if (comparisons.length === 0) return '';
  return html`<details><summary>Differences between models</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Differences"><table>
<thead><tr><th>difference</th><th class="words">metric</th><th>estimate</th><th>interval</th><th>documents</th><th class="words">verdict</th></tr></thead>
<tbody>${comparisons.map(row)}</tbody>
</table></div>
<p class="muted">On the same tokens: ${aboutIntervals(comparisons).join('; ')}. Not told apart: the interval holds zero.</p></details>`;
}

function row(comparison: ComparisonResult): Html {
  const { a, b, metric, delta, documents = '–' } = comparison;
  const { scale, unit, digits } = isEntropy(metric)
    ? { scale: 1, unit: 'nats', digits: 3 }
    : { scale: 100, unit: 'points', digits: 2 };
  return html`<tr><td title="${a} − ${b}">${a} − ${b}</td><td class="words">${metric}</td>
<td>${signed(scale * delta, digits)} ${unit}</td><td>${intervalText(comparison, digits, scale)}</td><td>${documents}</td>
<td class="words">${inWords(comparison)}</td></tr>
`;
}

/** better, worse or not told apart; of a cross-entropy less is better. */
function inWords({ metric, low, high }: ComparisonResult): string {
  if (low === null || high === null) return 'no interval';
  if (low <= 0 && high >= 0) return 'not told apart';
  return low > 0 === !isEntropy(metric) ? 'better' : 'worse';
}

function isEntropy(metric: string): boolean {
  return /entropy/i.test(metric);
}
