/**
 * Makes a figure's SVG fit to stand alone in a file: on an opaque background, with light colours written out (for
 * programs that know no CSS variables), and a style sheet that exchanges them where the reader prefers dark.
 */
import { THEME } from './palette.js';

/** @param svg a figure as drawn for a page: a root `<svg>` with a viewBox, colours as CSS variables */
export function standaloneSvg(svg: string): string {
  const literal = svg.replaceAll(/var\(--([a-z0-9-]+)\)/g, (whole, name: string) =>
    name in THEME ? THEME[name as keyof typeof THEME].light : whole,
  );
  const rules = Object.values(THEME).map(
    ({ light, dark }) => `[fill="${light}"] { fill: ${dark} } [stroke="${light}"] { stroke: ${dark} }`,
  );
  const style = `<style>@media (prefers-color-scheme: dark) { svg { color: ${THEME.ink.dark} } ${rules.join(' ')} }</style>`;
  const background = `<rect width="100%" height="100%" fill="${THEME.surface.light}"/>`;
  return `${literal.replace(/^<svg[^>]*>/, (open) => open + style + background)}\n`;
}
