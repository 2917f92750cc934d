/**
 * Keeps the digest of a run's metrics in its folder while it trains, so that whoever looks at the run later need not read all of it. Reads
 * the metrics' file rather than the records, and now and then: a step costs nothing, and a resumed run needs no case of its own.
 */
import { dirname, join } from 'node:path';
import type { MetricsRecord, MetricsSink } from '../record.js';
import { DIGEST_FILE, digestBytes, readDigest, writeDigest } from './digest.js';
import { MetricsReading } from './reading.js';
import { MetricsTail } from './tail.js';

const EVERY_MS = 60_000;
const SLICE = 4 << 20;

export class ThinnedLog implements MetricsSink {
  readonly #metrics: string;
  readonly #path: string;
  #reading: MetricsReading | null = null;
  #tail: MetricsTail;
  #saved = Date.now();
  #closed = false;

  /** @param metrics whose sink is written, and closed, before this one */
  constructor(metrics: string) {
    this.#metrics = metrics;
    this.#path = join(dirname(metrics), DIGEST_FILE);
    this.#tail = new MetricsTail(metrics);
  }

  write(_: MetricsRecord): void {
    if (Date.now() - this.#saved >= EVERY_MS) this.#save();
  }

  rewind(): void {
    this.#reading = null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#save();
  }

  #save(): void {
    this.#saved = Date.now();
    if (this.#reading === null) {
      const known = readDigest(this.#path, this.#metrics);
      this.#reading = known?.reading ?? new MetricsReading();
      this.#tail = new MetricsTail(this.#metrics, known?.covers);
    }
    const restart = (): void => {
      this.#reading = new MetricsReading();
    };
    while (this.#tail.read((lines, offset) => this.#reading!.take(lines, offset), SLICE, restart)?.left);
    writeDigest(this.#path, digestBytes({ reading: this.#reading, covers: this.#tail.offset }, this.#metrics));
  }
}
