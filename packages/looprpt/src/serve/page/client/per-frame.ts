/** What arrives faster than it can be drawn, handed over once a frame. */
export class PerFrame<T> {
  readonly #draw: (items: readonly T[]) => void;
  #items: T[] = [];
  #frame: number | null = null;

  constructor(draw: (items: readonly T[]) => void) {
    this.#draw = draw;
  }

  add(...items: readonly T[]): void {
    this.#items.push(...items);
    this.#frame ??= requestAnimationFrame(() => this.flush());
  }

  /** What waits, now. */
  flush(): void {
    if (this.#frame === null) return;
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    const items = this.#items;
    this.#items = [];
    this.#draw(items);
  }
}
