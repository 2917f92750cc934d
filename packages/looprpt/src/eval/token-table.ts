/**
 * What a model said about every counted token after every loop: the one thing that evaluation asks of the engine. All
 * metrics are functions of such tables.
 *
 * A table is K × N numbers per column: `column[k][n]` is token n after loop k + 1. It holds no tensors. Two tables over
 * the same batches have the same tokens in the same order, so that models can be compared token by token.
 */
import assert from 'node:assert/strict';

/** K arrays of N. */
export type Column<A> = readonly A[];

export interface TokenTable {
  /** N, counted tokens. */
  readonly tokens: number;
  /** K */
  readonly loops: number;
  /** Log-probability of the true token, nats. */
  readonly logProb: Column<Float32Array>;
  /** Whether the arg-max token (the lowest id of several) is the true one, 0 or 1. */
  readonly correct: Column<Uint8Array>;
  /** The arg-max token's id. */
  readonly prediction: Column<Int32Array>;
  /** Entropy of the next-token distribution, nats. */
  readonly entropy: Column<Float32Array>;
  /** The largest probability of the next-token distribution. */
  readonly confidence: Column<Float32Array>;
  /** ‖h_k − h_{k−1}‖ / ‖h_k‖, where h_0, before the first loop, is the token's embedding. */
  readonly hiddenChange: Column<Float32Array>;
  /** The exit gate's logit a^(k). */
  readonly gateLogit: Column<Float32Array>;
  /** Exit CDF by the model's own arithmetic, so that exits are decided here exactly as in generation. */
  readonly exitCdf: Column<Float32Array>;
  /** Which sequence (segment of a row) a token belongs to, [N], ascending from 0. */
  readonly sequence: Int32Array;
  /** Which document a token belongs to, [N], in any order: the unit of resampling. A document longer than a row is several sequences. */
  readonly document: Int32Array;
  /** Keys in the token's reach, itself included, [N]: what its attention costs. */
  readonly context: Int32Array;
}

type Columns = { [Name in keyof TokenTable as TokenTable[Name] extends Column<infer _A> ? Name : never]: true };
const columns: Columns = {
  logProb: true,
  correct: true,
  prediction: true,
  entropy: true,
  confidence: true,
  hiddenChange: true,
  gateLogit: true,
  exitCdf: true,
};
const columnNames = Object.keys(columns) as (keyof Columns)[];

type Numbers = Float32Array | Uint8Array | Int32Array;

/** A table with every array of every column replaced by what `make` makes of it. */
function mapArrays(
  loops: number,
  make: (pick: (table: TokenTable) => Numbers) => Numbers,
): Pick<TokenTable, keyof Columns> {
  return Object.fromEntries(
    columnNames.map((name) => [name, Array.from({ length: loops }, (_, k) => make((table) => table[name][k]!))]),
  ) as unknown as Pick<TokenTable, keyof Columns>;
}

/** The tokens of several tables one after another; sequence numbers go on counting, documents are of one source. */
export function concatTables(tables: readonly TokenTable[]): TokenTable {
  const [first] = tables;
  assert(first, 'no tables');
  const tokens = tables.reduce((sum, table) => sum + table.tokens, 0);
  const join = (pick: (table: TokenTable) => Numbers): Numbers => {
    const Array_ = pick(first).constructor as new (length: number) => Numbers;
    const all = new Array_(tokens);
    let at = 0;
    for (const table of tables) {
      all.set(pick(table), at);
      at += table.tokens;
    }
    return all;
  };
  const sequence = new Int32Array(tokens);
  let at = 0;
  let offset = 0;
  for (const table of tables) {
    for (const number of table.sequence) sequence[at++] = number + offset;
    offset += sequenceCount(table);
  }
  return {
    tokens,
    loops: first.loops,
    ...mapArrays(first.loops, join),
    sequence,
    document: join((table) => table.document) as Int32Array,
    context: join((table) => table.context) as Int32Array,
  };
}

/** The tokens at these indices, in this order; sequence numbers stay as they are. */
export function selectTokens(table: TokenTable, indices: ArrayLike<number>): TokenTable {
  const tokens = indices.length;
  const select = (pick: (table: TokenTable) => Numbers): Numbers => {
    const all = pick(table);
    const Array_ = all.constructor as new (length: number) => Numbers;
    const some = new Array_(tokens);
    for (let i = 0; i < tokens; i++) some[i] = all[indices[i]!]!;
    return some;
  };
  return {
    tokens,
    loops: table.loops,
    ...mapArrays(table.loops, select),
    sequence: select((t) => t.sequence) as Int32Array,
    document: select((t) => t.document) as Int32Array,
    context: select((t) => t.context) as Int32Array,
  };
}

/** One more than the largest sequence number; 0 for an empty table. */
export function sequenceCount({ sequence }: TokenTable): number {
  return sequence.length === 0 ? 0 : sequence.at(-1)! + 1;
}
