/**
 * Intervals for differences between arms over seeds and documents. Each resample draws seeds with replacement and, for all of them
 * alike, documents with replacement (all seeds are judged on the same documents); every arm of a seed sits on the same draw, so
 * differences are paired. The interval is the percentile interval of the resampled means over seeds.
 *
 * All measures of all arms are taken on the same resamples, so that any difference can be read off afterwards.
 */
import assert from 'node:assert/strict';
import { Rng } from '../data/tasks/rng.js';
import { quantile } from '../eval/bootstrap.js';
import { type DocumentSums, measuresOf } from './document-sums.js';

export interface Interval {
  mean: number;
  low: number;
  high: number;
  /** The difference of each seed, over all documents. */
  seeds: number[];
}

export interface BootstrapOptions {
  /** Default 1000. */
  resamples?: number;
  /** Default 0. */
  seed?: number;
}

export const LEVEL = 0.95;

/** Measures of arms, by seed: over all documents, and in every resample. */
export class Resampled {
  /** Names of all measures. */
  readonly measures: readonly string[];
  /** By arm: [seed][measure] */
  readonly #whole: Map<string, Float64Array[]>;
  /** By arm: [resample][measure], means over the seeds drawn. */
  readonly #drawn: Map<string, Float64Array[]>;

  /** @param arms by name, one entry a seed; all of the same documents and seeds */
  constructor(
    arms: ReadonlyMap<string, readonly DocumentSums[]>,
    { resamples = 1000, seed = 0 }: BootstrapOptions = {},
  ) {
    const [first] = arms.values();
    assert(first && first.length > 0, 'nothing to resample');
    const [S, C] = [first.length, first[0]!.documents];
    for (const sums of arms.values()) {
      assert.equal(sums.length, S, 'arms with different numbers of seeds');
      for (const { documents } of sums) assert.equal(documents, C, 'arms judged on different documents');
    }
    this.measures = [...measuresOf(first[0]!).keys()];
    const read = (sums: DocumentSums, weights?: Float64Array): Float64Array =>
      Float64Array.from(measuresOf(sums, weights).values());
    this.#whole = new Map(Array.from(arms, ([name, sums]) => [name, sums.map((one) => read(one))]));
    this.#drawn = new Map(Array.from(arms, ([name]) => [name, []]));
    const documentDraws = Rng.fromSeed(seed);
    const seedDraws = Rng.fromSeed(seed).fold(1);
    const weights = new Float64Array(C);
    for (let r = 0; r < resamples; r++) {
      weights.fill(0);
      for (let i = 0; i < C; i++) weights[documentDraws.below(C)]! += 1;
      const counts = new Array<number>(S).fill(0);
      for (let i = 0; i < S; i++) counts[seedDraws.below(S)]!++;
      for (const [name, sums] of arms) {
        const mean = new Float64Array(this.measures.length);
        counts.forEach((count, s) => {
          if (count === 0) return;
          const values = read(sums[s]!, weights);
          for (let i = 0; i < mean.length; i++) mean[i]! += (count / S) * values[i]!;
        });
        this.#drawn.get(name)!.push(mean);
      }
    }
  }

  /** One arm's measure: mean over seeds, with its interval. */
  of(arm: string, measure: string): Interval {
    return this.#interval((values) => values(arm), measure);
  }

  /** a − b. */
  difference(a: string, b: string, measure: string): Interval {
    const combine = (values: (arm: string) => number): number => values(a) - values(b);
    return this.#interval(combine, measure);
  }

  #interval(combine: (values: (arm: string) => number) => number, measure: string): Interval {
    const at = this.measures.indexOf(measure);
    assert(at >= 0, `no measure ${measure}`);
    const [S, R] = [this.#whole, this.#drawn].map((by) => by.values().next().value!.length) as [number, number];
    const seeds = Array.from({ length: S }, (_, s) => combine((arm) => this.#whole.get(arm)![s]![at]!));
    const drawn = Float64Array.from({ length: R }, (_, r) => combine((arm) => this.#drawn.get(arm)![r]![at]!)).sort();
    const mean = seeds.reduce((sum, value) => sum + value, 0) / S;
    return { mean, low: quantile(drawn, (1 - LEVEL) / 2), high: quantile(drawn, (1 + LEVEL) / 2), seeds };
  }
}
