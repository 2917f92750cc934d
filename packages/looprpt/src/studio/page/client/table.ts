/** Tables of text and numbers. */
import { make } from '../../../serve/page/client/elements.js';

/** @param label for those who cannot see what it is beside */
export function table(label: string, titles: readonly string[], rows: readonly HTMLElement[]): HTMLElement {
  const heads = titles.map((title) => {
    const head = make('th', '', title);
    head.scope = 'col';
    return head;
  });
  const whole = make('table', 'plain', make('thead', '', make('tr', '', ...heads)), make('tbody', '', ...rows));
  whole.setAttribute('aria-label', label);
  const box = make('div', 'scroll', whole);
  // What may have to be scrolled is reached by the keyboard.
  box.tabIndex = 0;
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', label);
  return box;
}

/** Text becomes a cell; elements are cells already. */
export function row(...cells: readonly (string | HTMLElement)[]): HTMLElement {
  return make('tr', '', ...cells.map((cell) => (typeof cell === 'string' ? make('td', '', cell) : cell)));
}
