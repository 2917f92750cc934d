/**
 * Text that comes in pieces, cut before the first stop string. What could be the beginning of a stop string is held back
 * until it is known not to be one, so that nothing that was handed out has to be taken back.
 *
 * A piece may be hidden: stop strings see it and nobody else. So the text of a special token ends a text that does not show it.
 * A stop string counts in the text with hidden pieces and in the text without: what is handed out never holds one.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  readonly #isKept: boolean;
  #held: Piece[] = [];
  #stopped = false;

  /** @param stops non-empty strings @param options.keep the stop string that is found belongs to the text (default false) */
  constructor(stops: readonly string[], { keep = false }: { keep?: boolean } = {}) {
    this.#stops = stops;
    this.#isKept = keep;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** @returns the text that is certain by now; nothing after a stop string */
  push(text: string, { hidden = false }: { hidden?: boolean } = {}): string {
    if (this.#stopped) return '';
    this.#held.push({ text, hidden });
    const all = this.#held.map((piece) => piece.text).join('');
    const shown = this.#held.map((piece) => (piece.hidden ? '' : piece.text)).join('');
    const found = this.#stops.flatMap((stop) => [
      { stop, at: indexOf(all, stop) },
      { stop, at: this.#unitsBefore(indexOf(shown, stop)) },
    ]);
    const first = found.reduce((a, b) => (b.at < a.at ? b : a), { stop: '', at: Number.POSITIVE_INFINITY });
    if (first.stop !== '') {
      this.#stopped = true;
      const before = this.#release(first.at);
      this.#held = [];
      return this.#isKept ? before + first.stop : before;
    }
    const certain = (view: string): number =>
      view.length - Math.max(0, ...this.#stops.map((stop) => overlap(view, stop)));
    return this.#release(Math.min(certain(all), this.#unitsBefore(certain(shown))));
  }

  /** The text has ended: what was held back. */
  end(): string {
    return this.#release(Number.POSITIVE_INFINITY);
  }

  /** Units of the text with hidden pieces before the unit `at` of the one without; all of them where that is its end. */
  #unitsBefore(at: number): number {
    let units = 0;
    let left = at;
    for (const { text, hidden } of this.#held) {
      if (!hidden && left < text.length) return units + left;
      units += text.length;
      if (!hidden) left -= text.length;
    }
    return at === Number.POSITIVE_INFINITY ? at : units;
  }

  /** Lets go of so many code units. @returns those that are not hidden */
  #release(units: number): string {
    let shown = '';
    let left = units;
    while (left > 0 && this.#held.length > 0) {
      const { text, hidden } = this.#held.shift()!;
      if (!hidden) shown += text.slice(0, left);
      if (text.length > left) this.#held.unshift({ text: text.slice(left), hidden });
      left -= text.length;
    }
    return shown;
  }
}

interface Piece {
  text: string;
  hidden: boolean;
}

function indexOf(text: string, stop: string): number {
  const at = text.indexOf(stop);
  return at < 0 ? Number.POSITIVE_INFINITY : at;
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  let length = Math.min(text.length, stop.length - 1);
  while (length > 0 && !text.endsWith(stop.slice(0, length))) length--;
  return length;
}
