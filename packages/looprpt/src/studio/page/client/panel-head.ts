/** What every panel has in common: its title with the buttons that keep it as a file, and the line where the reader points. */

import { standaloneSvg } from '../../../eval/report/figures/standalone.js';
import { make } from '../../../serve/page/client/elements.js';
import { type Drawn, download, fileName } from './plotting.js';

/** What is written below the title of an exported figure. */
export interface Label {
  name: string;
  color: string;
}

export interface Exports {
  /** Null while nothing is drawn. */
  svg: () => { drawn: Drawn; labels: readonly Label[] } | null;
  csv: () => string;
}

export function panelHead(title: string, exports: Exports): HTMLElement {
  const svg = make('button', 'quiet', 'SVG');
  const csv = make('button', 'quiet', 'CSV');
  for (const [button, what] of [
    [svg, 'the figure as SVG'],
    [csv, 'the numbers as CSV'],
  ] as const) {
    button.type = 'button';
    button.setAttribute('aria-label', `${title}: ${what}`);
  }
  svg.addEventListener('click', () => {
    const shown = exports.svg();
    if (shown) download(fileName(title, 'svg'), 'image/svg+xml', svgText(shown.drawn, title, shown.labels));
  });
  csv.addEventListener('click', () => download(fileName(title, 'csv'), 'text/csv', exports.csv()));
  return make('div', 'panel-head', make('h2', '', title), svg, csv);
}

/** Puts the line where `step` is in a plot; takes it away where that is nowhere. */
export function placeHair(hair: HTMLElement, svg: Drawn | null, step: number | null): void {
  const at = step === null ? Number.NaN : Number(svg?.scale('x')?.apply(step));
  hair.hidden = !Number.isFinite(at);
  hair.style.setProperty('--at', `${at}px`);
}

/** The figure as a file: with the names of what it shows, colours that need no page. */
function svgText(svg: Drawn, title: string, labels: readonly Label[]): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const [width, height] = [Number(svg.getAttribute('width')), Number(svg.getAttribute('height'))];
  const rows = [{ name: title, color: 'currentColor' }, ...labels];
  copy.setAttribute('viewBox', `0 ${-16 * rows.length} ${width} ${height + 16 * rows.length}`);
  copy.setAttribute('height', String(height + 16 * rows.length));
  copy.setAttribute('font-family', 'system-ui, sans-serif');
  copy.setAttribute('font-size', '11');
  rows.forEach(({ name, color }, row) => {
    const label = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    label.setAttribute('x', '8');
    label.setAttribute('y', String(-16 * rows.length + 12 + 16 * row));
    label.setAttribute('fill', color);
    label.textContent = name;
    copy.append(label);
  });
  return standaloneSvg(new XMLSerializer().serializeToString(copy));
}
