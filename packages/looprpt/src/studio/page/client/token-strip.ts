/**
 * A text under one model, each token painted by the loop at which it leaves. One token takes part in tabbing; the arrow keys go on from
 * there, and Enter or a click chooses it.
 */
import { counted as countOf, make } from '../../../serve/page/client/elements.js';
import { paint } from '../../../serve/page/client/loop-colours.js';
import type { TextSeen } from '../../models/protocol.js';
import { type Counted, exitLoop, meansOf } from './seen.js';

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 };

export class TokenStrip {
  readonly element: HTMLElement;
  readonly seen: TextSeen;
  readonly #tokens: HTMLElement[];
  readonly #counted: Counted;
  readonly #means = make('p', 'muted');
  readonly #onChoice: (index: number) => void;
  /** How each token is painted: its loop, negative where it is marked as changed. */
  readonly #painted: Int16Array;
  #current = 0;
  #marked: number | null = null;

  /** @param counted tokens that are judged; the means are of them */
  constructor(seen: TextSeen, counted: Counted, onChoice: (index: number) => void) {
    this.seen = seen;
    this.#counted = counted;
    this.#onChoice = onChoice;
    this.#tokens = seen.tokens.map(({ text }, index) => {
      const token = make('span', `token${text.includes('\n') ? ' break' : ''}`, text);
      token.setAttribute('role', 'option');
      token.setAttribute('aria-selected', 'false');
      token.dataset.index = String(index);
      token.classList.toggle('counted', counted?.has(index) === true);
      token.tabIndex = index === 0 ? 0 : -1;
      return token;
    });
    this.#painted = new Int16Array(this.#tokens.length);
    const strip = make('div', 'tokens', ...this.#tokens);
    strip.setAttribute('role', 'listbox');
    strip.setAttribute('aria-orientation', 'horizontal');
    strip.setAttribute('aria-label', `Tokens under ${seen.model}; the arrow keys go from one to the next`);
    strip.addEventListener('click', ({ target }) => this.#choose(target));
    strip.addEventListener('keydown', (event) => this.#key(event));
    this.element = make('section', 'strip', make('h2', '', seen.model), this.#means, strip);
  }

  /** Paints the tokens for a threshold. @param changed those that another model says otherwise */
  show(threshold: number, changed: ReadonlySet<number>): void {
    const { tokens, loops: all } = this.seen;
    for (const [index, token] of this.#tokens.entries()) {
      const { loops } = tokens[index]!;
      if (loops === null) continue;
      const loop = exitLoop(loops, threshold);
      const isChanged = changed.has(index);
      const painted = isChanged ? -loop : loop;
      // A slider moves few of a long text's tokens.
      if (this.#painted[index] === painted) continue;
      this.#painted[index] = painted;
      token.classList.toggle('changed', isChanged);
      token.dataset.loops = String(loop);
      const words = `${loop} of ${all} loops${isChanged ? ', changed' : ''}`;
      token.setAttribute('aria-description', words);
      token.title = words;
      paint(token, loop, all);
    }
    const means = meansOf(this.seen, threshold, this.#counted);
    this.#means.textContent = means
      ? `${means.loops.toFixed(2)} of ${all} loops a token, ${(-means.logprob).toFixed(3)} nats a token${this.#ofWhich}`
      : 'one token: nothing came before it';
  }

  get #ofWhich(): string {
    return this.#counted ? `, over the ${countOf(this.#counted.size, 'token')} in bold that the loss is of` : '';
  }

  mark(index: number): void {
    for (const [at, isMarked] of [
      [this.#marked, false],
      [index, true],
    ] as const)
      if (at !== null) this.#tokens[at]?.setAttribute('aria-selected', String(isMarked));
    this.#marked = index;
    this.#move(index, false);
  }

  #choose(target: EventTarget | null): void {
    const token = target instanceof HTMLElement ? target.closest<HTMLElement>('.token') : null;
    if (token) this.#onChoice(Number(token.dataset.index));
  }

  #key(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    if (step !== undefined) this.#move(this.#current + step, true);
    else if (event.key === 'Home') this.#move(0, true);
    else if (event.key === 'End') this.#move(this.#tokens.length - 1, true);
    else if (event.key === 'Enter' || event.key === ' ') this.#onChoice(this.#current);
    else return;
    event.preventDefault();
  }

  #move(index: number, takesFocus: boolean): void {
    const next = this.#tokens[index];
    if (!next) return;
    this.#tokens[this.#current]!.tabIndex = -1;
    next.tabIndex = 0;
    this.#current = index;
    if (takesFocus) next.focus();
  }
}
