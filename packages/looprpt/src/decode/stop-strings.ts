/**
 * Text that comes in pieces, cut before the first stop string. What could be the beginning of a stop string is held back
 * until it is known not to be one, so that nothing that was handed out has to be taken back.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  #stopped = false;

  /** @param stops non-empty strings */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** @returns the text that is certain by now; nothing after a stop string */
  push(piece: string): string {
    if (this.#stopped) return '';
    const text = this.#held + piece;
    const found = this.#stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.#stopped = true;
      this.#held = '';
      return text.slice(0, Math.min(...found));
    }
    const held = Math.max(0, ...this.#stops.map((stop) => overlap(text, stop)));
    this.#held = text.slice(text.length - held);
    return text.slice(0, text.length - held);
  }

  /** The text has ended: what was held back. */
  end(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  let length = Math.min(text.length, stop.length - 1);
  while (length > 0 && !text.endsWith(stop.slice(0, length))) length--;
  return length;
}
