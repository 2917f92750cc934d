/** Pieces of a Markdown page. Bars inside cells are kept. */
export function markdownTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Shown when its summary is clicked. */
export function folded(summary: string, body: string): string {
  return `<details><summary>${summary}</summary>\n\n${body}\n\n</details>`;
}

/** Replaces the named section, or adds it at the end. What stands outside of sections is left alone. */
export function withSection(page: string, name: string, body: string): string {
  const [open, close] = [`<!-- evidence ${name} -->`, `<!-- end of evidence ${name} -->`];
  const section = `${open}\n${body.trim()}\n${close}`;
  const from = page.indexOf(open);
  const to = page.indexOf(close);
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n${section}\n`;
  return page.slice(0, from) + section + page.slice(to + close.length);
}
