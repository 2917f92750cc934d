/**
 * An answer on the page: its tokens, each painted by its loops and explained by a tip, under the pointer or at the keyboard.
 * One token of an answer takes part in tabbing; the arrow keys go on from there.
 */
import { counted, make } from './elements.js';
import { paint } from './loop-colours.js';
import type { Piece } from './server.js';

const STEPS: Readonly<Record<string, (at: number, last: number) => number>> = {
  ArrowRight: (at, last) => Math.min(at + 1, last),
  ArrowLeft: (at) => Math.max(at - 1, 0),
  Home: () => 0,
  End: (_, last) => last,
};

/** A token may be a line break, or half a letter whose text comes with the next one: there is something to see all the same. */
function kindOf(text: string): string {
  if (text === '') return 'part';
  if (text.includes('\n')) return 'break';
  return text.trim() === '' ? 'space' : '';
}

/** Spaces before a word stay unpainted: where the line ends there, they would be a box of their own that says nothing. */
const SPACES = /^ +(?=\S)/;

export class Answer {
  readonly element: HTMLElement;
  readonly #tokens: HTMLElement;
  readonly #note: HTMLElement;
  readonly #tip: HTMLElement;
  readonly #loops: number;
  #pieces: Piece[] = [];
  #current: HTMLElement | null = null;

  /** @param loops the model's K @param tip one for the whole page, filled and moved to the token at hand */
  constructor(loops: number, tip: HTMLElement) {
    this.#loops = loops;
    this.#tip = tip;
    this.#tokens = make('div', 'tokens');
    this.#tokens.setAttribute('role', 'group');
    this.#tokens.setAttribute('aria-label', 'Answer, token by token; the arrow keys go from one to the next');
    this.#note = make('p', 'note');
    this.element = make('div', 'answer busy', this.#tokens, this.#note);
    this.#tokens.addEventListener('keydown', (event) => this.#step(event));
    for (const type of ['pointerover', 'focusin'] as const)
      this.#tokens.addEventListener(type, ({ target }) => this.#showTip(target));
    for (const type of ['pointerout', 'focusout'] as const)
      this.#tokens.addEventListener(type, () => {
        this.#tip.hidden = true;
      });
  }

  get text(): string {
    return this.#pieces.map(({ text }) => text).join('');
  }

  get pieces(): readonly Piece[] {
    return this.#pieces;
  }

  /** How it ended, where that is worth a word. */
  get note(): string {
    return this.#note.textContent;
  }

  get isBusy(): boolean {
    return this.element.classList.contains('busy');
  }

  add(pieces: readonly Piece[]): void {
    this.#pieces.push(...pieces);
    this.#tokens.append(
      ...pieces.flatMap(({ text, loops, drafted }) => {
        if (loops === null) return text;
        const [spaces = ''] = SPACES.exec(text) ?? [];
        const token = this.#token(text, loops, drafted);
        return spaces === '' ? token : [spaces, token];
      }),
    );
  }

  /** @param note how it ended, where that is worth a word */
  end(note: string): void {
    this.element.classList.remove('busy');
    this.#note.textContent = note;
  }

  /** A draft is painted by the loop that it was right at. */
  #token(text: string, loop: number, drafted: number | null): HTMLElement {
    const token = make('span', `token ${kindOf(text)}${drafted === null ? '' : ' drafted'}`, text.replace(SPACES, ''));
    token.dataset.text = text;
    token.dataset.loops = String(drafted ?? loop);
    token.tabIndex = this.#current === null ? 0 : -1;
    this.#current ??= token;
    token.setAttribute('aria-description', this.#describe(token));
    paint(token, drafted ?? loop, this.#loops);
    return token;
  }

  #describe({ dataset, classList }: HTMLElement): string {
    const loops = `${dataset.loops} of ${counted(this.#loops, 'loop')}`;
    return classList.contains('drafted') ? `right after ${loops}` : loops;
  }

  #step(event: KeyboardEvent): void {
    const tokens = [...this.#tokens.querySelectorAll<HTMLElement>('.token')];
    const next = tokens[STEPS[event.key]?.(tokens.indexOf(this.#current!), tokens.length - 1) ?? -1];
    if (!next) return;
    event.preventDefault();
    this.#current!.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    this.#current = next;
  }

  #showTip(target: EventTarget | null): void {
    if (!(target instanceof HTMLElement && target.dataset.loops)) return;
    this.#tip.replaceChildren(
      make('strong', '', this.#describe(target)),
      make('code', '', JSON.stringify(target.dataset.text)),
    );
    this.#tip.hidden = false;
    // The first line of a token that is broken over two.
    const box = target.getClientRects()[0] ?? target.getBoundingClientRect();
    const half = this.#tip.offsetWidth / 2;
    const left = Math.min(Math.max(box.left + box.width / 2, half + 8), innerWidth - half - 8);
    const above = box.top > this.#tip.offsetHeight + 12;
    this.#tip.style.setProperty('--left', `${left}px`);
    this.#tip.style.setProperty('--top', `${above ? box.top - this.#tip.offsetHeight - 6 : box.bottom + 6}px`);
  }
}
