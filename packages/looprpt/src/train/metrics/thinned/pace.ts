/** How fast a run is: the steps and seconds of training of its last records. */

/** Of how many of the last records the speed is. */
const RECENT = 50;

export class Pace {
  readonly #steps = new Float64Array(RECENT);
  readonly #seconds = new Float64Array(RECENT);
  #count = 0;

  /** @param seconds since the start of training; NaN where that is not known */
  add(step: number, seconds: number): void {
    if (!Number.isFinite(seconds)) return;
    this.#steps[this.#count % RECENT] = step;
    this.#seconds[this.#count % RECENT] = seconds;
    this.#count++;
  }

  /** Oldest first: what `add` takes. */
  get recent(): [step: number, seconds: number][] {
    const first = Math.max(0, this.#count - RECENT);
    return Array.from({ length: this.#count - first }, (_, i) => {
      const at = (first + i) % RECENT;
      return [this.#steps[at]!, this.#seconds[at]!];
    });
  }

  /** Seconds until `steps`; null where there is nothing to tell from. */
  left(steps: number | null): number | null {
    const { recent } = this;
    const [first, last] = [recent[0], recent.at(-1)];
    if (!first || !last || steps === null || last[0] <= first[0]) return null;
    const perStep = (last[1] - first[1]) / (last[0] - first[0]);
    return perStep >= 0 ? Math.max(0, steps - last[0]) * perStep : null;
  }
}
