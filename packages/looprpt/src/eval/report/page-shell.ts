/** What every page of ours has around its content: one self-contained file, whose content policy forbids it to load anything. */
import { type Html, html, trusted } from './html.js';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-style.js';

export interface PageContent {
  title: string;
  /** The line under the title. */
  byline: Html | string;
  sections: Html;
}

export function pageShell({ title, byline, sections }: PageContent): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${title}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<header><h1>${title}</h1><button id="theme" type="button">Dark</button></header>
<main>
<p class="byline">${byline}</p>
${sections}
</main>
<footer></footer>
<script>${trusted(PAGE_SCRIPT)}</script>
</body>
</html>
`.toString();
}
