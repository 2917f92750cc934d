/**
 * Token tables judged by one reference: how hard each token is, as the reference sees it, and from that the scores of every
 * model on the same tokens. Nothing here runs a model.
 */
import type { LoopLMConfig } from '../model/config.js';
import { pairedBootstrap } from './bootstrap.js';
import { difficultyOf, splitByDifficulty, type Thresholds, tercileThresholds } from './buckets.js';
import { evaluate } from './evaluate.js';
import type { ComparisonResult, EvalResult } from './result.js';
import type { TokenTable } from './token-table.js';

/** What a model said about the tokens. */
export interface Tabled {
  /** As it stands in results. */
  name: string;
  table: TokenTable;
  /** For FLOPs. */
  config: LoopLMConfig;
  /** Wall-clock time of the pass. */
  seconds?: number | undefined;
}

export interface TableJudgeOptions {
  /** The data's name in results. */
  data: string;
  /** Entropies of the reference, nats, at which easy and medium end; default: thirds of the tokens. */
  buckets?: Thresholds | undefined;
  /** Exit thresholds τ; default `DEFAULT_TAUS`. */
  taus?: readonly number[] | undefined;
}

export class TableJudge {
  readonly #reference: { name: string; entropy: Float32Array };
  readonly #buckets: Thresholds;
  readonly #options: TableJudgeOptions;

  /** @param reference its entropies after the last loop tell easy tokens from hard ones */
  constructor(reference: Pick<Tabled, 'name' | 'table'>, options: TableJudgeOptions) {
    const entropy = difficultyOf(reference.table);
    this.#reference = { name: reference.name, entropy };
    this.#buckets = options.buckets ?? tercileThresholds(entropy);
    this.#options = options;
  }

  /** A model's scores after every loop, at every τ, by difficulty. */
  evaluate({ name, table, config, seconds }: Tabled): EvalResult {
    const { data, taus } = this.#options;
    return evaluate(table, {
      model: name,
      data,
      config,
      reference: this.#reference,
      thresholds: this.#buckets,
      taus,
      seconds,
    });
  }

  /** The hard tokens of a table. */
  hard(table: TokenTable): TokenTable {
    return splitByDifficulty(table, this.#reference.entropy, this.#buckets).hard;
  }

  /**
   * Differences a − b with paired bootstrap intervals, over all tokens and, where there are some, over the hard ones.
   */
  compare(a: Pick<Tabled, 'name' | 'table'>, b: Pick<Tabled, 'name' | 'table'>): ComparisonResult[] {
    const [hardA, hardB] = [a, b].map(({ name, table }) => ({ name, table: this.hard(table) })) as [typeof a, typeof b];
    const some = hardA.table.tokens > 0;
    return [...pairedBootstrap(a, b), ...(some ? pairedBootstrap(hardA, hardB, { suffix: ' (hard)' }) : [])];
  }
}
