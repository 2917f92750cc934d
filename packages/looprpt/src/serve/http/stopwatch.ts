/** The times of one generation request, for the metrics: its first token, its texts' pace, its end. */
import type { Metrics } from './metrics.js';

export class Stopwatch {
  readonly #metrics: Metrics;
  readonly #begun = performance.now();
  /** By text. */
  readonly #first = new Map<number, number>();
  readonly #counts = new Map<number, number>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  token(text: number): void {
    const now = performance.now();
    if (this.#first.size === 0) this.#metrics.firstToken.observe((now - this.#begun) / 1000);
    if (!this.#first.has(text)) this.#first.set(text, now);
    this.#counts.set(text, 1 + (this.#counts.get(text) ?? 0));
  }

  textEnd(text: number): void {
    const steps = (this.#counts.get(text) ?? 0) - 1;
    if (steps >= 1) this.#metrics.perToken.observe((performance.now() - this.#first.get(text)!) / 1000 / steps);
  }

  end(): void {
    this.#metrics.total.observe((performance.now() - this.#begun) / 1000);
  }
}
