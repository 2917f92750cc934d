/**
 * The mean of one metric over the last steps of a run: what checkpoints are compared by. It depends on the records alone, so a
 * resumed run, which reads them back, gets the same means.
 */
import { UserError } from '../../base/user-error.js';
import type { MetricsRecord } from './record.js';

export class MetricWindow {
  readonly #values: number[] = [];

  /**
   * @param metric a number of the record, or `parts.NAME`
   * @param steps how many records are looked back at
   */
  constructor(
    readonly metric: string,
    readonly steps: number,
  ) {}

  /** @throws UserError when the run does not measure this metric */
  observe(record: MetricsRecord): void {
    this.#values.push(record.skipped ? Number.NaN : measuredBy(record, this.metric));
    if (this.#values.length > this.steps) this.#values.shift();
  }

  /** Forgets everything and looks back at `history` instead, of which the end matters. */
  refill(history: readonly MetricsRecord[]): void {
    this.#values.length = 0;
    for (const record of history.slice(-this.steps)) this.observe(record);
  }

  /** The mean of those that were measured; null where none was. */
  mean(): number | null {
    const measured = this.#values.filter(Number.isFinite);
    if (measured.length === 0) return null;
    return measured.reduce((sum, value) => sum + value, 0) / measured.length;
  }
}

function measuredBy(record: MetricsRecord, metric: string): number {
  const [group, name] = metric.split('.');
  const value = name === undefined ? record[group as keyof MetricsRecord] : record.parts[name];
  if (typeof value === 'number') return value;
  const parts = Object.keys(record.parts).map((part) => `parts.${part}`);
  throw new UserError(
    `checkpoint.keepBest.metric: this run does not measure ${metric}; it does measure ${['loss', ...parts].join(', ')}`,
  );
}
