/**
 * The text of one sequence as its tokens come: what of it is certain, and whether a stop string has ended it. What the caller
 * asks for is a stream of tokens to text, and which strings end it; what a token is, only that stream knows.
 */
import { StopStrings } from './stop-strings.js';

export interface RequestedText {
  stream: { push(id: number): string; end(): string };
  /** The text ends before the first of these. */
  stop?: readonly string[];
  /** The stop string or stop token that ends the text belongs to it (default false). */
  keepStop?: boolean;
  /** The text of an id that the stream leaves out, for stop strings to see; null for the others. */
  hidden?: (id: number) => string | null;
}

export class SequenceText {
  readonly #wanted: RequestedText | undefined;
  readonly #stops: StopStrings;

  /** @param wanted missing: no text is made */
  constructor(wanted: RequestedText | undefined) {
    this.#wanted = wanted;
    this.#stops = new StopStrings(wanted?.stop ?? [], { keep: wanted?.keepStop ?? false });
  }

  /** A stop string is there. */
  get stopped(): boolean {
    return this.#stops.stopped;
  }

  /** @param mayStop whether stop strings count yet @returns the text that the token makes certain */
  push(id: number, mayStop: boolean): string {
    if (!this.#wanted) return '';
    const { stream, hidden } = this.#wanted;
    const unseen = hidden?.(id) ?? null;
    if (unseen === null) return mayStop ? this.#stops.push(stream.push(id)) : stream.push(id);
    return mayStop ? this.#stops.push(unseen, { hidden: true }) : '';
  }

  /** What is still held belongs to the text, unless it completes a stop string. */
  end(): string {
    return this.#wanted ? this.#stops.push(this.#wanted.stream.end()) + this.#stops.end() : '';
  }

  /** As `end`, for a text that a stop token ended; the token's own text is part of it where that was asked for. */
  endWith(id: number): string {
    if (!this.#wanted?.keepStop) return this.end();
    return this.#stops.end() + this.push(id, false) + this.#wanted.stream.end();
  }
}
