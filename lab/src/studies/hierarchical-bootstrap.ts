/**
 * Intervals for differences between arms over seeds and documents. Each resample draws seeds with replacement and, for all of them
 * alike, documents with replacement (all seeds are judged on the same documents); every arm of a seed sits on the same draw, so
 * differences are paired. The interval is the percentile interval of the resampled means over seeds.
 *
 * All measures of all arms are taken on the same resamples, so that any difference can be read off afterwards.
 *
 * Shapes: R resamples, S seeds, C documents, M rows of sums.
 */
import assert from 'node:assert/strict';
import { cat, scope, tensor } from '@looprpt/engine';
import { Rng } from 'looprpt/internal/base/rng.js';
import { quantile } from 'looprpt/internal/eval/bootstrap.js';
import { type DocumentSums, measuresOf, measuresOfTotals, summedRows } from './document-sums.js';

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
    const read = (one: DocumentSums): Float64Array => Float64Array.from(measuresOf(one).values());
    this.#whole = new Map(Array.from(arms, ([name, sums]) => [name, sums.map(read)]));
    const documentDraws = Rng.fromSeed(seed);
    const seedDraws = Rng.fromSeed(seed).fold(1);
    const countsRC = new Float64Array(resamples * C);
    const countsRS = new Float64Array(resamples * S);
    for (let r = 0; r < resamples; r++) {
      for (let i = 0; i < C; i++) countsRC[r * C + documentDraws.below(C)]! += 1;
      for (let i = 0; i < S; i++) countsRS[r * S + seedDraws.below(S)]! += 1;
    }
    this.#drawn = new Map(Array.from(arms, ([name, sums]) => [name, this.#means(sums, countsRC, countsRS)]));
  }

  /** Every resample's measures, means over its seeds: a weighted sum of an arm's rows is a row of one matrix product. */
  #means(sums: readonly DocumentSums[], countsRC: Float64Array, countsRS: Float64Array): Float64Array[] {
    const [S, C] = [sums.length, sums[0]!.documents];
    const R = countsRC.length / C;
    const means = Array.from({ length: R }, () => new Float64Array(this.measures.length));
    sums.forEach((one, s) => {
      const rows = summedRows(one);
      const totalsRM = scope(() => {
        const rowsMC = cat(rows.map((row) => tensor(row, { shape: [1, C] })));
        return tensor(countsRC, { shape: [R, C] })
          .matmul(rowsMC.transpose(0, 1))
          .toTyped() as Float64Array;
      });
      means.forEach((mean, r) => {
        const count = countsRS[r * S + s]!;
        if (count === 0) return;
        const totals = totalsRM.subarray(r * rows.length, (r + 1) * rows.length);
        let i = 0;
        for (const value of measuresOfTotals(totals, one).values()) mean[i++]! += (count / S) * value;
      });
    });
    return means;
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
