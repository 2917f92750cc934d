/**
 * How a number of loops looks: a hue from the report's palette, and the height of a bar below the token, so that nothing is
 * said by colour alone. Set as CSS variables, which the content policy allows where it forbids style attributes.
 */
import { loopColor } from '../../../eval/report/figures/palette.js';
import { make } from './elements.js';

/** @param loop 1..loops */
export function paint(element: HTMLElement, loop: number, loops: number): void {
  element.style.setProperty('--loop-colour', loopColor(loop, loops));
  element.style.setProperty('--loop-share', String(loop / loops));
}

/** One swatch a loop, fewest first. */
export function legend(loops: number): HTMLElement[] {
  return Array.from({ length: loops }, (_, i) => {
    const swatch = make('span', 'token swatch', String(i + 1));
    paint(swatch, i + 1, loops);
    return make('li', '', swatch);
  });
}
