/** The figures beside the conversation: means, rates and the bars of exits per loop. */
import { byId, make } from './elements.js';
import { paint } from './loop-colours.js';
import type { Tally } from './tally.js';

const EMPTY = '–';

export class Figures {
  readonly #mean = byId('mean-loops', HTMLElement);
  readonly #saved = byId('saved', HTMLElement);
  readonly #rate = byId('rate', HTMLElement);
  readonly #tokens = byId('tokens', HTMLElement);
  readonly #rows: { row: HTMLElement; bar: HTMLElement; count: HTMLElement }[];

  /** @param loops the model's K */
  constructor(loops: number) {
    byId('all-loops', HTMLElement).textContent = `of ${loops}`;
    this.#rows = Array.from({ length: loops }, (_, i) => {
      const bar = make('div', 'bar');
      const count = make('td', 'count');
      const name = make('th', '', String(i + 1));
      name.scope = 'row';
      const row = make('tr', '', name, make('td', 'track', bar), count);
      paint(row, i + 1, loops);
      return { row, bar, count };
    });
    byId('exits', HTMLTableSectionElement).replaceChildren(...this.#rows.map(({ row }) => row));
  }

  show({ exits, tokens, meanLoops, saved, tokensPerSecond }: Tally): void {
    this.#mean.textContent = meanLoops?.toFixed(2) ?? EMPTY;
    this.#saved.textContent = saved === null ? EMPTY : `${Math.round(100 * saved)} %`;
    this.#rate.textContent = tokensPerSecond?.toFixed(tokensPerSecond < 10 ? 1 : 0) ?? EMPTY;
    this.#tokens.textContent = String(tokens);
    const most = Math.max(1, ...exits);
    for (const [i, { bar, count }] of this.#rows.entries()) {
      const here = exits[i]!;
      bar.style.setProperty('--length', String(here / most));
      count.textContent = tokens === 0 ? EMPTY : `${here} (${Math.round((100 * here) / tokens)} %)`;
    }
  }
}
