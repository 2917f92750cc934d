/** The report page's style sheet and its one script: follow the reader's preference for dark or light, or the button. */
import { themeVariables } from './figures/palette.js';

const DARK = `color-scheme: dark; --panel: #1b1f24; --rule: #353c44; --edge: #5d6772; --accent-soft: #1d2b38; ${themeVariables('dark')}`;
const LIGHT = `color-scheme: light; --panel: #f6f8fa; --rule: #d3d9df; --edge: #a9b3bd; --accent-soft: #e8f2f9; ${themeVariables('light')}`;

export const PAGE_STYLE = `
:root { ${LIGHT} }
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) { ${DARK} } }
:root[data-theme="dark"] { ${DARK} }
@media print { :root:root { ${LIGHT} } button { display: none } }
* { box-sizing: border-box }
body { margin: 0; background: var(--surface); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif }
main, header { max-width: 1040px; margin: 0 auto; padding: 0 40px }
header { display: flex; align-items: baseline; gap: 24px; padding-top: 36px }
h1 { flex: 1; font-size: 26px; line-height: 1.25; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 18px; margin: 44px 0 6px; padding-top: 18px; border-top: 1px solid var(--rule) }
p { margin: 6px 0 12px; max-width: 78ch }
.muted, figcaption, .byline { color: var(--ink-muted) }
.byline { font-size: 13.5px; margin: 4px 0 20px }
button { font: inherit; font-size: 13px; color: var(--ink); background: var(--panel); border: 1px solid var(--rule);
  border-radius: 6px; padding: 4px 12px; cursor: pointer }
figure { margin: 14px 0 8px }
figure svg { display: block; width: 100%; height: auto }
figure svg text { white-space: pre }
figcaption { font-size: 13.5px; margin-top: 6px; max-width: 90ch }
.verdict { font-size: 18px; line-height: 1.5; margin: 0 0 20px; max-width: 72ch }
.scroll { overflow-x: auto; background: linear-gradient(var(--surface), var(--surface)) no-repeat right / 24px 100% local,
  linear-gradient(to right, transparent, var(--edge)) no-repeat right / 24px 100% scroll }
details .scroll { background-image: linear-gradient(var(--panel), var(--panel)), linear-gradient(to right, transparent, var(--edge)) }
.scroll:focus-visible, summary:focus-visible, button:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px }
.narrow { display: none; max-width: 640px }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; min-width: 60%; margin: 10px 0 }
th, td { text-align: right; padding: 5px 12px; white-space: nowrap }
th { font-weight: 600 }
th:first-child, td:first-child, td.words, th.words { text-align: left }
td:first-child { white-space: normal; min-width: 120px; max-width: 340px; overflow-wrap: anywhere }
thead { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink) }
table { border-bottom: 1.5px solid var(--ink) }
tr.group th { text-align: left; padding-top: 12px; color: var(--ink-muted); font-weight: 600; font-size: 13px }
td strong { font-weight: 700 }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 8px }
details > .scroll, details > p { margin: 4px 14px 10px }
details { margin: 8px 0; border: 1px solid var(--rule); border-radius: 6px; background: var(--panel) }
summary { padding: 7px 14px; cursor: pointer }
pre { margin: 0; padding: 10px 16px; white-space: pre-wrap; overflow-wrap: anywhere; font: 12.5px/1.5 ui-monospace, Menlo, Consolas, monospace }
code { font: 13px ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere }
ul { padding-left: 20px; max-width: 90ch }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; font-size: 14px }
dt { color: var(--ink-muted); overflow-wrap: anywhere }
dd { margin: 0; overflow-wrap: anywhere }
footer { height: 60px }
@media (max-width: 860px) {
  .wide { display: none }
  .narrow { display: block }
}
@media (max-width: 700px) {
  main, header { padding-left: 16px; padding-right: 16px }
  th, td { padding: 5px 8px }
  dl { grid-template-columns: minmax(0, 2fr) minmax(0, 3fr) }
}
`;

export const PAGE_SCRIPT = `
const root = document.documentElement;
const button = document.getElementById('theme');
const isDark = () => root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
const label = () => { button.textContent = isDark() ? 'Light' : 'Dark'; };
button.addEventListener('click', () => { root.dataset.theme = isDark() ? 'light' : 'dark'; label(); });
label();
`;
